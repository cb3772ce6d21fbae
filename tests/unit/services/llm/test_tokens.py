from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments.services.llm import tokens


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("", ()),
        ("Hello, world!", ("Hello", ",", " world", "!")),
        ("  a\n\nb  ", ("  a", "\n\nb", "  ")),
        ("[[5]]", ("[", "[", "5", "]", "]")),
        ("snake_case", ("snake_case",)),
        ("x" * 40, ("x" * 16, "x" * 16, "x" * 8)),
    ],
)
def test_a_token_is_a_word_or_a_sign_with_the_white_space_before_it(text: str, split: tuple[str, ...]) -> None:
    assert tokens.split(text) == split


@given(st.text())
def test_joined_the_tokens_of_any_text_are_the_text(text: str) -> None:
    assert "".join(tokens.split(text)) == text
    assert tokens.count(text) == len(tokens.split(text))


@given(st.text(), st.integers(0, 20))
def test_the_first_tokens_of_a_text_are_the_tokens_of_its_beginning(text: str, first: int) -> None:
    kept = tokens.split(text)[:first]
    assert tokens.split("".join(kept)) == kept
    assert tokens.beginning(text, first) == "".join(kept)
