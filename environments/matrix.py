"""The matrix: axes -> plan -> cells. Pure: names, tags, sets and exclusions, and no I/O.

A `Matrix` is what pyproject.toml declares (`environments.declaration` reads it); `Matrix.plan` expands it to `Cell`s. A
cell's name serves nox, logs and folders; its `identity` serves records, history and the gate.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from environments.errors import UnknownCell, UsageError, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence


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
