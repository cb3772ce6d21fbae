"""Chat messages of the three conventions, in the one format that HoneyHive shows: OpenAI's. Pure.

OpenInference nests `message.role`, `message.contents[].message_content` and `message.tool_calls[].tool_call`;
OpenTelemetry GenAI has `parts` of types; Traceloop has flat `role`, `content` and `tool_calls[].name`. The target is
what the public attribute registry says of `honeyhive.inputs.chat_history`. Inferred: several parts of text are one
text, and pictures and other parts stay parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from environments.services.honeyhive.ingestion.nesting import as_list, as_object, read_back
from environments.services.http.json_types import Json, JsonObject, dump

if TYPE_CHECKING:
    from collections.abc import Iterable

# Tuples: what is looked up here may be anything, and not everything hashes.
_CALLS = ("tool_call", "tool_use")
_RESPONSES = ("tool_call_response", "tool_result")


def messages(value: Json, role: str) -> list[Json]:
    """Read messages, however they are written; `role` is whose they are where they don't say."""
    found = as_list(value)
    if not found and value not in (None, "", {}, []):
        found = [read_back(value)]
    return [message(each, role) for each in found]


def message(raw: Json, role: str) -> JsonObject:
    """Read one message."""
    if not isinstance(raw, dict):
        return {"role": role, "content": raw}
    body = as_object(raw.get("message")) or raw
    parts = [as_object(part) for part in as_list(body.get("parts") or body.get("contents"))]
    written: dict[str, Json] = {"role": body.get("role") or role, "content": _content(body, parts)}
    calls = _tool_calls(body, parts)
    if calls:
        written["tool_calls"] = calls
    answered = body.get("tool_call_id") or next((_first(part, "id") for part in parts if _is(part, _RESPONSES)), None)
    if answered:
        written["tool_call_id"] = answered
    if body.get("name"):
        written["name"] = body["name"]
    return written


def _content(body: JsonObject, parts: list[JsonObject]) -> Json:
    if body.get("content") is not None:
        return read_back(body["content"])
    told = [_part(part) for part in parts if not _is(part, _CALLS)]
    texts = [part["text"] for part in told if part.keys() == {"type", "text"}]
    if len(texts) < len(told):
        return told
    return "\n".join(text if isinstance(text, str) else dump(text) for text in texts)


def _part(part: JsonObject) -> JsonObject:
    inner = as_object(part.get("message_content")) or part
    if _is(part, _RESPONSES):
        return {"type": "text", "text": _first(part, "response", "result", "content")}
    text = inner.get("text") if inner.get("text") is not None else inner.get("content")
    if text is not None and inner.get("type", "text") == "text":
        return {"type": "text", "text": text}
    return inner


def _tool_calls(body: JsonObject, parts: Iterable[JsonObject]) -> list[Json]:
    given = as_list(body.get("tool_calls")) or [part for part in parts if _is(part, _CALLS)]
    return [_tool_call(as_object(call)) for call in given]


def _tool_call(raw: JsonObject) -> JsonObject:
    call = as_object(raw.get("tool_call")) or raw
    function = as_object(call.get("function")) or call
    arguments = _first(function, "arguments", "input")
    text = arguments if isinstance(arguments, str) else dump(arguments if arguments is not None else {})
    return {"id": call.get("id"), "type": "function", "function": {"name": function.get("name"), "arguments": text}}


def _is(part: JsonObject, types: tuple[str, ...]) -> bool:
    inner = as_object(part.get("message_content")) or part
    return inner.get("type") in types


def _first(holder: JsonObject, *names: str) -> Json:
    return next((holder[name] for name in names if holder.get(name) is not None), None)
