"""What other people's instrumentors write, as HoneyHive's ingestion normalises it. Pure; the rules are the tables.

The targets, and most of their sources, are the public attribute registry's. The sources are the attribute names of
OpenInference (its semantic conventions, and what its OpenAI and Anthropic instrumentors were seen to send),
OpenTelemetry GenAI (its semantic conventions, deprecated names included) and Traceloop (openllmetry). Inferred: what a
rule reads is moved, not copied; `prompt_tokens` and `completion_tokens` are there whichever names the source uses.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from environments.services.honeyhive.ingestion import chat
from environments.services.honeyhive.ingestion.nesting import as_list, as_object, below, read_back
from environments.services.http.json_types import countable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from environments.services.honeyhive.ingestion.spans import SpanEvent
    from environments.services.http.json_types import Json, JsonObject

# ---- The rules ---------------------------------------------------------------------------------------

_MARKS = ("llm.", "gen_ai.", "openinference.", "input.", "output.", "traceloop.entity", "traceloop.span", "embedding.")

# (bucket, key) <- the attributes that set it, first present wins.
_RULES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        *("config", "model"),
        (
            *("gen_ai.request.model", "llm.request.model_name", "llm.model_name", "embedding.model_name"),
            *("reranker.model_name", "gen_ai.response.model", "llm.response.model_name"),
        ),
    ),
    ("config", "provider", ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system")),
    ("config", "temperature", ("gen_ai.request.temperature", "llm.temperature")),
    ("config", "top_p", ("gen_ai.request.top_p", "llm.top_p")),
    ("config", "top_k", ("gen_ai.request.top_k", "llm.top_k")),
    ("config", "max_tokens", ("gen_ai.request.max_tokens", "llm.request.max_tokens")),
    ("config", "frequency_penalty", ("gen_ai.request.frequency_penalty", "llm.frequency_penalty")),
    ("config", "presence_penalty", ("gen_ai.request.presence_penalty", "llm.presence_penalty")),
    ("config", "stop_sequences", ("gen_ai.request.stop_sequences", "llm.chat.stop_sequences")),
    ("config", "seed", ("gen_ai.request.seed", "gen_ai.openai.request.seed")),
    ("config", "n", ("gen_ai.request.choice.count",)),
    ("config", "stream", ("gen_ai.request.stream", "llm.is_streaming")),
    ("config", "response_format", ("gen_ai.openai.request.response_format", "gen_ai.output.type")),
    ("config", "template", ("llm.prompt_template.template",)),
    ("metadata", "provider", ("gen_ai.provider.name", "llm.provider")),
    ("metadata", "system", ("gen_ai.system", "llm.system")),
    (
        *("metadata", "model_name"),
        (
            *("gen_ai.response.model", "llm.response.model_name", "llm.model_name", "embedding.model_name"),
            *("gen_ai.request.model", "llm.request.model_name"),
        ),
    ),
    ("metadata", "llm.model_name", ("llm.model_name",)),
    ("metadata", "response_model", ("gen_ai.response.model", "llm.response.model_name")),
    ("metadata", "response_id", ("gen_ai.response.id",)),
    ("metadata", "input_tokens", ("gen_ai.usage.input_tokens",)),
    ("metadata", "output_tokens", ("gen_ai.usage.output_tokens",)),
    (
        *("metadata", "prompt_tokens"),
        (
            *("llm.token_count.prompt", "gen_ai.usage.prompt_tokens", "llm.usage.prompt_tokens"),
            "gen_ai.usage.input_tokens",
        ),
    ),
    (
        *("metadata", "completion_tokens"),
        (
            *("llm.token_count.completion", "gen_ai.usage.completion_tokens", "llm.usage.completion_tokens"),
            "gen_ai.usage.output_tokens",
        ),
    ),
    ("metadata", "total_tokens", ("llm.token_count.total", "gen_ai.usage.total_tokens", "llm.usage.total_tokens")),
    (
        *("metadata", "cache_read_input_tokens"),
        (
            *("llm.token_count.prompt_details.cache_read", "gen_ai.usage.cache_read.input_tokens"),
            "gen_ai.usage.cache_read_input_tokens",
        ),
    ),
    (
        *("metadata", "cache_write_input_tokens"),
        (
            *("llm.token_count.prompt_details.cache_write", "gen_ai.usage.cache_creation.input_tokens"),
            "gen_ai.usage.cache_creation_input_tokens",
        ),
    ),
    (
        *("metadata", "reasoning_tokens"),
        (
            *("llm.token_count.completion_details.reasoning", "gen_ai.usage.reasoning.output_tokens"),
            *("gen_ai.usage.reasoning_tokens", "llm.usage.reasoning_tokens"),
        ),
    ),
    ("metadata", "cost", ("llm.cost.total", "gen_ai.usage.cost", "gen_ai.usage.total_cost")),
    ("metadata", "operation_name", ("gen_ai.operation.name",)),
    ("metadata", "request_type", ("llm.request.type",)),
    ("metadata", "span_kind", ("openinference.span.kind", "traceloop.span.kind", "gen_ai.agent.type")),
    ("metadata", "agent_id", ("gen_ai.agent.id",)),
    ("metadata", "agent_name", ("gen_ai.agent.name", "agent.name")),
    ("metadata", "agent_description", ("gen_ai.agent.description",)),
    ("metadata", "conversation_id", ("gen_ai.conversation.id", "session.id")),
    ("metadata", "session_id", ("session.id",)),
    ("metadata", "user_id", ("user.id",)),
    ("metadata", "tool_name", ("gen_ai.tool.name", "tool.name")),
    ("metadata", "tool_call_id", ("gen_ai.tool.call.id", "tool_call.id")),
    ("metadata", "input_mime_type", ("input.mime_type",)),
    ("metadata", "output_mime_type", ("output.mime_type",)),
    ("metadata", "tags", ("tag.tags",)),
    ("metadata", "openai_api_base", ("gen_ai.openai.api_base", "llm.openai.api_base")),
    (
        *("metadata", "openai_system_fingerprint"),
        ("gen_ai.openai.response.system_fingerprint", "gen_ai.openai.system_fingerprint"),
    ),
)

# Where messages are, and whose they are where they don't say.
_INPUT_MESSAGES = (
    ("gen_ai.system_instructions", "system"),
    ("gen_ai.input.messages", "user"),
    ("llm.input_messages", "user"),
    ("gen_ai.prompt", "user"),
    ("llm.prompts", "user"),
)
_OUTPUT_MESSAGES = ("gen_ai.output.messages", "llm.output_messages", "gen_ai.completion", "llm.completions")
_TOOLS = ("llm.tools", "gen_ai.tool.definitions", "llm.request.functions")
_PARAMETERS = ("llm.invocation_parameters", "embedding.invocation_parameters")
# What a step that is no model call was given, and what it gave back.
_GIVEN = ("gen_ai.tool.call.arguments", "traceloop.entity.input", "input.value")
_GAVE = ("gen_ai.tool.call.result", "traceloop.entity.output", "output.value")
_VARIABLES = "llm.prompt_template.variables"
_OWN_METADATA = "metadata"
_FINISH_REASONS = "gen_ai.response.finish_reasons"
_FINISH_REASON = ("gen_ai.response.finish_reason", "llm.finish_reason", "llm.response.finish_reason")
_LISTS = (("retrieval.documents", "document", "documents"), ("embedding.embeddings", "embedding", "embeddings"))

# Scope names, and what HoneyHive calls who writes there; else the attributes tell.
_INSTRUMENTORS = (
    ("openinference.", "openinference"),
    ("strands", "aws-strands"),
    ("gcp.vertex.agent", "google-adk"),
)
_INSTRUMENTOR_MARKS = (
    ("openinference.", "openinference"),
    ("traceloop.span", "traceloop"),
    ("llm.request.type", "traceloop"),
    ("gen_ai.", "standardgenai"),
)

# Span events that carry messages: of the semantic conventions before messages were attributes.
_MESSAGE_EVENTS = {f"gen_ai.{role}.message": role for role in ("system", "user", "assistant", "tool")}
_CHOICE_EVENT = "gen_ai.choice"
_ATTRIBUTE_EVENTS = frozenset(
    {"gen_ai.content.prompt", "gen_ai.content.completion", "gen_ai.client.inference.operation.details"}
)
CONSUMED_EVENTS = frozenset({*_MESSAGE_EVENTS, _CHOICE_EVENT, *_ATTRIBUTE_EVENTS})

# ---- Applying them -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Normalised:
    """What attributes come to, by bucket, and which of them that tells fully."""

    buckets: Mapping[str, JsonObject]
    names: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()

    def tells(self, name: str) -> bool:
        """Return whether the buckets say what this attribute says."""
        return name in self.names or (bool(self.prefixes) and name.startswith(self.prefixes))


def normalised(attributes: JsonObject, span_events: Sequence[SpanEvent], scope_name: str) -> Normalised | None:
    """Normalise a span's attributes; None if they follow none of the conventions."""
    if not any(map(_is_marked, attributes)) and not _has_messages(span_events):
        return None
    told = {name: value for event in span_events if event.name in _ATTRIBUTE_EVENTS for name, value in _of(event)}
    pile = _Pile({**told, **attributes})
    _values(pile)
    _finish(pile)
    _parameters(pile)
    has_messages = _messages(pile, span_events)
    _payloads(pile, has_messages=has_messages)
    metadata = pile.buckets["metadata"]
    if (instrumentor := _instrumentor(attributes, scope_name)) is not None:
        metadata["instrumentor"] = instrumentor
    _sums(pile.attributes, metadata)
    return Normalised(cast("Mapping[str, JsonObject]", pile.buckets), frozenset(pile.names), tuple(pile.prefixes))


@functools.lru_cache(10_000)  # clients use the same few names
def _is_marked(name: str) -> bool:
    return name.startswith(_MARKS)


class _Pile:
    """What has been read of a span's attributes so far."""

    def __init__(self, attributes: JsonObject) -> None:
        self.attributes = attributes
        self.buckets: dict[str, dict[str, Json]] = {"config": {}, "inputs": {}, "outputs": {}, "metadata": {}}
        self.names: set[str] = set()
        # Most spans have few of the prefixes that are looked for: their first two parts tell at once.
        self._heads = {_head(name) for name in attributes}
        self.prefixes: list[str] = []

    def first(self, *names: str) -> Json:
        """Take the first attribute that is present, and leave none of the others."""
        found = next((name for name in names if self.attributes.get(name) is not None), None)
        if found is None:
            return None
        self.names.update(names)
        return self.attributes[found]

    def below(self, prefix: str) -> Json:
        """Take everything at a prefix and below it."""
        return self._taken(prefix, self.peek(prefix))

    def thread(self, prefix: str) -> Json:
        """Take what is numbered below a prefix, or all of it in one value; `gen_ai.prompt.name` is neither."""
        found = self.peek(prefix)
        return self._taken(prefix, found) if prefix in self.attributes or as_list(found) else None

    def peek(self, prefix: str) -> Json:
        """Return everything at a prefix and below it, and leave it there."""
        return below(self.attributes, prefix) if _head(prefix) in self._heads else None

    def _taken(self, prefix: str, found: Json) -> Json:
        if found is not None:
            self.names.add(prefix)
            self.prefixes.append(f"{prefix}.")
        return found


def _head(name: str) -> str:
    first, _, rest = name.partition(".")
    return f"{first}.{rest.partition('.')[0]}"


def _values(pile: _Pile) -> None:
    for bucket, key, sources in _RULES:
        value = pile.first(*sources)
        if value is not None:
            pile.buckets[bucket][key] = value


def _finish(pile: _Pile) -> None:
    reasons = as_list(pile.first(_FINISH_REASONS))
    single = pile.first(*_FINISH_REASON)
    if not reasons and single is not None:
        reasons = [single]
    if reasons:
        found: dict[str, Json] = {"finish_reason": reasons[0], "finish_reasons": reasons}
        if "openinference.span.kind" in pile.attributes:
            found["response_finish_reasons"] = reasons
        pile.buckets["metadata"].update(found)


def _parameters(pile: _Pile) -> None:
    """Lay what was asked of the model under what is known of it already."""
    config = pile.buckets["config"]
    for name in _PARAMETERS:
        parameters = as_object(pile.attributes.get(name))
        if parameters:
            pile.names.add(name)
            pile.buckets["config"] = config = {**parameters, **config}
    for prefix in _TOOLS:
        tools = as_list(pile.peek(prefix))
        if tools and "tools" not in config:
            pile.below(prefix)
            config["tools"] = [_tool(tool) for tool in tools]


def _tool(raw: Json) -> Json:
    inner = as_object(as_object(raw).get("tool")).get("json_schema")
    if inner is not None:
        return read_back(inner)
    return {name: read_back(value) for name, value in as_object(raw).items()} or raw


def _messages(pile: _Pile, span_events: Sequence[SpanEvent]) -> bool:
    given: list[Json] = []
    for prefix, role in _INPUT_MESSAGES:
        if role == "system" or not any(as_object(each).get("role") != "system" for each in given):
            given += chat.messages(_unwrapped(pile.thread(prefix), "prompt"), role)
    given = given or [
        chat.message(_content_of(event), _MESSAGE_EVENTS[event.name])
        for event in span_events
        if event.name in _MESSAGE_EVENTS
    ]
    gave = next(filter(None, (_answers(pile, prefix) for prefix in _OUTPUT_MESSAGES)), None) or [
        chat.message(_content_of(event), "assistant") for event in span_events if event.name == _CHOICE_EVENT
    ]
    if given:
        pile.buckets["inputs"]["chat_history"] = given
    if gave:
        answer = as_object(gave[0])
        told: dict[str, Json] = {name: answer[name] for name in ("role", "content", "tool_calls") if answer.get(name)}
        pile.buckets["outputs"].update(told, chat_history=gave)
    return bool(given or gave)


def _answers(pile: _Pile, prefix: str) -> list[Json]:
    return chat.messages(_unwrapped(pile.thread(prefix), "completion"), "assistant")


def _unwrapped(value: Json, name: str) -> Json:
    """Undo OpenInference's `llm.prompts.0.prompt.text`."""
    found = as_list(value)
    texts = [as_object(as_object(each).get(name)).get("text") for each in found]
    return texts if texts and all(text is not None for text in texts) else value


def _payloads(pile: _Pile, *, has_messages: bool) -> None:
    """Take what a step got and gave. Of a model call it is told by the messages, and stays what it was."""
    inputs, outputs = pile.buckets["inputs"], pile.buckets["outputs"]
    inputs.update(as_object(pile.first(_VARIABLES)))
    pile.buckets["metadata"].update(as_object(pile.first(_OWN_METADATA)))
    if not has_messages:
        inputs.update(_payload(pile.first(*_GIVEN)))
        outputs.update(_payload(pile.first(*_GAVE)))
    for prefix, wrapper, key in _LISTS:
        found = as_list(pile.below(prefix))
        if found:
            outputs[key] = [as_object(each).get(wrapper) or each for each in found]


def _payload(value: Json) -> JsonObject:
    if value is None:
        return {}
    value = read_back(value)
    return cast("JsonObject", value) if isinstance(value, dict) else {"value": value}


def _sums(attributes: JsonObject, metadata: dict[str, Json]) -> None:
    if "total_tokens" not in metadata:
        parts = [metadata.get("prompt_tokens"), metadata.get("completion_tokens")]
        numbers = [part for part in parts if countable(part)]
        if numbers:
            metadata["total_tokens"] = sum(numbers)
    costs = [attributes.get(name) for name in ("llm.cost.prompt", "llm.cost.completion")]
    numbers = [cost for cost in costs if countable(cost)]
    if "cost" not in metadata and len(numbers) == len(costs):
        metadata["cost"] = sum(numbers)


def _instrumentor(attributes: JsonObject, scope_name: str) -> str | None:
    by_scope = (name for prefix, name in _INSTRUMENTORS if scope_name.startswith(prefix))
    by_attributes = (
        name for prefix, name in _INSTRUMENTOR_MARKS if any(attribute.startswith(prefix) for attribute in attributes)
    )
    return next(by_scope, None) or next(by_attributes, None)


def _has_messages(span_events: Sequence[SpanEvent]) -> bool:
    return any(event.name in CONSUMED_EVENTS for event in span_events)


def _content_of(event: SpanEvent) -> Json:
    """Return the message of a span event: in its attributes, or as JSON in one of them."""
    return as_object(event.attributes.get("gen_ai.event.content")) or event.attributes


def _of(event: SpanEvent) -> Sequence[tuple[str, Json]]:
    return tuple(event.attributes.items())
