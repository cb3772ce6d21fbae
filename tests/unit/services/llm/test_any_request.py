from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.services.llm.running import ANTHROPIC

if TYPE_CHECKING:
    from tests.unit.services.llm.running import Llm

Strategy: TypeAlias = st.SearchStrategy[Any]

_WORDS = st.sampled_from(["user", "assistant", "tool", "text", "function", "json_schema", "object", "auto", "required"])
_LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | _WORDS
)
_NAMES = st.sampled_from(
    [
        *("messages", "role", "content", "type", "text", "tools", "function", "name", "parameters", "input_schema"),
        *("tool_choice", "input", "instructions", "stop", "stop_sequences", "max_tokens", "stream", "response_format"),
        *("json_schema", "schema", "properties", "n", "system", "tool_calls", "tool_call_id", "id", "arguments"),
        *("thinking", "output_config", "format", "image_url", "dimensions", "temperature", "stream_options", "model"),
    ]
)
_JSON = st.recursive(_LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=4))


def _having(_type: str, **fields: Strategy) -> Strategy:
    return st.fixed_dictionaries({"type": st.just(_type), **fields})


def _either(good: Strategy) -> Strategy:
    """Draw what is right four times out of five, and anything otherwise."""
    return st.integers(0, 4).flatmap(lambda number: good if number else _JSON)


_TEXT = st.text(max_size=40)
_SCHEMA = _either(
    st.fixed_dictionaries(
        {"type": st.just("object"), "properties": st.dictionaries(_TEXT, _either(st.just({"type": "integer"})))}
    )
)
_OPENAI_CONTENT = _either(_TEXT | st.lists(_having("text", text=_TEXT), min_size=1, max_size=2))
_OPENAI_MESSAGES = _either(
    st.lists(
        st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "system"]), "content": _OPENAI_CONTENT}),
        min_size=1,
        max_size=3,
    )
)
_ITEMS = _either(
    _TEXT
    | st.lists(
        st.fixed_dictionaries({"role": st.just("user"), "content": _TEXT})
        | _having("function_call", call_id=st.just("a"), name=_TEXT, arguments=_TEXT)
        | _having("function_call_output", call_id=st.sampled_from("ab"), output=_TEXT),
        min_size=1,
        max_size=3,
    )
)
_BLOCKS = (
    _having("text", text=_TEXT)
    | _having("tool_use", id=st.just("a"), name=_TEXT, input=_SCHEMA)
    | _having("tool_result", tool_use_id=st.sampled_from("ab"), content=_TEXT)
    | _having("image", source=_JSON)
)
_ANTHROPIC_MESSAGES = _either(
    st.lists(
        st.fixed_dictionaries(
            {
                "role": st.sampled_from(["user", "assistant"]),
                "content": _either(_TEXT | st.lists(_BLOCKS, max_size=3)),
            }
        ),
        min_size=1,
        max_size=3,
    )
)
_CHAT_TOOLS = st.lists(_having("function", function=st.fixed_dictionaries({"name": _TEXT, "parameters": _SCHEMA})))
_CHOICE = _either(st.sampled_from(["auto", "none", "required"]))
_FORMAT = {"name": st.just("n"), "schema": _SCHEMA}
_MODEL = st.sampled_from(["plain", "deterministic/default/default"]) | _either(_TEXT)
_STREAM = {"stream": _either(st.booleans()), "temperature": _either(st.floats(0, 1)), "metadata": st.just({})}
_CHAT = {
    **_STREAM,
    "tools": _either(_CHAT_TOOLS),
    "tool_choice": _CHOICE,
    "stop": _either(st.lists(st.text(min_size=1), max_size=4)),
    "max_tokens": _either(st.integers(1, 30)),
    "n": _either(st.integers(1, 5)),
    "response_format": _either(_having("json_schema", json_schema=st.fixed_dictionaries(_FORMAT))),
}
_RESPONSES = {
    **_STREAM,
    "tools": _either(st.lists(_having("function", name=_TEXT, parameters=_SCHEMA))),
    "tool_choice": _CHOICE,
    "instructions": _either(_TEXT),
    "max_output_tokens": _either(st.integers(1, 30)),
    "text": _either(st.fixed_dictionaries({"format": _having("json_schema", **_FORMAT)})),
}
_COUNTED = {
    "tools": _either(st.lists(st.fixed_dictionaries({"name": _TEXT, "input_schema": _SCHEMA}))),
    "tool_choice": _either(_having("auto") | _having("any")),
    "system": _either(_TEXT | st.lists(_having("text", text=_TEXT))),
    "output_config": _either(st.fixed_dictionaries({"format": _having("json_schema", schema=_SCHEMA)})),
}
_MESSAGES = {**_STREAM, **_COUNTED, "stop_sequences": _either(st.lists(st.text(min_size=1)))}
_EMBEDDINGS = {
    "dimensions": _either(st.integers(1, 99)),
    "encoding_format": _either(st.sampled_from(["float", "base64"])),
}


def _asked(path: str, optional: dict[str, Strategy], **required: Strategy) -> Strategy:
    body = st.fixed_dictionaries({"model": _MODEL, **required}, optional=optional)
    return st.tuples(st.just(path), _either(body))


_REQUESTS = st.one_of(
    _asked("/v1/chat/completions", _CHAT, messages=_OPENAI_MESSAGES),
    _asked("/v1/responses", _RESPONSES, input=_ITEMS),
    _asked("/v1/embeddings", _EMBEDDINGS, input=_either(_TEXT | st.lists(_TEXT) | st.lists(st.integers()))),
    _asked("/v1/messages", _MESSAGES, messages=_ANTHROPIC_MESSAGES, max_tokens=_either(st.integers(1, 50))),
    _asked("/v1/messages/count_tokens", _COUNTED, messages=_ANTHROPIC_MESSAGES),
)
_EXPECTED = {200, 400, 404}


@settings(max_examples=300, deadline=None)
@given(_REQUESTS)
def test_no_body_makes_an_internal_error_and_each_is_answered_the_same_again(
    llm: Llm, request_: tuple[str, object]
) -> None:
    path, body = request_
    headers = {"Content-Type": "application/json", **ANTHROPIC}
    first, again = (llm.http.post(path, content=json.dumps(body), headers=headers) for _ in range(2))
    assert first.status_code in _EXPECTED, first.text
    assert again.status_code == first.status_code


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1), st.booleans())
def test_any_models_name_in_a_path_is_answered(llm: Llm, name: str, anthropic: bool) -> None:  # noqa: FBT001
    response = llm.http.get(f"/v1/models/{quote(name, safe='')}", headers=ANTHROPIC if anthropic else {})
    assert response.status_code in _EXPECTED
