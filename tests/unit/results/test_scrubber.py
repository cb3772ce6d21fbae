from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from environments.results.scrubber import Scrubber


@pytest.mark.parametrize(
    ("secrets", "text", "shown"),
    [
        (("key-123456",), "Bearer key-123456, twice key-123456.", "Bearer [hidden], twice [hidden]."),
        (("abcdef", "abcdefghij"), "abcdefghij abcdef", "[hidden] [hidden]"),
        (("abcdef", "defghi"), "abcdefghi", "[hidden]"),
        (("defghi", "abcdef"), "x abcdefghi y", "x [hidden] y"),
        (("abcdef", "ghijkl"), "abcdefghijkl", "[hidden]"),
        (("aaaaaa",), "aaaaaaaa", "[hidden]"),
        (("line-1\nline-2",), "one line-1\nline-2 two", "one [hidden] two"),
        (("hidden", "secret"), "the secret is hidden", "the [hidden] is [hidden]"),
        (("short",), "short ones stay", "short ones stay"),
        ((), "nothing to hide", "nothing to hide"),
        (("abcdef",), "", ""),
    ],
)
def test_secrets_are_hidden_and_nothing_else(secrets: tuple[str, ...], text: str, shown: str) -> None:
    assert Scrubber(secrets)(text) == shown


_LETTERS = st.text("abc", min_size=6, max_size=10)


@settings(deadline=None, max_examples=150)
@given(st.lists(_LETTERS, max_size=4), st.lists(st.text("abcd ", max_size=5) | _LETTERS, max_size=6))
def test_no_secret_survives_in_part_or_whole(secrets: list[str], pieces: list[str]) -> None:
    text = "".join([*pieces, *secrets])

    shown = Scrubber(tuple(secrets))(text)

    assert not any(secret in shown for secret in secrets)
    # What is left is what no secret had a part in.
    hidden = {
        at
        for s in secrets
        for start in range(len(text))
        if text.startswith(s, start)
        for at in range(start, start + len(s))
    }
    assert shown.replace("[hidden]", "") == "".join(c for at, c in enumerate(text) if at not in hidden)
