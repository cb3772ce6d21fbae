"""Places: where variables may stand, and what stands there. Everything that is read, is read here.

pydantic-settings ships sources for the same places, with the same precedence, but they forget where a value came from,
pour all .env files into one before they choose among the names of a setting (so that a name in `.env` beats its
synonym in `.env.staging`), take blanks for a value, and skip a line of a .env file that they cannot parse.

Values are `SecretStr` from the moment they are read, all of them: a URL can hold a password.
"""

from __future__ import annotations

import io
import os
import re
import select
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from dotenv import dotenv_values
from dotenv.parser import parse_stream
from pydantic import SecretStr

from environments.errors import InvalidSetting, UnknownVariable, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

PROCESS = "the process environment"
SECRETS = ".secrets/"
_PIPE_WITHIN_S = 3

# What some release of the SDK reads, or documents. Accepted wherever it stands, and never read here.
SDK_VARIABLES = frozenset(
    {
        "HH_API_KEY",
        "HH_API_TIMEOUT",
        "HH_API_URL",
        "HH_BATCH_SIZE",
        "HH_CP_API_URL",
        "HH_DATA_PLANE_API_KEY",
        "HH_DISABLE_BATCH",
        "HH_DISABLE_TRACING",
        "HH_EXPORT_TIMEOUT_SECONDS",
        "HH_FLUSH_INTERVAL",
        "HH_INGESTION_API_KEY",
        "HH_MAX_RETRIES",
        "HH_OTLP_ENABLED",
        "HH_OTLP_ENDPOINT",
        "HH_OTLP_HEADERS",
        "HH_OTLP_PROTOCOL",
        "HH_PROJECT",
        "HH_SERVER_URL",
        "HH_SESSION_NAME",
        "HH_SOURCE",
        "HH_TEST_MODE",
        "HH_TIMEOUT",
        "HH_VERBOSE",
    }
)

# A key pasted where a name belongs must not be shown as one: HoneyHive's keys start with hh_ too.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
_PLAIN_NAME = re.compile(r"[A-Z_]+[0-9]{0,2}|[a-z_]+[0-9]{0,2}")


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere variables may stand, and those that stand there with a value."""

    label: str
    # Under upper-case names: case is no part of a name, as in pydantic-settings.
    values: Mapping[str, SecretStr] = field(repr=False)
    # The same names as they are spelled there.
    spelled: Mapping[str, str] = field(repr=False)
    # Why this place cannot be used as it is. It names no value.
    problems: tuple[str, ...] = ()

    @classmethod
    def of(cls, label: str, raw: Mapping[str, str | None], problems: Iterable[str] = ()) -> Place:
        """Make a place of what was read: blank is unset, and HH_X beats hh_x where both stand."""
        stripped = {name: (raw[name] or "").strip() for name in sorted(raw, reverse=True)}
        spelled = {name.upper(): name for name, value in stripped.items() if value}
        values = {name: SecretStr(stripped[spelling]) for name, spelling in spelled.items()}
        return cls(label, MappingProxyType(values), MappingProxyType(spelled), tuple(problems))

    def only(self, *variables: str) -> Place:
        """Return this place with nothing but these variables in it."""
        kept = {name: value for name, value in self.values.items() if name in variables}
        return Place(self.label, MappingProxyType(kept), self.spelled, self.problems)

    def first(self, variables: Iterable[str]) -> str | None:
        """Return the first of these names that stands here."""
        return next((name for name in variables if name in self.values), None)


def process_environment() -> Place:
    """Read the environment of this process."""
    return Place.of(PROCESS, os.environ)


def env_file(path: Path) -> Place:
    """Read a .env file; one that is not there holds nothing."""
    # A pipe is how some password managers serve a .env file: it can be read only once. A folder is a virtualenv.
    if not (path.is_file() or path.is_fifo()):
        return Place.of(path.name, {})
    try:
        text = _from_pipe(path) if path.is_fifo() else path.read_text(encoding="utf-8")
    except (OSError, UnicodeError):
        return Place.of(path.name, {}, [f"{path.name} cannot be read as UTF-8 text"])
    lines = [
        binding.original.line + _leading_lines(binding.original.string)
        for binding in parse_stream(io.StringIO(text))
        if binding.error or (binding.key is not None and binding.value is None)
    ]
    if lines:
        return Place.of(path.name, {}, [f"{path.name}, line {line}, is not NAME=value" for line in lines])
    return Place.of(path.name, dotenv_values(stream=io.StringIO(text)))


def _from_pipe(path: Path) -> str:
    """Read a named pipe to its end. One that nobody writes to in time is an error, not a wait without end."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as pipe:
        if not select.select([pipe], [], [], _PIPE_WITHIN_S)[0]:
            raise TimeoutError
        os.set_blocking(descriptor, True)
        return pipe.read().decode()


def _leading_lines(statement: str) -> int:
    """Count the blank lines before a statement; the parser reports them as part of it."""
    return statement[: len(statement) - len(statement.lstrip())].count("\n")


def secrets_folder(folder: Path, known: frozenset[str]) -> Place:
    """Read the files of a folder that are named like variables; a folder that is not there holds nothing."""
    if not folder.exists():
        return Place.of(SECRETS, {})
    try:
        paths = sorted(path for path in folder.iterdir() if _variable_like(path.name, known))
    except OSError:
        return Place.of(SECRETS, {}, [f"{SECRETS} is no folder that can be read"])
    raw: dict[str, str | None] = {}
    problems = []
    for path in paths:
        try:
            raw[path.name] = _secret_file(path)
        except (OSError, UnicodeError, RuntimeError):
            name = _showable(path.name, known) or "a file that is not named here"
            problems.append(f"{SECRETS}: {name} is no UTF-8 text file that lies inside the folder and can be read")
    return Place.of(SECRETS, raw, problems)


def _variable_like(name: str, known: frozenset[str]) -> bool:
    return name.upper() in known or name.upper().startswith("HH_")


def _secret_file(path: Path) -> str:
    # A link is how secrets are mounted into containers; one that leads out of the folder is none of those.
    if path.parent.resolve() not in path.resolve().parents:
        raise OSError
    return path.read_text(encoding="utf-8")


def refuse_problems(places: Iterable[Place]) -> None:
    """Raise where a place could not be read. Kept apart from reading, so that no traceback passes through a value."""
    problems = [problem for place in places for problem in place.problems]
    if problems:
        raise InvalidSetting(
            "\n".join(problems),
            expected="UTF-8 text: NAME=value lines in a .env file, one value per file in a secrets folder",
            remedy="correct it there; what it says is not shown, because it may be a secret",
        )


def refuse_unknown(places: Iterable[Place], known: frozenset[str]) -> None:
    """Raise where a place holds an HH_ name that nothing reads: it is a slip, and would be silently ignored."""
    # Worded at once: the names themselves, one of which may be a pasted key, stay out of what a traceback can show.
    unknown = [
        _unknown(place.spelled[name], place.label, known)
        for place in places
        for name in sorted(place.values)
        if name.startswith("HH_") and name not in known
    ]
    if unknown:
        raise UnknownVariable(
            "\n".join(unknown),
            expected="of the names that start with HH_, only those in the README's table and those the SDK reads",
            remedy="correct the name there, or remove it",
        )


def _unknown(name: str, label: str, known: frozenset[str]) -> str:
    if name.upper() == "HH_BASE_URL":
        return (
            f"{name}, in {label}, is in the guide, but no release of the SDK reads it: for the SDK that is HH_API_URL,"
            " and for this project HH_DEV_BASE_URL or HH_STAGING_BASE_URL"
        )
    if not (shown := _showable(name, known)):
        return f"a name in {label} that starts with HH_ is none that anything reads; it is not shown: it may be a key"
    return f"{shown}, in {label}, is none that anything reads{nearest(shown, known)}"


def _showable(name: str, known: frozenset[str]) -> str:
    """Return a name that is surely one, or nothing."""
    plain = _NAME.fullmatch(name) and (_PLAIN_NAME.fullmatch(name) or nearest(name, known))
    return name if plain else ""
