"""The expectations: what tests/integration/expected.toml says of tests that do not simply pass. Pure.

An `Expectation` names tests (all of a cell with `*`), the cells that it holds in, what is expected, why, who looks
after it, and until when. Whatever is wrong in the file is an `ExpectationError` that names the entry and the nearest
word.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

FILE = "expected.toml"
WHOLE_CELL = "*"
ENVIRONMENTS = ("development", "staging", "production")
RESOLUTIONS = ("highest", "lowest")

_REQUIRED = ("test", "kind", "reason", "reference", "owner", "expires")
_OPTIONAL = ("sdk", "python", "environment", "resolution", "failure")


class ExpectationError(ValueError):
    """An entry that cannot be read: which, what was expected there, and what to do."""

    def __init__(self, place: str, happened: str, *, remedy: str) -> None:
        super().__init__(f"{place}: {happened}\n  what to do: {remedy}")


class Kind(StrEnum):
    """What is expected of a test. See the head of expected.toml."""

    KNOWN_DEFECT = "known-defect"
    MISSING_FEATURE = "missing-feature"
    FLAKY = "flaky"


@dataclass(frozen=True)
class Where:
    """A cell, as far as an expectation asks. `sdk` is a version, `python` a minor version."""

    sdk: str
    python: str
    environment: str
    resolution: str


@dataclass(frozen=True)
class Expectation:
    """One entry. `failure` is a part of what a failure says; another failure is none that was expected."""

    test: str
    kind: Kind
    reason: str
    reference: str
    owner: str
    expires: dt.date
    sdk: SpecifierSet
    python: SpecifierSet
    environments: tuple[str, ...]
    resolutions: tuple[str, ...]
    failure: str

    @property
    def whole_cell(self) -> bool:
        return self.test == WHOLE_CELL

    @property
    def title(self) -> str:
        """How the entry is named to people: they find it by the test, and by the releases where there are several."""
        return f"{self.test}{f' of sdk {self.sdk}' if str(self.sdk) else ''}"

    def holds_in(self, cell: Where) -> bool:
        """Return whether the entry is about this cell."""
        return (
            self.sdk.contains(cell.sdk, prereleases=True)
            and self.python.contains(cell.python, prereleases=True)
            and cell.environment in self.environments
            and cell.resolution in self.resolutions
        )

    def names(self, test: str) -> bool:
        """Return whether the entry is about the test of this id. Without a `[…]` it is about every parameter."""
        # Not fnmatch: the brackets of a parameter are no character class.
        pattern = ".*".join(re.escape(part) for part in self.test.split("*"))
        without_parameter = test.partition("[")[0]
        return any(re.fullmatch(pattern, name) for name in (test, without_parameter))

    def expired(self, today: dt.date) -> bool:
        """Return whether it is time to look at this entry again."""
        return today > self.expires


def find(holding: Iterable[Expectation], test: str) -> Expectation | None:
    """Return what is expected of a test, of what holds in its cell: its own entry goes before one of the whole cell."""
    found = [one for one in holding if one.names(test)]
    return min(found, key=lambda one: one.whole_cell, default=None)


def parse(text: str) -> tuple[Expectation, ...]:
    """Read expected.toml. Raises ExpectationError."""
    try:
        written = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ExpectationError(FILE, f"is no TOML: {error}", remedy="correct it") from None
    _refuse_unknown(written, ("teams", "expected"), FILE)
    teams, entries = written.get("teams", []), written.get("expected", [])
    if not isinstance(teams, list) or not all(isinstance(team, str) for team in teams):
        raise ExpectationError(FILE, "teams is no list of names", remedy='write it as teams = ["sdk"]')
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ExpectationError(FILE, "expected is no list of tables", remedy="begin each entry with [[expected]]")
    return tuple(_Entry(number, entry).read(teams) for number, entry in enumerate(entries, start=1))


class _Entry:
    """One entry as it is written."""

    def __init__(self, number: int, written: Mapping[str, Any]) -> None:
        named = f" ({written['test']})" if isinstance(written.get("test"), str) else ""
        self._place = f"{FILE}, entry {number}{named}"
        self._written = written

    def read(self, teams: Sequence[str]) -> Expectation:
        _refuse_unknown(self._written, (*_REQUIRED, *_OPTIONAL), self._place)
        for key in _REQUIRED:
            if key not in self._written:
                raise self._wrong(f"there is no {key!r}", remedy=f"add {key} to it")
        kind = Kind(self._one_of("kind", [kind.value for kind in Kind]))
        failure = self._text("failure") if "failure" in self._written else ""
        # A test that must fail would else hide whatever else goes wrong in it.
        if (kind is Kind.KNOWN_DEFECT) != bool(failure) and kind is not Kind.FLAKY:
            needs = "needs" if kind is Kind.KNOWN_DEFECT else "is not run and has no"
            raise self._wrong(
                f"a {kind} {needs} 'failure', a part of what its failure says", remedy="add it, or remove it"
            )
        return Expectation(
            test=self._text("test"),
            kind=kind,
            reason=self._text("reason"),
            reference=self._text("reference"),
            owner=self._one_of("owner", teams),
            expires=self._date("expires"),
            sdk=self._specifier("sdk"),
            python=self._specifier("python"),
            environments=self._some_of("environment", ENVIRONMENTS),
            resolutions=self._some_of("resolution", RESOLUTIONS),
            failure=failure,
        )

    def _text(self, key: str) -> str:
        value = self._written[key]
        if not isinstance(value, str) or not value.strip():
            raise self._wrong(f"{key} is no text: {value!r}", remedy="write it in quotes")
        return value

    def _one_of(self, key: str, known: Sequence[str]) -> str:
        return self._known(key, self._written[key], known)

    def _some_of(self, key: str, known: Sequence[str]) -> tuple[str, ...]:
        value = self._written.get(key, list(known))
        return tuple(self._known(key, word, known) for word in (value if isinstance(value, list) else [value]))

    def _known(self, key: str, word: object, known: Sequence[str]) -> str:
        if word not in known:
            raise self._wrong(
                f"{key} is {word!r}{_nearest(str(word), known)}", remedy=f"write one of {', '.join(known)}"
            )
        return str(word)

    def _date(self, key: str) -> dt.date:
        value = self._written[key]
        if not isinstance(value, dt.date) or isinstance(value, dt.datetime):
            raise self._wrong(f"{key} is no day: {value!r}", remedy="write it without quotes: 2027-01-31")
        return value

    def _specifier(self, key: str) -> SpecifierSet:
        try:
            return SpecifierSet(self._written.get(key, ""))
        except (InvalidSpecifier, TypeError, AttributeError):
            raise self._wrong(
                f"{key} is no version specifier: {self._written[key]!r}", remedy='write one such as "<1.2"'
            ) from None

    def _wrong(self, happened: str, *, remedy: str) -> ExpectationError:
        return ExpectationError(self._place, happened, remedy=remedy)


def _refuse_unknown(table: Mapping[str, Any], known: Sequence[str], place: str) -> None:
    for key in table:
        if key not in known:
            raise ExpectationError(
                place, f"there is no key {key!r}{_nearest(key, known)}", remedy=f"write one of {', '.join(known)}"
            )


def _nearest(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
