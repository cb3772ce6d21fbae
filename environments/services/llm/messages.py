"""Anthropic's messages and their token counts: https://docs.anthropic.com/en/api/messages."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from environments.services.http.json_types import dump
from environments.services.llm import answering
from environments.services.llm.answering import Answer, End, ToolCall
from environments.services.llm.calls import Call, Event, Reply, Stream, Whole, typed
from environments.services.llm.conversation import Ask, Choice, Format, Tool, Turn
from environments.services.llm.http_errors import anthropic_error, invalid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from environments.services.http.json_types import JsonObject
    from environments.services.llm.fields import Fields
    from environments.services.llm.http_errors import LlmError

# Every parameter of anthropic 2.11; the API refuses any other.
_COUNTED = frozenset(
    [
        "cache_control",
        "messages",
        "model",
        "output_config",
        "output_format",
        "speed",
        "system",
        "thinking",
        "tool_choice",
        "tools",
        "user_profile_id",
        "workspace_id",
    ]
)
_KNOWN = _COUNTED | frozenset(
    [
        "container",
        "diagnostics",
        "inference_geo",
        "max_tokens",
        "metadata",
        "prefill",
        "service_tier",
        "stop_sequences",
        "stream",
        "temperature",
        "top_k",
        "top_p",
    ]
)
_NOT_BUILT = ("container", "diagnostics", "prefill")
_MOST_TOKENS = 1_000_000
_MOST_STOPS = 8192
_IMAGE_BLOCKS = ("image", "document", "search_result")
_SILENT_BLOCKS = ("thinking", "redacted_thinking")
_REASON = {End.DONE: "end_turn", End.STOP: "stop_sequence", End.LIMIT: "max_tokens", End.CALLS: "tool_use"}
_CHOICES = {"auto": Choice.AUTO, "any": Choice.REQUIRED, "tool": Choice.REQUIRED, "none": Choice.NONE}


def create(call: Call) -> Reply:
    """Answer a conversation."""
    sent = call.sent
    sent.only(_KNOWN)
    sent.refuse(*_NOT_BUILT)
    sent.number("temperature", 0, 1)
    sent.number("top_p", 0, 1)
    sent.integer("top_k", 0, _MOST_TOKENS)
    limit = sent.integer("max_tokens", 1, _MOST_TOKENS)
    if limit is None:
        raise sent.missing("max_tokens")
    ask = _ask(sent, call.says, limit, sent.texts("stop_sequences", _MOST_STOPS))
    message = _Message(ask.model, ask.input_tokens, answering.answer(ask))
    return Stream(message.events(), _failing) if sent.flag("stream") else Whole(message.whole())


def count(call: Call) -> Reply:
    """Count what the same conversation would be charged as input."""
    call.sent.only(_COUNTED)
    return Whole({"input_tokens": _ask(call.sent, call.says, None, ()).input_tokens})


def _failing(error: LlmError) -> Event:
    return typed({"type": "error", "error": anthropic_error(error)})


def _ask(sent: Fields, says: str | None, limit: int | None, stops: tuple[str, ...]) -> Ask:
    thinking = sent.object("thinking")
    if thinking is not None and thinking.text("type") not in {"disabled", "adaptive"}:
        raise thinking.wrong("type", "'disabled' or 'adaptive': this service does not think")
    tools = tuple(map(_tool, sent.objects("tools")))
    chosen = sent.object("tool_choice")
    choice, callable_tools = (Choice.AUTO, None) if chosen is None else _choice(chosen)
    ask = Ask(
        model=sent.text("model"),
        turns=(*_system(sent), *_turns(sent)),
        tools=tools,
        choice=choice,
        callable_tools=callable_tools,
        in_parallel=chosen is None or not chosen.flag("disable_parallel_tool_use"),
        format=_format(sent),
        limit=limit,
        stops=stops,
        says=says,
    )
    return answering.check_choice(ask, "tool_choice")


def _system(sent: Fields) -> tuple[Turn, ...]:
    given = sent.value.get("system")
    if given is None:
        return ()
    if isinstance(given, str):
        return (Turn("system", (given,)),)
    return (Turn("system", tuple(_text_of(block) for block in sent.objects("system"))),)


def _text_of(block: Fields) -> str:
    if block.text("type") != "text":
        raise block.wrong("type", "'text'")
    return block.text("text")


def _turns(sent: Fields) -> tuple[Turn, ...]:
    messages = sent.objects("messages")
    if not messages:
        raise sent.missing("messages") if not sent.has("messages") else sent.wrong("messages", "at least one message")
    used: set[str] = set()
    return tuple(_turn(message, used) for message in messages)


def _turn(message: Fields, used: set[str]) -> Turn:
    message.text("role")
    role = message.one_of("role", ("assistant", "system", "user"), "user")
    content = message.value.get("content")
    if isinstance(content, str):
        return Turn(role, (content,))
    if content is None:
        raise message.missing("content")
    read = [_block(block, used) for block in message.objects("content")]
    return Turn(
        role,
        tuple(text for turn in read for text in turn.texts),
        sum(turn.images for turn in read),
        is_result=any(turn.is_result for turn in read),
    )


def _block(block: Fields, used: set[str]) -> Turn:
    """Read one block of a message, as if it were a turn of its own."""
    kind = block.text("type")
    if kind == "text":
        return Turn("", (block.text("text"),))
    if kind == "tool_use":
        used.add(block.text("id"))
        given = block.object("input")
        if given is None:
            raise block.missing("input")
        return Turn("", (block.text("name") + dump(given.value),))
    if kind == "tool_result":
        return _result(block, used)
    if kind in _IMAGE_BLOCKS:
        return Turn("", images=1)
    if kind in _SILENT_BLOCKS:
        return Turn("")
    raise block.wrong("type", "a block that this service knows: text, images, documents, tool use and results")


def _result(block: Fields, used: set[str]) -> Turn:
    if block.text("tool_use_id") not in used:
        raise invalid(
            f"unexpected 'tool_use_id' found in 'tool_result' blocks: {block.text('tool_use_id')}. Each 'tool_result' "
            "block must have a corresponding 'tool_use' block before it",
            block.at("tool_use_id"),
        )
    content = block.value.get("content")
    if content is None or isinstance(content, str):
        return Turn("", (content or "",), is_result=True)
    parts = [_block(part, used) for part in block.objects("content")]
    texts = tuple(text for part in parts for text in part.texts)
    return Turn("", texts, sum(part.images for part in parts), is_result=True)


def _tool(tool: Fields) -> Tool:
    if tool.one_of("type", ("custom",), "custom") and (schema := tool.object("input_schema")) is not None:
        said = {name: tool.value[name] for name in ("name", "description", "input_schema") if tool.has(name)}
        return Tool(tool.text("name"), {"type": "object", **schema.value}, dump(said))
    raise tool.missing("input_schema")


def _choice(chosen: Fields) -> tuple[Choice, frozenset[str] | None]:
    chosen.text("type")
    kind = chosen.one_of("type", _CHOICES, "auto")
    return _CHOICES[kind], frozenset({chosen.text("name")}) if kind == "tool" else None


def _format(sent: Fields) -> Format | None:
    config = sent.object("output_config")
    # `output_format` is what it was called before it had left beta.
    wanted = sent.object("output_format") or (None if config is None else config.object("format"))
    if wanted is None:
        return None
    if wanted.text("type") != "json_schema":
        raise wanted.wrong("type", "'json_schema'")
    schema = wanted.object("schema")
    if schema is None:
        raise wanted.missing("schema")
    return Format(schema.value, schema.path)


@dataclass(frozen=True, slots=True)
class _Message:
    """The answer, as a whole or in events."""

    model: str
    input_tokens: int
    answer: Answer

    def whole(self) -> JsonObject:
        answer = self.answer
        text = [] if answer.text is None else [{"type": "text", "text": answer.text.text}]
        return {
            **self._head(),
            "content": [*text, *(_tool_use(call, _input(call)) for call in answer.calls)],
            "stop_reason": _REASON[answer.end],
            "stop_sequence": answer.stop,
            "usage": self._usage(answer.tokens),
        }

    def events(self) -> Iterator[Event]:
        begun: JsonObject = {**self._head(), "content": [], "stop_reason": None, "stop_sequence": None}
        yield typed({"type": "message_start", "message": {**begun, "usage": self._usage(0)}})
        yield typed({"type": "ping"})
        if self.answer.text is not None:
            deltas = ({"type": "text_delta", "text": piece} for piece in self.answer.text.pieces)
            yield from _block_events(0, {"type": "text", "text": ""}, deltas)
        for index, call in enumerate(self.answer.calls):
            parts = ({"type": "input_json_delta", "partial_json": piece} for piece in call.pieces)
            yield from _block_events(index, _tool_use(call, {}), parts)
        ended: JsonObject = {"stop_reason": _REASON[self.answer.end], "stop_sequence": self.answer.stop}
        yield typed({"type": "message_delta", "delta": ended, "usage": {"output_tokens": self.answer.tokens}})
        yield typed({"type": "message_stop"})

    def _head(self) -> JsonObject:
        return {"id": f"msg_{self.answer.id}", "type": "message", "role": "assistant", "model": self.model}

    def _usage(self, output_tokens: int) -> JsonObject:
        return {
            "input_tokens": self.input_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": output_tokens,
            "service_tier": "standard",
        }


def _block_events(index: int, begun: JsonObject, deltas: Iterator[JsonObject]) -> Iterator[Event]:
    yield typed({"type": "content_block_start", "index": index, "content_block": begun})
    for delta in deltas:
        yield typed({"type": "content_block_delta", "index": index, "delta": delta})
    yield typed({"type": "content_block_stop", "index": index})


def _tool_use(call: ToolCall, given: JsonObject) -> JsonObject:
    return {"type": "tool_use", "id": f"toolu_{call.id}", "name": call.name, "input": given}


def _input(call: ToolCall) -> JsonObject:
    """Return what a tool is called with; nothing where the limit of tokens cut it (inferred)."""
    given: JsonObject = json.loads(call.arguments) if call.is_whole else {}
    return given
