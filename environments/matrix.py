"""The matrix: axes -> plan -> cells. Pure: names, tags, sets and exclusions, and no I/O.

`parse` turns `[tool.matrix]` and the list of releases into a `Matrix`, the declaration; `Matrix.plan` expands it to
`Cell`s. A cell's name serves nox, logs and folders; its `identity` serves records, history and the gate.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from environments.errors import MatrixConfigError, UnknownCell, UsageError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Environment(StrEnum):
    """A HoneyHive deployment."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"


class Resolution(StrEnum):
    """How a cell's dependencies were chosen."""

    HIGHEST = "highest"


@dataclass(frozen=True)
class Release:
    """One release of the SDK, as the package index lists it.

    `uploaded` is UTC in ISO 8601; `sha256` is of its wheel.
    """

    version: str
    requires_python: str
    uploaded: str
    yanked: bool
    sha256: str


@dataclass(frozen=True)
class SdkLine:
    """One minor series of the SDK, pinned to its newest release; or the newest prerelease, named in full."""

    name: str
    release: Release

    @property
    def version(self) -> str:
        return self.release.version

    @property
    def identity(self) -> str:
        return self.name


@dataclass(frozen=True)
class Candidate:
    """An SDK under test that is no line. `requirement` is what an installer is told; `origin` is for people."""

    origin: str
    requirement: str
    sha256: str
    requires_python: str
    version: str

    @property
    def identity(self) -> str:
        return f"sha256:{self.sha256}"


@dataclass(frozen=True)
class Cell:
    """One point of the matrix."""

    name: str
    python: str
    sdk: SdkLine | Candidate
    environment: Environment
    resolution: Resolution
    tags: tuple[str, ...]

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What records and the gate know this cell by; a name may move to the next release, this does not."""
        return (self.python, self.sdk.identity, self.environment.value, self.resolution.value)

    @property
    def title(self) -> str:
        return f"honeyhive {self.sdk.version} on Python {self.python} against {self.environment}"


@dataclass(frozen=True)
class Exclusion:
    """A point of the matrix that cannot be a cell, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """Every cell that should run, and every one excluded; what records are held against."""

    cells: tuple[Cell, ...]
    exclusions: tuple[Exclusion, ...]


@dataclass(frozen=True)
class CellSet:
    """A named choice of cells: the values of each axis that belong to it."""

    name: str
    pythons: frozenset[str]
    sdks: frozenset[str]
    environments: frozenset[Environment]

    def __contains__(self, cell: Cell) -> bool:
        # A candidate stands where the newest line would: it belongs to every set of its Python and environment.
        sdk_chosen = isinstance(cell.sdk, Candidate) or cell.sdk.name in self.sdks
        return sdk_chosen and cell.python in self.pythons and cell.environment in self.environments


@dataclass(frozen=True)
class Limits:
    """What bounds a cell. Seconds and days."""

    cool_down_days: int
    cell_time_limit_s: int
    test_time_limit_s: int


@dataclass(frozen=True)
class Matrix:
    """The declaration: the axes and the sets, before they are expanded to cells."""

    pythons: tuple[str, ...]
    releases: tuple[Release, ...]
    lines: tuple[SdkLine, ...]
    environments: tuple[Environment, ...]
    sets: tuple[CellSet, ...]
    limits: Limits

    @property
    def newest(self) -> SdkLine:
        """The newest released line: the one that a name without `-sdk…` means."""
        return next(line for line in reversed(self.lines) if not Version(line.version).is_prerelease)

    def plan(self, set_name: str | None = None) -> Plan:
        """Expand the axes to every cell, or to those of one set."""
        points = [
            (python, line, environment)
            for environment in self.environments
            for python in self.pythons
            for line in reversed(self.lines)
        ]
        chosen = None if set_name is None else self.find_set(set_name)
        cells: list[Cell] = []
        exclusions: list[Exclusion] = []
        for python, line, environment in points:
            cell = self.cell(python, line, environment)
            if chosen is not None and cell not in chosen:
                continue
            reason = why_excluded(python, line.release.requires_python, f"honeyhive {line.version}")
            if reason:
                exclusions.append(Exclusion(cell.name, reason))
            else:
                cells.append(cell)
        return Plan(tuple(cells), tuple(exclusions))

    def cell(self, python: str, sdk: SdkLine | Candidate, environment: Environment) -> Cell:
        """Name and tag one point of the matrix."""
        name = f"integration-{python}-{environment}"
        tags = [environment.value, f"py{python}"]
        if isinstance(sdk, Candidate):
            name, tags = f"{name}-candidate", [*tags, "candidate"]
        else:
            name += "" if sdk == self.newest else f"-sdk{sdk.name}"
            tags += [f"sdk{sdk.name}"]
            tags += ["newest"] if sdk == self.newest else []
            tags += ["oldest"] if sdk == self.lines[0] else []
        bare = Cell(name, python, sdk, environment, Resolution.HIGHEST, ())
        in_sets = [cell_set.name for cell_set in self.sets if bare in cell_set and cell_set.name not in tags]
        return Cell(name, python, sdk, environment, Resolution.HIGHEST, (*tags, *in_sets))

    def find_cell(self, name: str) -> Cell:
        """Return the cell of this name.

        Raises UnknownCell with the nearest name, or with the reason where the name is of an excluded cell.
        """
        plan = self.plan()
        for cell in plan.cells:
            if cell.name == name:
                return cell
        for exclusion in plan.exclusions:
            if exclusion.name == name:
                raise UnknownCell(
                    f"{name} is excluded: {exclusion.reason}",
                    remedy="choose another Python or SDK line; `nox -s plan` lists the cells",
                )
        raise UnknownCell(
            f"there is no cell {name!r}{nearest(name, [cell.name for cell in plan.cells])}",
            expected="integration-<python>-<environment>[-sdk<line>]",
            remedy="`nox -s plan` lists the cells",
        )

    def find_set(self, name: str) -> CellSet:
        """Return the set of this name. Raises UsageError with the nearest name."""
        for cell_set in self.sets:
            if cell_set.name == name:
                return cell_set
        known = [cell_set.name for cell_set in self.sets]
        raise UsageError(
            f"there is no set {name!r}{nearest(name, known)}",
            expected=f"one of {', '.join(known)}",
            remedy="name one of them, or add it as [tool.matrix.sets.<name>] in pyproject.toml",
        )


def why_excluded(python: str, requires_python: str, what: str) -> str | None:
    """Return why `what` cannot run on this Python, or None where it can."""
    # The axis names minor versions: a line runs on one if its first or its newest conceivable patch release is allowed.
    allowed = SpecifierSet(requires_python)
    if any(allowed.contains(f"{python}.{patch}", prereleases=True) for patch in (0, 999)):
        return None
    return f"{what} requires Python {requires_python}"


def lines_of(releases: Sequence[Release], oldest: str) -> tuple[SdkLine, ...]:
    """Return the SDK lines, oldest first.

    The newest release of each minor series from `oldest` on, yanked ones left out, and the newest prerelease where it
    is newer than all of them.
    """
    usable = sorted((r for r in releases if not r.yanked), key=lambda release: Version(release.version))
    newest_of: dict[str, Release] = {}
    for release in usable:
        version = Version(release.version)
        if not version.is_prerelease and version >= Version(oldest):
            newest_of[f"{version.major}.{version.minor}"] = release
    lines = [SdkLine(name, release) for name, release in newest_of.items()]
    if usable and lines and Version(usable[-1].version) > Version(lines[-1].version):
        lines.append(SdkLine(usable[-1].version, usable[-1]))
    return tuple(lines)


# ---- Reading the declaration ---------------------------------------------------------------------------

_PLACE = "[tool.matrix] in pyproject.toml"
_NUMBERS = ("cool-down-days", "cell-time-limit-s", "test-time-limit-s")
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
    numbers = [_number(table[key], f"{_PLACE}, {key}") for key in _NUMBERS]
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
        sdk_words = {line.name: line.name for line in self.lines}
        python_words = {python: python for python in self.pythons}
        environments = self.environments
        if "environment" in choice:
            environments = _environments(choice["environment"], f"{place}, environment")
        return CellSet(
            name,
            _chosen(
                choice.get("python"),
                {python: python for python in self.pythons},
                {**python_words, "oldest": self.pythons[0], "newest": self.pythons[-1]},
                f"{place}, python",
            ),
            _chosen(
                choice.get("sdk"),
                {line.name: line.version for line in self.lines},
                {**sdk_words, "oldest": released[0].name, "newest": released[-1].name},
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


def _number(value: object, place: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise MatrixConfigError(
            f"{place}: {value!r} is no number", expected="a whole number, 0 or more", remedy="correct it"
        )
    return value
