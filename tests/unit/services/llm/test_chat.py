from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from environments.services.llm import tokens
from tests.unit.services.llm.running import (
    ARGUMENTS,
    DETERMINISTIC,
    EXPLANATION,
    PARAMETERS,
    answered,
    events,
    refused,
)

if TYPE_CHECKING:
    from tests.unit.services.llm.running import Body, Llm

WEATHER = {"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}
CLOCK = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object"}}}


def said(body: Body, index: int = 0) -> str:
    return str(body["choices"][index]["message"]["content"])


def called(body: Body) -> list[str]:
    return [call["function"]["name"] for call in body["choices"][0]["message"].get("tool_calls", [])]


def test_the_deterministic_model_says_exactly_what_it_says(llm: Llm) -> None:
    body = answered(llm.chat("Rate this", model=DETERMINISTIC, tools=[WEATHER], n=2))
    assert [said(body, 0), said(body, 1)] == [EXPLANATION, EXPLANATION]
    assert body["model"] == DETERMINISTIC
    assert body["choices"][0]["finish_reason"] == "stop"


def test_the_same_request_has_the_same_answer_and_another_has_another(llm: Llm) -> None:
    one, again, other = (said(answered(llm.chat(text))) for text in ("hello", "hello", "goodbye"))
    assert one == again
    assert one.startswith("Reply ")
    assert one.endswith(" to: hello")
    assert other.endswith(" to: goodbye")


def test_sampling_settings_and_seed_change_nothing(llm: Llm) -> None:
    plain = said(answered(llm.chat()))
    settled = {
        "seed": 7,
        "temperature": 1.5,
        "top_p": 0.1,
        "frequency_penalty": -1,
        "user": "u",
        "metadata": {"a": "b"},
    }
    assert said(answered(llm.chat(**settled))) == plain


def test_earlier_turns_change_the_answer(llm: Llm) -> None:
    last = {"role": "user", "content": "hello"}
    with_system = answered(llm.chat(messages=[{"role": "system", "content": "Be brief"}, last]))
    assert said(with_system) != said(answered(llm.chat()))


def test_several_choices_differ_and_are_numbered(llm: Llm) -> None:
    body = answered(llm.chat(n=3))
    assert [choice["index"] for choice in body["choices"]] == [0, 1, 2]
    assert len({said(body, index) for index in range(3)}) == 3


def test_usage_counts_the_tokens_of_the_texts_and_one_for_each_role(llm: Llm) -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello, world!"}]
    body = answered(llm.chat(messages=messages, n=2))
    prompt = tokens.count("Be brief.") + tokens.count("Hello, world!") + 2
    completion = sum(tokens.count(said(body, index)) for index in range(2))
    usage = body["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (prompt, completion)
    assert usage["total_tokens"] == prompt + completion


def test_parts_that_are_no_text_count_too(llm: Llm) -> None:
    text = {"type": "text", "text": "What is this?"}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    without, with_image = (answered(llm.chat(parts))["usage"]["prompt_tokens"] for parts in ([text], [text, image]))
    assert with_image == without + 64


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_the_limit_of_tokens_cuts_the_answer_and_says_so(llm: Llm, name: str) -> None:
    whole = said(answered(llm.chat("one two three")))
    body = answered(llm.chat("one two three", **{name: 3}))
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["completion_tokens"] == 3
    assert said(body) == "".join(tokens.split(whole)[:3])


@pytest.mark.parametrize("stop", [" two", ["nothing", "three", " two"]])
def test_a_stop_sequence_ends_the_answer_before_it(llm: Llm, stop: object) -> None:
    body = answered(llm.chat("one two three", stop=stop))
    assert body["choices"][0]["finish_reason"] == "stop"
    assert said(body).endswith("to: one")
    assert body["usage"]["completion_tokens"] == tokens.count(said(body))


def test_a_users_turn_with_tools_is_answered_with_a_call_whose_arguments_fit(llm: Llm) -> None:
    body = answered(llm.chat("How is it in Paris?", tools=[WEATHER, CLOCK]))
    [choice] = body["choices"]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("tool_calls", None)
    [call] = choice["message"]["tool_calls"]
    assert (call["type"], call["function"]["name"]) == ("function", "weather")
    assert json.loads(call["function"]["arguments"]) == ARGUMENTS
    counted = tokens.count("weather") + tokens.count(call["function"]["arguments"])
    assert body["usage"]["completion_tokens"] == counted


def test_the_tools_that_a_text_names_are_called_side_by_side_unless_forbidden(llm: Llm) -> None:
    text = "Use the clock and the weather"
    assert called(answered(llm.chat(text, tools=[WEATHER, CLOCK]))) == ["weather", "clock"]
    one = answered(llm.chat(text, tools=[WEATHER, CLOCK], parallel_tool_calls=False))
    assert called(one) == ["weather"]


def test_a_tools_result_is_answered_with_text(llm: Llm) -> None:
    asked = {"role": "user", "content": "How is it in Paris?"}
    message = answered(llm.chat(messages=[asked], tools=[WEATHER]))["choices"][0]["message"]
    result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "sunny"}
    body = answered(llm.chat(messages=[asked, message, result], tools=[WEATHER]))
    assert said(body).endswith(" to: sunny")
    required = answered(llm.chat(messages=[asked, message, result], tools=[WEATHER], tool_choice="required"))
    assert called(required) == ["weather"]


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ("none", []),
        ("auto", ["weather"]),
        ("required", ["weather"]),
        ({"type": "function", "function": {"name": "clock"}}, ["clock"]),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [CLOCK]}},
            ["clock"],
        ),
    ],
)
def test_the_tool_choice_decides(llm: Llm, choice: object, names: list[str]) -> None:
    assert called(answered(llm.chat(tools=[WEATHER, CLOCK], tool_choice=choice))) == names


def test_the_limit_cuts_arguments_too(llm: Llm) -> None:
    body = answered(llm.chat(tools=[WEATHER], max_tokens=4))
    [choice] = body["choices"]
    assert choice["finish_reason"] == "length"
    assert choice["message"]["tool_calls"][0]["function"]["arguments"] == '{"city'
    assert body["usage"]["completion_tokens"] == 4


def test_json_mode_answers_an_object_where_the_request_speaks_of_json(llm: Llm) -> None:
    body = answered(llm.chat("As JSON, please", response_format={"type": "json_object"}))
    assert json.loads(said(body))["answer"].endswith("to: As JSON, please")
    status, error = refused(llm.chat("hello", response_format={"type": "json_object"}))
    assert (status, error["param"]) == (400, "messages")


def test_a_json_schema_is_met(llm: Llm) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "weather", "strict": True, "schema": PARAMETERS}}
    assert json.loads(said(answered(llm.chat(response_format=form)))) == ARGUMENTS


# ---- Streams -----------------------------------------------------------------------------------------


def _joined(chunks: list[Body], index: int = 0) -> str:
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"] if choice["index"] == index]
    return "".join(delta.get("content") or "" for delta in deltas)


@pytest.mark.parametrize("options", [None, {"include_usage": False}, {"include_usage": True}])
def test_a_stream_says_the_same_in_chunks_and_usage_where_asked(llm: Llm, options: Body | None) -> None:
    whole = answered(llm.chat("one two", n=2))
    streamed = events(llm.chat("one two", n=2, stream=True, stream_options=options))
    assert streamed[-1] == (None, "[DONE]")
    chunks = [data for _, data in streamed[:-1]]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert {chunk["id"] for chunk in chunks} == {whole["id"]}
    assert [_joined(chunks, index) for index in range(2)] == [said(whole, index) for index in range(2)]
    finished = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]]
    assert [each for each in finished if each] == ["stop", "stop"]
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    if options and options["include_usage"]:
        assert (chunks[-1]["choices"], chunks[-1]["usage"]) == ([], whole["usage"])
        assert all(chunk["usage"] is None for chunk in chunks[:-1])
    else:
        assert not any("usage" in chunk for chunk in chunks)


def test_a_streamed_call_comes_in_pieces_of_its_arguments(llm: Llm) -> None:
    text = "the weather and the clock"
    streamed = events(llm.chat(text, tools=[WEATHER, CLOCK], stream=True))
    parts = [each for _, data in streamed[:-1] for each in data["choices"][0]["delta"].get("tool_calls", [])]
    begun = [(part["index"], part["function"]["name"]) for part in parts if "id" in part]
    assert begun == [(0, "weather"), (1, "clock")]
    arguments = "".join(part["function"]["arguments"] for part in parts if part["index"] == 0)
    assert json.loads(arguments) == ARGUMENTS
    whole = answered(llm.chat(text, tools=[WEATHER, CLOCK]))["choices"][0]["message"]["tool_calls"]
    assert [part["id"] for part in parts if "id" in part] == [call["id"] for call in whole]
    assert streamed[-2][1]["choices"][0]["finish_reason"] == "tool_calls"


def test_a_stream_that_the_limit_cuts_says_so(llm: Llm) -> None:
    streamed = events(llm.chat(max_tokens=2, stream=True))
    assert streamed[-2][1]["choices"][0]["finish_reason"] == "length"


# ---- What is refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": [1]}, "messages[0]"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "user", "content": [{"type": "odd"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "tool", "tool_call_id": "x", "content": "y"}]}, "messages[0]"),
        ({"model": None}, "model"),
        ({"model": 1}, "model"),
        ({"temprature": 1}, "temprature"),
        ({"temperature": 3}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"n": 129}, "n"),
        ({"stop": ["a"] * 5}, "stop"),
        ({"stop": ""}, "stop"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {}}, "stream_options"),
        ({"logprobs": True}, "logprobs"),
        ({"functions": []}, "functions"),
        ({"modalities": ["audio"]}, "modalities"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"tools": [{"type": "custom"}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [WEATHER], "tool_choice": "sometimes"}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "x"}}}, "tool_choice"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"pattern": "x"}}}},
            "response_format.json_schema.schema",
        ),
    ],
)
def test_a_wrong_request_is_refused_by_the_path_of_what_is_wrong(llm: Llm, given: Body, param: str) -> None:
    status, error = refused(llm.chat(**given))
    assert (status, error["type"], error["param"]) == (400, "invalid_request_error", param)


def test_a_parameter_that_is_null_counts_as_absent(llm: Llm) -> None:
    nothing = dict.fromkeys(["stop", "max_tokens", "seed", "tools", "tool_choice", "response_format", "n", "functions"])
    assert said(answered(llm.chat(**nothing))) == said(answered(llm.chat()))
