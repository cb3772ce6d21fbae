"""The tokenizer: what a token is, here.

A token is a word of up to 16 letters, digits and underscores (a longer one is several), or one other character, each
with the white space before it; white space at the very end is a token of its own. So `split` loses nothing: joined,
its tokens are the text again, and the first tokens of a text are the tokens of its beginning.
"""

from __future__ import annotations

import itertools
import re

_TOKEN = re.compile(r"\s*(?:\w{1,16}|[^\w\s])|\s+")


def split(text: str) -> tuple[str, ...]:
    """Return the tokens of a text."""
    return tuple(_TOKEN.findall(text))


def beginning(text: str, number: int) -> str:
    """Return the first tokens of a text, however long it is."""
    return "".join(found.group() for found in itertools.islice(_TOKEN.finditer(text), number))


def count(text: str) -> int:
    """Return how many tokens a text has."""
    return sum(1 for _ in _TOKEN.finditer(text))
