from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments.services.honeyhive.ingestion import conventions, otlp
from environments.services.honeyhive.ingestion.mapping import mapped
from environments.services.honeyhive.storage.keys import Project
from environments.services.http.json_types import dump
from tests.unit.services.honeyhive import running

if TYPE_CHECKING:
    from collections.abc import Mapping

    from environments.services.honeyhive.events.event import Event
    from environments.services.honeyhive.ingestion.spans import Span

# As openinference-instrumentation-openai 0.1.66 sent it for a chat completion with tools.
OPENINFERENCE_OPENAI: dict[str, Any] = {
    "input.mime_type": "application/json",
    "input.value": '{"model": "gpt-4o", "messages": []}',
    "llm.finish_reason": "tool_calls",
    "llm.input_messages.0.message.content": "Be brief",
    "llm.input_messages.0.message.role": "system",
    "llm.input_messages.1.message.contents.0.message_content.text": "Hello",
    "llm.input_messages.1.message.contents.0.message_content.type": "text",
    "llm.input_messages.1.message.role": "user",
    "llm.invocation_parameters": '{"model": "gpt-4o", "max_tokens": 10, "temperature": 0.5}',
    "llm.model_name": "gpt-4o-2024-08-06",
    "llm.output_messages.0.message.content": "Hello there",
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"city": "SF"}',
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "get_weather",
    "llm.output_messages.0.message.tool_calls.0.tool_call.id": "call_1",
    "llm.system": "openai",
    "llm.token_count.completion": 5,
    "llm.token_count.completion_details.reasoning": 2,
    "llm.token_count.prompt": 12,
    "llm.token_count.prompt_details.cache_read": 3,
    "llm.token_count.total": 17,
    "llm.tools.0.tool.json_schema": '{"type": "function", "function": {"name": "get_weather", "parameters": {}}}',
    "openinference.span.kind": "LLM",
    "output.mime_type": "application/json",
    "output.value": '{"id":"chatcmpl-1"}',
}
# As openinference-instrumentation-anthropic 3.1.0 sent it: the call stands in the contents and beside them.
OPENINFERENCE_ANTHROPIC: dict[str, Any] = {
    "llm.finish_reason": "end_turn",
    "llm.input_messages.0.message.content": "Sys",
    "llm.input_messages.0.message.role": "system",
    "llm.input_messages.1.message.content": "Hey",
    "llm.input_messages.1.message.role": "user",
    "llm.invocation_parameters": '{"max_tokens": 10}',
    "llm.model_name": "claude-3-5-sonnet-20241022",
    "llm.output_messages.0.message.contents.0.message_content.text": "Hi from Claude",
    "llm.output_messages.0.message.contents.0.message_content.type": "text",
    "llm.output_messages.0.message.contents.1.message_content.type": "tool_use",
    "llm.output_messages.0.message.contents.1.tool_call.function.arguments": '{"a": 1}',
    "llm.output_messages.0.message.contents.1.tool_call.function.name": "f",
    "llm.output_messages.0.message.contents.1.tool_call.id": "tu_1",
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"a": 1}',
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "f",
    "llm.output_messages.0.message.tool_calls.0.tool_call.id": "tu_1",
    "llm.provider": "anthropic",
    "llm.request.model_name": "claude-3-5-sonnet-latest",
    "llm.response.model_name": "claude-3-5-sonnet-20241022",
    "llm.system": "anthropic",
    "llm.token_count.completion": 4,
    "llm.token_count.prompt": 12,
    "llm.token_count.prompt_details.cache_write": 1,
    "llm.token_count.total": 16,
    "openinference.span.kind": "LLM",
}
GENAI: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.request.temperature": 0.2,
    "gen_ai.request.max_tokens": 100,
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.response.id": "chatcmpl-9",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.usage.input_tokens": 30,
    "gen_ai.usage.output_tokens": 7,
    "gen_ai.system_instructions": '[{"type": "text", "content": "Be brief"}]',
    "gen_ai.input.messages": json.dumps(
        [
            {"role": "user", "parts": [{"type": "text", "content": "Weather?"}]},
            {"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "w", "arguments": {"x": 1}}]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "rainy"}]},
        ]
    ),
    "gen_ai.output.messages": '[{"role": "assistant", "parts": [{"type": "text", "content": "Rain."}]}]',
}
TRACELOOP: dict[str, Any] = {
    "gen_ai.system": "OpenAI",
    "llm.request.type": "chat",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.prompt.0.role": "user",
    "gen_ai.prompt.0.content": "Hi",
    "gen_ai.completion.0.role": "assistant",
    "gen_ai.completion.0.content": "Hello",
    "gen_ai.completion.0.tool_calls.0.id": "c1",
    "gen_ai.completion.0.tool_calls.0.name": "f",
    "gen_ai.completion.0.tool_calls.0.arguments": "{}",
    "gen_ai.usage.prompt_tokens": 3,
    "gen_ai.usage.completion_tokens": 4,
    "llm.usage.total_tokens": 7,
    "llm.request.functions.0.name": "f",
    "llm.request.functions.0.parameters": '{"type": "object"}',
    "traceloop.association.properties.customer": "acme",
}


def event_of(attributes: Mapping[str, Any], scope: str = "scope", *, events: object = ()) -> Event:
    """Map a span that came in protobuf's shapes: attributes may be lists."""
    body = running.otlp(running.span("name", "session", events=events))
    [span] = otlp.decode(otlp.JSON, json.dumps(body).encode())
    return mapped(_with(span, attributes, scope)).event


def _with(span: Span, attributes: Mapping[str, Any], scope: str) -> Span:
    return span._replace(attributes={**span.attributes, **attributes}, scope_name=scope)


def test_an_openinference_call_of_openai_becomes_a_model_event() -> None:
    event = event_of(OPENINFERENCE_OPENAI, "openinference.instrumentation.openai")
    assert event.event_type == "model"
    assert event.inputs["chat_history"] == [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "Hello"},
    ]
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "SF"}'}}
    assert (event.outputs["role"], event.outputs["content"]) == ("assistant", "Hello there")
    assert event.outputs["tool_calls"] == [call]
    assert {name: event.config[name] for name in ("model", "provider", "temperature", "max_tokens")} == {
        "model": "gpt-4o-2024-08-06",
        "provider": "openai",
        "temperature": 0.5,
        "max_tokens": 10,
    }
    assert event.config["tools"] == [{"type": "function", "function": {"name": "get_weather", "parameters": {}}}]
    wanted = {
        "prompt_tokens": 12,
        "completion_tokens": 5,
        "total_tokens": 17,
        "reasoning_tokens": 2,
        "cache_read_input_tokens": 3,
        "finish_reason": "tool_calls",
        "finish_reasons": ["tool_calls"],
        "model_name": "gpt-4o-2024-08-06",
        "span_kind": "LLM",
        "system": "openai",
        "instrumentor": "openinference",
    }
    assert {name: event.metadata[name] for name in wanted} == wanted


def test_an_openinference_call_of_anthropic_has_each_tool_call_once() -> None:
    event = event_of(OPENINFERENCE_ANTHROPIC)
    assert event.outputs["content"] == "Hi from Claude"
    assert event.outputs["tool_calls"] == [
        {"id": "tu_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    ]
    assert (event.config["model"], event.config["provider"]) == ("claude-3-5-sonnet-latest", "anthropic")
    assert (event.metadata["response_model"], event.metadata["cache_write_input_tokens"]) == (
        "claude-3-5-sonnet-20241022",
        1,
    )


def test_opentelemetrys_own_convention_becomes_a_model_event() -> None:
    event = event_of(GENAI)
    assert event.event_type == "model"
    assert event.inputs["chat_history"] == [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "w", "arguments": '{"x":1}'}}],
        },
        {"role": "tool", "content": "rainy", "tool_call_id": "c1"},
    ]
    assert event.outputs["content"] == "Rain."
    assert (event.config["model"], event.config["provider"], event.config["temperature"]) == ("gpt-4o", "openai", 0.2)
    wanted = {"input_tokens": 30, "output_tokens": 7, "prompt_tokens": 30, "completion_tokens": 7, "total_tokens": 37}
    assert {name: event.metadata[name] for name in wanted} == wanted
    assert (event.metadata["finish_reason"], event.metadata["instrumentor"]) == ("stop", "standardgenai")
    assert "gen_ai" not in event.metadata


def test_traceloops_convention_becomes_a_model_event() -> None:
    event = event_of(TRACELOOP)
    assert event.event_type == "model"
    assert event.inputs["chat_history"] == [{"role": "user", "content": "Hi"}]
    assert event.outputs["content"] == "Hello"
    assert event.outputs["tool_calls"] == [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    ]
    assert event.config["tools"] == [{"name": "f", "parameters": {"type": "object"}}]
    assert (event.metadata["total_tokens"], event.metadata["customer"]) == (7, "acme")
    assert (event.metadata["request_type"], event.metadata["instrumentor"]) == ("chat", "traceloop")


@pytest.mark.parametrize(
    ("attributes", "inputs", "outputs"),
    [
        (
            {"openinference.span.kind": "TOOL", "input.value": '{"a": 1}', "output.value": "text"},
            {"a": 1},
            {"value": "text"},
        ),
        (
            {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.arguments": '{"q": 1}'},
            {"q": 1},
            {},
        ),
        ({"traceloop.entity.input": '{"args": [1]}', "traceloop.entity.output": "5"}, {"args": [1]}, {"value": "5"}),
        (
            {
                "openinference.span.kind": "RETRIEVER",
                "retrieval.documents.0.document.content": "text",
                "retrieval.documents.0.document.score": 0.5,
            },
            {},
            {"documents": [{"content": "text", "score": 0.5}]},
        ),
    ],
)
def test_a_step_that_is_no_model_call_gets_its_inputs_and_outputs(
    attributes: dict[str, Any], inputs: object, outputs: object
) -> None:
    event = event_of(attributes)
    assert (event.inputs, event.outputs) == (inputs, outputs)


@pytest.mark.parametrize(
    ("attributes", "cost"),
    [
        ({"llm.cost.total": 0.5, "llm.cost.prompt": 0.1, "llm.cost.completion": 0.1}, 0.5),
        ({"llm.cost.prompt": 0.25, "llm.cost.completion": 0.5}, 0.75),
        ({"gen_ai.usage.cost": 0.125}, 0.125),
    ],
)
def test_the_cost_is_what_was_told_or_the_sum_of_its_parts(attributes: dict[str, Any], cost: float) -> None:
    assert event_of(attributes).metadata["cost"] == cost


def test_messages_that_came_as_span_events_are_the_chat_history() -> None:
    def told(name: str, **attributes: str) -> dict[str, object]:
        return {"name": name, "attributes": [running.attribute(key, value) for key, value in attributes.items()]}

    choice = {"gen_ai.event.content": '{"index": 0, "message": {"role": "assistant", "content": "Hello"}}'}
    events = [
        told("gen_ai.system.message", content="Be brief"),
        told("gen_ai.user.message", content="Hi"),
        told("gen_ai.choice", **choice),
    ]
    event = event_of({"gen_ai.operation.name": "chat"}, events=events)
    assert event.inputs["chat_history"] == [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "Hi"},
    ]
    assert event.outputs["content"] == "Hello"
    assert "span_events" not in event.metadata


def test_other_span_events_and_the_resource_are_in_the_metadata() -> None:
    body = running.otlp(
        running.span("name", events=[{"name": "retry", "timeUnixNano": "2000000", "attributes": []}]),
    )
    body["resourceSpans"][0]["resource"] = {"attributes": [running.attribute("service.name", "shop")]}
    [span] = otlp.decode(otlp.JSON, json.dumps(body).encode())
    metadata = mapped(span).event.metadata
    assert metadata["resource"] == {"service": {"name": "shop"}}
    assert metadata["span_events"] == [{"name": "retry", "time": 2, "attributes": {}}]


def test_what_honeyhives_own_attributes_say_wins() -> None:
    own = {"honeyhive_config.model": "mine", "honeyhive_metadata.prompt_tokens": 1, "honeyhive_inputs.a": 2}
    event = event_of({**OPENINFERENCE_OPENAI, **own})
    assert (event.config["model"], event.metadata["prompt_tokens"], event.inputs["a"]) == ("mine", 1, 2)
    assert event.inputs["chat_history"]


def test_what_no_convention_knows_stays_in_the_metadata() -> None:
    event = event_of({**GENAI, "gen_ai.prompt.name": "greeting", "gen_ai.something.new": 1})
    assert event.metadata["gen_ai"] == {"prompt": {"name": "greeting"}, "something": {"new": 1}}


# ---- Any input ---------------------------------------------------------------------------------------

_NAMES = st.sampled_from(
    [
        *OPENINFERENCE_OPENAI,
        *OPENINFERENCE_ANTHROPIC,
        *GENAI,
        *TRACELOOP,
        *("llm.input_messages", "gen_ai.prompt", "gen_ai.prompt.0", "gen_ai.prompt.5", "metadata", "llm.tools.0"),
        *("llm.input_messages.0.message.tool_calls.0", "gen_ai.completion.0.tool_calls", "retrieval.documents.0"),
        *("llm.prompts.0.prompt.text", "llm.prompt_template.variables", "input.value", "llm.cost.prompt"),
    ]
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "parts", "type", "tool_calls", "message", "0", "1", "id", "text"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=6,
)


@given(st.dictionaries(_NAMES, _JSON | _JSON.map(json.dumps)))
def test_any_values_of_known_attributes_map_to_an_event_that_can_be_stored(attributes: dict[str, Any]) -> None:
    event = event_of(attributes)
    dump(event.document(Project("p"))).encode()


@given(st.dictionaries(_NAMES, _JSON))
def test_a_convention_takes_nothing_that_is_not_there(attributes: dict[str, Any]) -> None:
    normal = conventions.normalised(attributes, (), "scope")
    assert normal is None or set(normal.buckets) <= {"config", "inputs", "outputs", "metadata"}
