"""What is answered: a pure function of what is asked, so that the same request has the same answer for ever.

- A model that says something exactly says that, whatever else is asked.
- A user's turn, where there are tools, is answered with calls: of the tools that its text names, or of the first one.
  A tool's result is answered with text. `required` calls in any case, `none` in no case, a named tool is the one that
  is called. The arguments are an example of the tool's schema (`examples`).
- JSON is an example of its schema; without a schema, `{"answer": TEXT}`.
- Any other answer is `Reply DIGEST to: TEXT`: the text is the first 64 tokens of the last turn, the digest the first 8
  digits of `Ask.digest`. It differs for every conversation and every choice, and not by sampling settings or seed.

A stop sequence ends a text before it; the limit of tokens ends texts and arguments wherever they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from environments.services.http.json_types import dump
from environments.services.llm import tokens
from environments.services.llm.conversation import Choice, digest
from environments.services.llm.examples import example
from environments.services.llm.http_errors import invalid

if TYPE_CHECKING:
    from environments.services.llm.conversation import Ask, Tool

_ECHOED_TOKENS = 64
_SHOWN_DIGITS = 8


class End(Enum):
    """Why an answer is over."""

    DONE = "done"
    STOP = "stop"
    LIMIT = "limit"
    CALLS = "calls"


@dataclass(frozen=True, slots=True)
class Text:
    """A text, in its tokens."""

    pieces: tuple[str, ...]

    @property
    def text(self) -> str:
        return "".join(self.pieces)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool: its arguments are JSON in tokens, which `is_whole` unless the limit cut it."""

    id: str
    name: str
    pieces: tuple[str, ...]
    is_whole: bool

    @property
    def arguments(self) -> str:
        return "".join(self.pieces)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: a text or calls, why it ended (with which stop sequence), and what it cost."""

    id: str
    text: Text | None
    calls: tuple[ToolCall, ...]
    end: End
    stop: str | None
    tokens: int


def answer(ask: Ask) -> Answer:
    """Return the answer to what is asked."""
    return answers(ask, 1)[0]


def answers(ask: Ask, number: int) -> tuple[Answer, ...]:
    """Return several answers, each with a digest of its own."""
    first = ask.digest()
    called = _called(ask)
    return tuple(_answer(ask, called, digest(f"{first} {index}") if index else first) for index in range(number))


def _answer(ask: Ask, called: tuple[Tool, ...], id_: str) -> Answer:
    return _calls(ask, called, id_) if called else _text(ask, _wording(ask, id_), id_)


def _called(ask: Ask) -> tuple[Tool, ...]:
    """Return the tools to call."""
    offered = [tool for tool in ask.tools if ask.callable_tools is None or tool.name in ask.callable_tools]
    if ask.says is not None or ask.choice is Choice.NONE or not offered:
        return ()
    last = ask.turns[-1]
    if ask.choice is Choice.AUTO and (last.is_result or last.role != "user"):
        return ()
    named = [tool for tool in offered if tool.name in last.text] or offered[:1]
    return tuple(named if ask.in_parallel else named[:1])


def _calls(ask: Ask, called: tuple[Tool, ...], id_: str) -> Answer:
    left = ask.limit
    calls: list[ToolCall] = []
    for number, tool in enumerate(called):
        pieces = tokens.split(dump(example(tool.schema, f"tools.{tool.name}", strictly=False)))
        for_name = tokens.count(tool.name)
        room = None if left is None else left - for_name
        if room is not None and room < 0:
            break
        kept = pieces[:room]
        calls.append(ToolCall(f"{id_}{number:02x}", tool.name, kept, is_whole=len(kept) == len(pieces)))
        left = None if room is None else room - len(kept)
    whole = len(calls) == len(called) and all(call.is_whole for call in calls)
    used = sum(tokens.count(call.name) + len(call.pieces) for call in calls)
    return Answer(id_, None, tuple(calls), End.CALLS if whole else End.LIMIT, None, used)


def _wording(ask: Ask, id_: str) -> str:
    if ask.says is not None:
        return ask.says
    said = f"Reply {id_[:_SHOWN_DIGITS]} to: {tokens.beginning(ask.turns[-1].text, _ECHOED_TOKENS)}"
    if ask.format is None:
        return said
    if ask.format.schema is None:
        return dump({"answer": said})
    return dump(example(ask.format.schema, ask.format.param, strictly=True))


def _text(ask: Ask, wording: str, id_: str) -> Answer:
    everything = tokens.split(wording)
    kept = everything[: ask.limit]
    text = "".join(kept)
    found = [(text.index(stop), stop) for stop in ask.stops if stop in text]
    if found:
        at, stop = min(found)
        kept = tokens.split(text[:at])
        return Answer(id_, Text(kept), (), End.STOP, stop, len(kept))
    end = End.DONE if len(kept) == len(everything) else End.LIMIT
    return Answer(id_, Text(kept), (), end, None, len(kept))


def check_choice(ask: Ask, param: str) -> Ask:
    """Refuse a choice of tools that are not there."""
    names = {tool.name for tool in ask.tools}
    unknown = sorted((ask.callable_tools or frozenset()) - names)
    if unknown:
        raise invalid(f"Tool choice names {unknown[0]!r}, which is not in 'tools'", param)
    if ask.choice is Choice.REQUIRED and not names:
        raise invalid("Tools are required by the tool choice, and there are none", param)
    return ask
