from __future__ import annotations

import base64
import math
import struct
from typing import TYPE_CHECKING, Any

import pytest

from environments.services.llm import tokens
from tests.unit.services.llm.running import answered, refused

if TYPE_CHECKING:
    import httpx

    from tests.unit.services.llm.running import Llm


def embed(llm: Llm, texts: object, **given: object) -> httpx.Response:
    return llm.http.post("/v1/embeddings", json={"model": "plain", "input": texts, **given})


def vectors(llm: Llm, texts: object, **given: object) -> list[Any]:
    return [each["embedding"] for each in answered(embed(llm, texts, **given))["data"]]


def near(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_a_text_has_one_vector_of_length_one(llm: Llm) -> None:
    [vector] = vectors(llm, "hello")
    assert len(vector) == 1536
    assert math.isclose(near(vector, vector), 1)
    assert vectors(llm, ["hello"]) == [vector]


def test_texts_that_share_words_are_near_one_another(llm: Llm) -> None:
    cat, kitten, tax = vectors(llm, ["the cat sat on the mat", "The cat sat here", "annual income statement"])
    assert near(cat, kitten) > 0.4 > abs(near(cat, tax))


@pytest.mark.parametrize("dimensions", [1, 256, 3072])
def test_a_vector_has_the_dimensions_that_are_asked_for(llm: Llm, dimensions: int) -> None:
    assert len(vectors(llm, "hello", dimensions=dimensions)[0]) == dimensions


def test_base64_holds_the_same_numbers(llm: Llm) -> None:
    [plain], [packed] = vectors(llm, "hello"), vectors(llm, "hello", encoding_format="base64")
    read = struct.unpack("<1536f", base64.b64decode(packed))
    assert all(math.isclose(a, b, abs_tol=1e-6) for a, b in zip(plain, read, strict=True))


def test_usage_counts_the_tokens_of_all_inputs(llm: Llm) -> None:
    body = answered(embed(llm, ["Hello, world!", "x"]))
    assert body["usage"] == {"prompt_tokens": tokens.count("Hello, world!") + 1, "total_tokens": 5}
    assert [each["index"] for each in body["data"]] == [0, 1]


def test_lists_of_tokens_are_inputs_too(llm: Llm) -> None:
    assert vectors(llm, [1, 2, 3]) == vectors(llm, [[1, 2, 3]])
    assert answered(embed(llm, [[1, 2], [3]]))["usage"]["total_tokens"] == 3


@pytest.mark.parametrize("texts", [None, "", [], [""], [[]], ["x", 1], [1, "x"], {"a": 1}, [True], 5])
def test_what_is_no_input_is_refused(llm: Llm, texts: object) -> None:
    status, error = refused(embed(llm, texts))
    assert (status, error["param"]) == (400, "input")


@pytest.mark.parametrize(("name", "value"), [("dimensions", 0), ("encoding_format", "hex"), ("input_type", "x")])
def test_what_is_no_setting_is_refused(llm: Llm, name: str, value: object) -> None:
    status, error = refused(embed(llm, "hello", **{name: value}))
    assert (status, error["param"]) == (400, name)
