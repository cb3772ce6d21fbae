"""What is asked, whichever family asks it: the turns of a conversation, tools, a format, limits.

How its tokens are counted: those of all texts (tools, calls and schemas as compact JSON), one for each turn's role,
and 64 for each part that is no text, such as an image.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from environments.services.http.json_types import dump
from environments.services.llm import tokens

if TYPE_CHECKING:
    from environments.services.http.json_types import Json, JsonObject

_TOKENS_OF_A_ROLE = 1
_TOKENS_OF_AN_IMAGE = 64


def digest(text: str) -> str:
    """Return 24 hexadecimal digits that follow from a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message: who speaks, what is said. `is_result` where a tool answers."""

    role: str
    texts: tuple[str, ...] = ()
    images: int = 0
    is_result: bool = False

    @property
    def text(self) -> str:
        return "\n".join(self.texts)


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that may be called, the schema of its arguments, and all that was said of it."""

    name: str
    schema: JsonObject
    said: str


class Choice(Enum):
    """Whether tools are called."""

    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Format:
    """What the text of an answer must be: any JSON object, or what a schema allows."""

    schema: JsonObject | None
    param: str


@dataclass(frozen=True, slots=True)
class Ask:
    """A request for an answer."""

    model: str
    turns: tuple[Turn, ...]
    tools: tuple[Tool, ...] = ()
    choice: Choice = Choice.AUTO
    # The only tools that may be called, by name; None: all.
    callable_tools: frozenset[str] | None = None
    in_parallel: bool = True
    format: Format | None = None
    limit: int | None = None
    stops: tuple[str, ...] = ()
    # What the model's name says that the answer is.
    says: str | None = None

    @property
    def input_tokens(self) -> int:
        turns = sum(_TOKENS_OF_A_ROLE + _TOKENS_OF_AN_IMAGE * turn.images for turn in self.turns)
        texts = sum(tokens.count(text) for turn in self.turns for text in turn.texts)
        tools = sum(tokens.count(tool.said) for tool in self.tools)
        schema = tokens.count(dump(self.format.schema)) if self.format and self.format.schema is not None else 0
        return turns + texts + tools + schema

    def digest(self) -> str:
        """Return 24 hexadecimal digits that differ where model, turns, tools or format do."""
        turns: Json = [[turn.role, turn.texts, turn.images] for turn in self.turns]
        form = None if self.format is None else self.format.schema
        asked: Json = [self.model, turns, [tool.said for tool in self.tools], self.format is not None, form]
        return digest(dump(asked))
