"""OpenAI's chat completions: https://platform.openai.com/docs/api-reference/chat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from environments.services.http.json_types import dump
from environments.services.llm import answering
from environments.services.llm.answering import Answer, End
from environments.services.llm.calls import Call, Event, Reply, Stream, Whole
from environments.services.llm.conversation import Ask, Choice, Format, Tool, Turn
from environments.services.llm.http_errors import invalid, openai_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from environments.services.http.json_types import Json, JsonObject
    from environments.services.llm.fields import Fields
    from environments.services.llm.http_errors import LlmError

# Every parameter of openai 3.54; the API refuses any other.
_KNOWN = frozenset(
    [
        "audio",
        "frequency_penalty",
        "function_call",
        "functions",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "metadata",
        "modalities",
        "model",
        "moderation",
        "n",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning_effort",
        "response_format",
        "safety_identifier",
        "seed",
        "service_tier",
        "stop",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "user",
        "verbosity",
        "web_search_options",
    ]
)
_NOT_BUILT = ("audio", "function_call", "functions", "logprobs", "moderation", "prediction", "web_search_options")
_ROLES = ("assistant", "developer", "system", "tool", "user")
_IMAGE_PARTS = ("image_url", "input_audio", "file")
_MOST_CHOICES = 128
_MOST_STOPS = 4
_MOST_TOKENS = 1_000_000
_FINISH = {End.DONE: "stop", End.STOP: "stop", End.LIMIT: "length", End.CALLS: "tool_calls"}


def complete(call: Call) -> Reply:
    """Answer a conversation, with as many choices as are asked for."""
    sent = call.sent
    sent.only(_KNOWN)
    sent.refuse(*_NOT_BUILT)
    if any(each != "text" for each in sent.list("modalities")):
        raise sent.wrong("modalities", "['text']: this service has no audio")
    ask = _ask(sent, call.says)
    answers = answering.answers(ask, sent.integer("n", 1, _MOST_CHOICES) or 1)
    completion = _Completion(call.now_s, ask.model, ask.input_tokens, answers)
    options = sent.object("stream_options")
    if sent.flag("stream"):
        with_usage = options is not None and options.flag("include_usage")
        return Stream(completion.events(with_usage=with_usage), _failing)
    if options is not None:
        raise invalid("'stream_options' is only allowed when 'stream' is true", "stream_options")
    return Whole(completion.whole())


def _failing(error: LlmError) -> Event:
    return Event(None, dump({"error": openai_error(error)}))


def _ask(sent: Fields, says: str | None) -> Ask:
    for name, least, most in (
        ("temperature", 0, 2),
        ("top_p", 0, 1),
        ("frequency_penalty", -2, 2),
        ("presence_penalty", -2, 2),
    ):
        sent.number(name, least, most)
    sent.integer("seed", -(2**63), 2**63 - 1)
    limits = [sent.integer(name, 1, _MOST_TOKENS) for name in ("max_completion_tokens", "max_tokens")]
    turns = _turns(sent)
    tools = tuple(map(_tool, sent.objects("tools")))
    choice, callable_tools = _choice(sent, tools)
    ask = Ask(
        model=sent.text("model"),
        turns=turns,
        tools=tools,
        choice=choice,
        callable_tools=callable_tools,
        in_parallel=sent.flag("parallel_tool_calls", default=True),
        format=_format(sent, turns),
        limit=next((limit for limit in limits if limit is not None), None),
        stops=sent.texts("stop", _MOST_STOPS),
        says=says,
    )
    return answering.check_choice(ask, "tool_choice")


def _turns(sent: Fields) -> tuple[Turn, ...]:
    messages = sent.objects("messages")
    if not messages:
        raise sent.missing("messages") if not sent.has("messages") else sent.wrong("messages", "at least one message")
    called: set[str] = set()
    return tuple(_turn(message, called) for message in messages)


def _turn(message: Fields, called: set[str]) -> Turn:
    role = message.text("role")
    if role not in _ROLES:
        raise message.wrong("role", "one of " + ", ".join(map(repr, _ROLES)))
    calls = message.objects("tool_calls") if role == "assistant" else ()
    texts, images = _content(message, is_optional=bool(calls) or message.has("refusal"))
    said = [_called(each, called) for each in calls]
    if role == "tool" and message.text("tool_call_id") not in called:
        raise invalid(
            "messages with role 'tool' must be a response to a preceding message with 'tool_calls'", message.path
        )
    return Turn(role, (*texts, *said), images, is_result=role == "tool")


def _called(call: Fields, called: set[str]) -> str:
    """Note the id of an earlier call, and return what was called."""
    called.add(call.text("id"))
    function = call.object("function")
    if function is None:
        raise call.missing("function")
    return f"{function.text('name')}{function.text('arguments')}"


def _content(message: Fields, *, is_optional: bool) -> tuple[tuple[str, ...], int]:
    """Return the texts of a message, and how many parts are none."""
    content = message.value.get("content")
    if isinstance(content, str):
        return (content,), 0
    parts = message.objects("content")
    if not parts and not is_optional:
        raise message.missing("content") if content is None else message.wrong("content", "at least one part")
    texts = []
    for part in parts:
        kind = part.one_of("type", ("text", "refusal", *_IMAGE_PARTS), "")
        if kind in {"text", "refusal"}:
            texts.append(part.text(kind))
        elif part.object(kind) is None:
            raise part.missing(kind or "type")
    return tuple(texts), len(parts) - len(texts)


def _tool(tool: Fields) -> Tool:
    if tool.text("type") != "function":
        raise tool.wrong("type", "'function': this service has no other tools")
    function = tool.object("function")
    if function is None:
        raise tool.missing("function")
    parameters = function.object("parameters")
    schema: JsonObject = {"type": "object"} if parameters is None else {"type": "object", **parameters.value}
    return Tool(function.text("name"), schema, dump(function.value))


def _choice(sent: Fields, tools: tuple[Tool, ...]) -> tuple[Choice, frozenset[str] | None]:
    given = sent.value.get("tool_choice")
    if given is not None and not tools:
        raise invalid("'tool_choice' is only allowed when 'tools' are specified", "tool_choice")
    if given is None or isinstance(given, str):
        return Choice(sent.one_of("tool_choice", [each.value for each in Choice], "auto")), None
    chosen = sent.object("tool_choice")
    if chosen is None or chosen.text("type") not in {"function", "allowed_tools"}:
        raise sent.wrong("tool_choice.type", "'function' or 'allowed_tools'")
    named = chosen.object(chosen.text("type"))
    if named is None:
        raise chosen.missing(chosen.text("type"))
    if chosen.text("type") == "function":
        return Choice.REQUIRED, frozenset({named.text("name")})
    return Choice(named.one_of("mode", ("auto", "required"), "auto")), _allowed(named)


def _allowed(named: Fields) -> frozenset[str]:
    functions = [(tool, tool.object("function")) for tool in named.objects("tools")]
    for tool, function in functions:
        if function is None:
            raise tool.missing("function")
    return frozenset(function.text("name") for _, function in functions if function is not None)


def _format(sent: Fields, turns: tuple[Turn, ...]) -> Format | None:
    wanted = sent.object("response_format")
    if wanted is None:
        return None
    kind = wanted.one_of("type", ("text", "json_object", "json_schema"), "")
    if kind == "json_object":
        return json_mode(turns, "messages")
    if kind == "text":
        return None
    described = wanted.object("json_schema")
    if described is None:
        raise wanted.missing("json_schema" if kind else "type")
    described.text("name")
    schema = described.object("schema")
    if schema is None:
        raise described.missing("schema")
    return Format(schema.value, schema.path)


def json_mode(turns: tuple[Turn, ...], param: str) -> Format:
    """Return the format of any JSON object, which OpenAI allows only where the request itself speaks of JSON."""
    if not any("json" in turn.text.lower() for turn in turns):
        raise invalid(
            f"'{param}' must contain the word 'json' in some form, to use the format of type 'json_object'", param
        )
    return Format(None, param)


@dataclass(frozen=True, slots=True)
class _Completion:
    """The answers, as a whole or in chunks."""

    now_s: int
    model: str
    input_tokens: int
    answers: tuple[Answer, ...]

    def whole(self) -> JsonObject:
        choices = [
            {
                "index": index,
                "message": _message(answer),
                "logprobs": None,
                "finish_reason": _FINISH[answer.end],
            }
            for index, answer in enumerate(self.answers)
        ]
        return {**self._head("chat.completion"), "choices": choices, "usage": self._usage()}

    def events(self, *, with_usage: bool) -> Iterator[Event]:
        no_usage: JsonObject = {"usage": None} if with_usage else {}
        head = {**self._head("chat.completion.chunk"), **no_usage}
        for index, answer in enumerate(self.answers):
            for delta, finish in _deltas(answer):
                choice: Json = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
                yield Event(None, dump({**head, "choices": [choice]}))
        if with_usage:
            yield Event(None, dump({**head, "choices": [], "usage": self._usage()}))
        yield Event(None, "[DONE]")

    def _head(self, kind: str) -> JsonObject:
        return {
            "id": f"chatcmpl-{self.answers[0].id}",
            "object": kind,
            "created": self.now_s,
            "model": self.model,
            "service_tier": "default",
            "system_fingerprint": None,
        }

    def _usage(self) -> JsonObject:
        prompt, completion = self.input_tokens, sum(answer.tokens for answer in self.answers)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }


def _message(answer: Answer) -> JsonObject:
    message: JsonObject = {
        "role": "assistant",
        "content": None if answer.text is None else answer.text.text,
        "refusal": None,
        "annotations": [],
    }
    calls: Json = [
        {"id": f"call_{call.id}", "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in answer.calls
    ]
    return {**message, "tool_calls": calls} if calls else message


def _deltas(answer: Answer) -> Iterator[tuple[JsonObject, str | None]]:
    """Yield what each chunk adds, and why the last one is the last."""
    yield {"role": "assistant", "content": None if answer.text is None else "", "refusal": None}, None
    for piece in answer.text.pieces if answer.text else ():
        yield {"content": piece}, None
    for index, call in enumerate(answer.calls):
        function: JsonObject = {"name": call.name, "arguments": ""}
        begun: Json = {"index": index, "id": f"call_{call.id}", "type": "function", "function": function}
        yield {"tool_calls": [begun]}, None
        for piece in call.pieces:
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}, None
    yield {}, _FINISH[answer.end]
