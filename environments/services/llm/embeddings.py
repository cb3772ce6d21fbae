"""OpenAI's embeddings: https://platform.openai.com/docs/api-reference/embeddings.

Each token, in lower case and without the white space before it, adds 1 or -1 at a few places that follow from it; the
sum is brought to length 1. So equal texts are equal, and texts that share words are near one another.
"""

from __future__ import annotations

import base64
import hashlib
import math
import struct
from typing import TYPE_CHECKING

from environments.services.llm import tokens
from environments.services.llm.calls import Call, Reply, Whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from environments.services.http.json_types import Json
    from environments.services.llm.fields import Fields

_KNOWN = frozenset({"input", "model", "dimensions", "encoding_format", "user"})
_DIMENSIONS = 1536
_MOST_DIMENSIONS = 3072
_MOST_INPUTS = 2048
_PLACES = 8


def embed(call: Call) -> Reply:
    """Turn texts, or lists of token numbers, into vectors."""
    sent = call.sent
    sent.only(_KNOWN)
    dimensions = sent.integer("dimensions", 1, _MOST_DIMENSIONS) or _DIMENSIONS
    in_base64 = sent.one_of("encoding_format", ("float", "base64"), "float") == "base64"
    inputs = _inputs(sent)
    data: list[Json] = []
    for index, words in enumerate(inputs):
        vector = _vector(words, dimensions)
        data.append({"object": "embedding", "index": index, "embedding": _packed(vector) if in_base64 else vector})
    used = sum(map(len, inputs))
    usage: Json = {"prompt_tokens": used, "total_tokens": used}
    return Whole({"object": "list", "data": data, "model": sent.text("model"), "usage": usage})


def _inputs(sent: Fields) -> list[tuple[str, ...]]:
    given = sent.value.get("input")
    if given is None:
        raise sent.missing("input")
    # A list of numbers is one input, of tokens.
    listed = [given] if isinstance(given, str) or _is_tokens(given) else sent.list("input")
    inputs = [_words(each) for each in listed]
    if not inputs or not all(inputs) or len(inputs) > _MOST_INPUTS:
        raise sent.wrong("input", f"a text, or 1 to {_MOST_INPUTS} texts or lists of tokens, none of them empty")
    return inputs


def _words(given: Json) -> tuple[str, ...]:
    if isinstance(given, str):
        return tuple(token.strip().lower() for token in tokens.split(given))
    return tuple(map(str, given)) if _is_tokens(given) and isinstance(given, list) else ()


def _is_tokens(given: Json) -> bool:
    return isinstance(given, list) and bool(given) and all(type(each) is int for each in given)


def _vector(words: Sequence[str], dimensions: int) -> list[float]:
    sums = [0.0] * dimensions
    for word in words:
        digest = hashlib.sha256(word.encode()).digest()
        for place in range(_PLACES):
            number = int.from_bytes(digest[4 * place : 4 * place + 4], "big")
            sums[(number >> 1) % dimensions] += 1 if number & 1 else -1
    if not any(sums):  # what was added took itself away again
        sums[0] = 1.0
    length = math.sqrt(sum(value * value for value in sums))
    return [value / length for value in sums]


def _packed(vector: Sequence[float]) -> str:
    # The openai SDK asks for this by default, and reads 32-bit floats, little-endian.
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
