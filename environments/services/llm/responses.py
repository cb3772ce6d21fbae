"""OpenAI's responses: https://platform.openai.com/docs/api-reference/responses.

This service keeps nothing: `store` is answered with false, and what builds on a stored response is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from environments.services.http.json_types import dump
from environments.services.llm import answering
from environments.services.llm.answering import Answer, End, ToolCall
from environments.services.llm.calls import Call, Event, Reply, Stream, Whole, typed
from environments.services.llm.chat import json_mode
from environments.services.llm.conversation import Ask, Choice, Format, Tool, Turn
from environments.services.llm.http_errors import invalid, openai_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from environments.services.http.json_types import Json, JsonObject
    from environments.services.llm.fields import Fields
    from environments.services.llm.http_errors import LlmError

# Every parameter of openai 3.54; the API refuses any other.
_KNOWN = frozenset(
    [
        "access_programs",
        "background",
        "background_options",
        "context_management",
        "conversation",
        "image",
        "include",
        "input",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "metadata",
        "model",
        "moderation",
        "parallel_tool_calls",
        "previous_response_id",
        "prompt",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning",
        "safety_identifier",
        "service_tier",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "truncation",
        "user",
    ]
)
_NOT_BUILT = ("background", "conversation", "context_management", "moderation", "previous_response_id", "prompt")
_MOST_TOKENS = 1_000_000
_TEXT_PARTS = {"input_text": "text", "output_text": "text", "refusal": "refusal"}
_OTHER_PARTS = ("input_image", "input_file", "input_audio")


def respond(call: Call) -> Reply:
    """Answer an input."""
    sent = call.sent
    sent.only(_KNOWN)
    sent.refuse(*_NOT_BUILT)
    if sent.list("include"):
        raise sent.wrong("include", "nothing: this service has none of it")
    ask = _ask(sent, call.says)
    response = _Response(sent.value, call.now_s, ask, ask.input_tokens, answering.answer(ask))
    if sent.flag("stream"):
        return Stream(response.events(), _failing)
    return Whole(response.whole())


def _failing(error: LlmError) -> Event:
    told = openai_error(error)
    # Its place in the stream is not known here: inferred, the SDK reads any number.
    return typed(
        {"type": "error", "code": told["code"] or told["type"], "message": error.message, "param": None}
        | {"sequence_number": 0}
    )


def _ask(sent: Fields, says: str | None) -> Ask:
    sent.number("temperature", 0, 2)
    sent.number("top_p", 0, 1)
    for name in ("reasoning", "metadata", "stream_options"):
        sent.object(name)
    turns = _turns(sent)
    tools = tuple(map(_tool, sent.objects("tools")))
    choice, callable_tools = _choice(sent)
    ask = Ask(
        model=sent.text("model"),
        turns=turns,
        tools=tools,
        choice=choice,
        callable_tools=callable_tools,
        in_parallel=sent.flag("parallel_tool_calls", default=True),
        format=_format(sent, turns),
        limit=sent.integer("max_output_tokens", 1, _MOST_TOKENS),
        says=says,
    )
    return answering.check_choice(ask, "tool_choice")


def _turns(sent: Fields) -> tuple[Turn, ...]:
    instructions = sent.optional_text("instructions")
    before = () if instructions is None else (Turn("developer", (instructions,)),)
    given = sent.value.get("input")
    if isinstance(given, str):
        return (*before, Turn("user", (given,)))
    items = sent.objects("input")
    if not items:
        raise sent.missing("input")
    called: set[str] = set()
    return (*before, *(_turn(item, called) for item in items))


def _turn(item: Fields, called: set[str]) -> Turn:
    kind = item.optional_text("type") or "message"
    if kind not in _ITEMS:
        raise item.wrong("type", "one of " + ", ".join(map(repr, _ITEMS)))
    return _ITEMS[kind](item, called)


def _message(item: Fields, _called: set[str]) -> Turn:
    item.text("role")
    role = item.one_of("role", ("assistant", "developer", "system", "user"), "user")
    texts, images = _content(item, "content")
    return Turn(role, texts, images)


def _content(item: Fields, name: str) -> tuple[tuple[str, ...], int]:
    """Return the texts of an item, and how many parts are none."""
    content = item.value.get(name)
    if isinstance(content, str):
        return (content,), 0
    if content is None:
        raise item.missing(name)
    texts, images = [], 0
    for part in item.objects(name):
        part.text("type")
        kind = part.one_of("type", (*_TEXT_PARTS, *_OTHER_PARTS), "")
        if kind in _TEXT_PARTS:
            texts.append(part.text(_TEXT_PARTS[kind]))
        else:
            images += 1
    return tuple(texts), images


def _function_call(item: Fields, called: set[str]) -> Turn:
    called.add(item.text("call_id"))
    return Turn("assistant", (f"{item.text('name')}{item.text('arguments')}",))


def _function_result(item: Fields, called: set[str]) -> Turn:
    call_id = item.text("call_id")
    if call_id not in called:
        raise invalid(f"No tool call found for function call output with call_id {call_id}.", "input")
    texts, images = _content(item, "output")
    return Turn("tool", texts, images, is_result=True)


def _reasoning(_item: Fields, _called: set[str]) -> Turn:
    return Turn("assistant")


_ITEMS: dict[str, Callable[[Fields, set[str]], Turn]] = {
    "message": _message,
    "function_call": _function_call,
    "function_call_output": _function_result,
    "reasoning": _reasoning,
}


def _tool(tool: Fields) -> Tool:
    if tool.text("type") != "function":
        raise tool.wrong("type", "'function': this service has no other tools")
    parameters = tool.object("parameters")
    schema: JsonObject = {"type": "object"} if parameters is None else {"type": "object", **parameters.value}
    said = {name: tool.value[name] for name in ("name", "description", "parameters") if tool.has(name)}
    return Tool(tool.text("name"), schema, dump(said))


def _choice(sent: Fields) -> tuple[Choice, frozenset[str] | None]:
    given = sent.value.get("tool_choice")
    if given is None or isinstance(given, str):
        return Choice(sent.one_of("tool_choice", [each.value for each in Choice], "auto")), None
    chosen = sent.object("tool_choice")
    if chosen is None or chosen.text("type") not in {"function", "allowed_tools"}:
        raise sent.wrong("tool_choice.type", "'function' or 'allowed_tools'")
    if chosen.text("type") == "function":
        return Choice.REQUIRED, frozenset({chosen.text("name")})
    mode = Choice(chosen.one_of("mode", ("auto", "required"), "auto"))
    return mode, frozenset(tool.text("name") for tool in chosen.objects("tools"))


def _format(sent: Fields, turns: tuple[Turn, ...]) -> Format | None:
    text = sent.object("text")
    wanted = None if text is None else text.object("format")
    if wanted is None:
        return None
    wanted.text("type")
    kind = wanted.one_of("type", ("text", "json_object", "json_schema"), "")
    if kind == "json_object":
        return json_mode(turns, "input")
    if kind == "text":
        return None
    wanted.text("name")
    schema = wanted.object("schema")
    if schema is None:
        raise wanted.missing("schema")
    return Format(schema.value, schema.path)


@dataclass(frozen=True, slots=True)
class _Response:
    """The answer, as a whole or in events."""

    sent: JsonObject = field(repr=False)
    now_s: int
    ask: Ask
    input_tokens: int
    answer: Answer

    def whole(self) -> JsonObject:
        output = list(self._items())
        cut = self.answer.end is End.LIMIT
        return {
            **self._head(),
            "status": "incomplete" if cut else "completed",
            "completed_at": None if cut else self.now_s,
            "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
            "output": output,
            "usage": self._usage(),
        }

    def events(self) -> Iterator[Event]:
        begun: JsonObject = {**self._head(), "status": "in_progress", "output": [], "usage": None}
        for number, data in enumerate(self._steps(begun)):
            yield typed({**data, "sequence_number": number})

    def _steps(self, begun: JsonObject) -> Iterator[JsonObject]:
        yield {"type": "response.created", "response": begun}
        yield {"type": "response.in_progress", "response": begun}
        if self.answer.text is not None:
            yield from self._text_steps(self.answer.text.pieces)
        for index, call in enumerate(self.answer.calls):
            yield from _call_steps(call, index, self._call(call))
        end = "response.incomplete" if self.answer.end is End.LIMIT else "response.completed"
        yield {"type": end, "response": self.whole()}

    def _text_steps(self, pieces: tuple[str, ...]) -> Iterator[JsonObject]:
        item, text = self._message("".join(pieces)), "".join(pieces)
        where: JsonObject = {"item_id": item["id"], "output_index": 0, "content_index": 0}
        started: JsonObject = {**item, "status": "in_progress", "content": []}
        yield {"type": "response.output_item.added", "output_index": 0, "item": started}
        yield {"type": "response.content_part.added", **where, "part": _part("")}
        for piece in pieces:
            yield {"type": "response.output_text.delta", **where, "delta": piece, "logprobs": []}
        yield {"type": "response.output_text.done", **where, "text": text, "logprobs": []}
        yield {"type": "response.content_part.done", **where, "part": _part(text)}
        yield {"type": "response.output_item.done", "output_index": 0, "item": item}

    def _items(self) -> Iterator[JsonObject]:
        if self.answer.text is not None:
            yield self._message(self.answer.text.text)
        yield from map(self._call, self.answer.calls)

    def _message(self, text: str) -> JsonObject:
        return {
            "id": f"msg_{self.answer.id}",
            "type": "message",
            "role": "assistant",
            "status": "incomplete" if self.answer.end is End.LIMIT else "completed",
            "content": [_part(text)],
        }

    def _call(self, call: ToolCall) -> JsonObject:
        return {
            "id": f"fc_{call.id}",
            "type": "function_call",
            "status": "completed" if call.is_whole else "incomplete",
            "call_id": f"call_{call.id}",
            "name": call.name,
            "arguments": call.arguments,
        }

    def _head(self) -> JsonObject:
        sent = self.sent
        given: JsonObject = {
            "instructions": sent.get("instructions"),
            "max_output_tokens": sent.get("max_output_tokens"),
            "metadata": sent.get("metadata") or {},
            "parallel_tool_calls": self.ask.in_parallel,
            "reasoning": sent.get("reasoning") or {"effort": None, "summary": None},
            "temperature": 1.0 if sent.get("temperature") is None else sent["temperature"],
            "text": sent.get("text") or {"format": {"type": "text"}},
            "tool_choice": sent.get("tool_choice") or "auto",
            "tools": sent.get("tools") or [],
            "top_p": 1.0 if sent.get("top_p") is None else sent["top_p"],
            "truncation": sent.get("truncation") or "disabled",
            "user": sent.get("user"),
        }
        return {
            "id": f"resp_{self.answer.id}",
            "object": "response",
            "created_at": self.now_s,
            "model": self.ask.model,
            "error": None,
            "incomplete_details": None,
            "background": False,
            "previous_response_id": None,
            "service_tier": "default",
            "store": False,
            **given,
        }

    def _usage(self) -> JsonObject:
        given, made = self.input_tokens, self.answer.tokens
        return {
            "input_tokens": given,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": made,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": given + made,
        }


def _call_steps(call: ToolCall, index: int, item: JsonObject) -> Iterator[JsonObject]:
    where: JsonObject = {"item_id": item["id"], "output_index": index}
    begun: Json = {**item, "status": "in_progress", "arguments": ""}
    yield {"type": "response.output_item.added", "output_index": index, "item": begun}
    for piece in call.pieces:
        yield {"type": "response.function_call_arguments.delta", **where, "delta": piece}
    done: JsonObject = {"type": "response.function_call_arguments.done", **where, "name": call.name}
    yield {**done, "arguments": call.arguments}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _part(text: str) -> JsonObject:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
