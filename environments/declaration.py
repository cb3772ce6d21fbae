"""The declaration: reads `[tool.matrix]` of pyproject.toml. Pure.

Whatever is wrong in it is a MatrixConfigError that names the place and the nearest valid word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from environments.errors import MatrixConfigError, nearest
from environments.matrix import CellSet, Environment, Limits, Matrix, SdkLine, lines_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from environments.matrix import Release

_PLACE = "[tool.matrix] in pyproject.toml"
# Each with the least that it may be.
_NUMBERS = {"cool-down-days": 0, "cell-time-limit-s": 1, "test-time-limit-s": 1}
_KEYS = ("pythons", "oldest-line", "environments", "sets", *_NUMBERS)
_SET_KEYS = ("python", "sdk", "environment")


def parse(table: Mapping[str, Any], releases: Sequence[Release]) -> Matrix:
    """Build the matrix from `[tool.matrix]`, as TOML reads it, and the releases of the SDK.

    Raises MatrixConfigError that names the place and the nearest valid word.
    """
    _refuse_unknown(_table(table, _PLACE), _KEYS, _PLACE)
    for key in _KEYS:
        if key not in table:
            raise MatrixConfigError(f"{_PLACE} has no {key!r}", remedy=f"add {key} to it")
    pythons = _pythons(table["pythons"], f"{_PLACE}, pythons")
    environments = _environments(table["environments"], f"{_PLACE}, environments")
    lines = lines_of(releases, _version(table["oldest-line"], f"{_PLACE}, oldest-line"))
    if not any(not Version(line.version).is_prerelease for line in lines):
        raise MatrixConfigError(
            f"there is no release of honeyhive from {table['oldest-line']} on in environments/releases.json",
            remedy="run `nox -s releases`, or lower oldest-line in pyproject.toml",
        )
    axes = _Axes(tuple(sorted(pythons, key=Version)), lines, environments)
    numbers = [_number(table[key], f"{_PLACE}, {key}", least) for key, least in _NUMBERS.items()]
    sets = tuple(axes.choose(name, choice) for name, choice in _table(table["sets"], f"{_PLACE}, sets").items())
    return Matrix(axes.pythons, tuple(releases), lines, environments, sets, Limits(*numbers))


@dataclass(frozen=True)
class _Axes:
    pythons: tuple[str, ...]
    lines: tuple[SdkLine, ...]
    environments: tuple[Environment, ...]

    def choose(self, name: str, choice: Mapping[str, Any]) -> CellSet:
        place = f"[tool.matrix.sets.{name}] in pyproject.toml"
        _refuse_unknown(_table(choice, place), _SET_KEYS, place)
        released = [line for line in self.lines if not Version(line.version).is_prerelease]
        sdks = {line.name: line.name for line in self.lines}
        pythons = {python: python for python in self.pythons}
        environments = self.environments
        if "environment" in choice:
            environments = _environments(choice["environment"], f"{place}, environment")
        return CellSet(
            name,
            _chosen(
                choice.get("python"),
                pythons,
                {**pythons, "oldest": self.pythons[0], "newest": self.pythons[-1]},
                f"{place}, python",
            ),
            _chosen(
                choice.get("sdk"),
                {line.name: line.version for line in self.lines},
                {**sdks, "oldest": released[0].name, "newest": released[-1].name},
                f"{place}, sdk",
            ),
            frozenset(environments),
        )


def _chosen(choice: object, versions: Mapping[str, str], words: Mapping[str, str], place: str) -> frozenset[str]:
    """Return the axis values that a choice (a word, a specifier, or a list of them) takes; None takes all."""
    if choice is None:
        return frozenset(versions)
    chosen: set[str] = set()
    for item in _list(choice, place):
        word = _word(item, place)
        if word in words:
            chosen.add(words[word])
            continue
        try:
            specifier = SpecifierSet(word)
        except InvalidSpecifier:
            raise MatrixConfigError(
                f"{place}: {word!r} is no version specifier and no word of this axis{nearest(word, words)}",
                expected=f'a specifier such as ">=1.4", or one of {", ".join(words)}',
                remedy="correct it",
            ) from None
        chosen |= {name for name, version in versions.items() if specifier.contains(version, prereleases=True)}
    if not chosen:
        raise MatrixConfigError(
            f"{place}: {choice!r} chooses nothing",
            expected=f"something that takes one of {', '.join(versions)}",
            remedy="correct it, or remove the set",
        )
    return frozenset(chosen)


def _pythons(value: object, place: str) -> tuple[str, ...]:
    words = _distinct_words(value, place)
    for word in words:
        # The names of cells, and `requires-python`, are held against minor versions.
        if not re.fullmatch(r"[1-9][0-9]*\.(0|[1-9][0-9]*)", word):
            raise MatrixConfigError(
                f"{place}: {word!r} is no minor version of Python", expected='one such as "3.12"', remedy="correct it"
            )
    return words


def _environments(value: object, place: str) -> tuple[Environment, ...]:
    known = [environment.value for environment in Environment]
    words = _distinct_words(value, place)
    for word in words:
        if word not in known:
            raise MatrixConfigError(
                f"{place}: there is no environment {word!r}{nearest(word, known)}",
                expected=f"one of {', '.join(known)}",
                remedy="correct it",
            )
    return tuple(Environment(word) for word in words)


def _refuse_unknown(table: Mapping[str, Any], known: Sequence[str], place: str) -> None:
    for key in table:
        if key not in known:
            raise MatrixConfigError(
                f"{place}: there is no key {key!r}{nearest(key, known)}",
                expected=f"one of {', '.join(known)}",
                remedy="correct or remove it",
            )


def _table(value: object, place: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise MatrixConfigError(f"{place}: {value!r} is no table", remedy="write it as key = value pairs")
    return value


def _distinct_words(value: object, place: str) -> tuple[str, ...]:
    words = tuple(_word(item, place) for item in _list(value, place))
    for word in words:
        # A cell that stood there twice would be two sessions of one name.
        if words.count(word) > 1:
            raise MatrixConfigError(f"{place}: {word!r} stands there twice", remedy="remove one of them")
    return words


def _list(value: object, place: str) -> list[object]:
    """Return a non-empty list; a single word stands for a list of one."""
    items = list(value) if isinstance(value, list) else [value]
    if not items:
        raise MatrixConfigError(f"{place} is empty", expected="at least one value", remedy="fill or remove it")
    return items


def _word(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise MatrixConfigError(f"{place}: {value!r} is no text", remedy=f'write it in quotes: "{value}"')
    return value


def _version(value: object, place: str) -> str:
    word = _word(value, place)
    try:
        Version(word)
    except InvalidVersion:
        raise MatrixConfigError(
            f"{place}: {word!r} is no version", expected='a version such as "1.4"', remedy="correct it"
        ) from None
    return word


def _number(value: object, place: str, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise MatrixConfigError(
            f"{place}: {value!r} is no number", expected=f"a whole number, {least} or more", remedy="correct it"
        )
    return value
