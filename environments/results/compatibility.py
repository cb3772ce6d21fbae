"""The compatibility table: which released SDK lines keep which promise. A pure function of expectations and records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.version import Version

from environments.inside.expectations import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from environments.inside.expectations import Expectation, Where

BEGIN = "<!-- compatibility: `nox -s compatibility` writes this table from tests/integration/expected.toml -->"
END = "<!-- /compatibility -->"
_MARKS = {Kind.KNOWN_DEFECT: "✗", Kind.MISSING_FEATURE: "∅", Kind.FLAKY: "~"}


@dataclass(frozen=True)
class Line:
    """An SDK line, and its cells as expectations ask for them."""

    name: str
    cells: tuple[Where, ...]


def table(expected: Iterable[Expectation], lines: Sequence[Line], records: Iterable[Mapping[str, Any]] = ()) -> str:
    """Return the table in Markdown: a row for each thing that does not hold everywhere, a column for each line.

    With records (as in record.json), a row for each Python says what came out.
    """
    rows = [_row("", [line.name for line in lines]), _row("---", [":-:" for _ in lines])]
    known, entries = list(records), sorted(expected, key=lambda one: list(Kind).index(one.kind))
    for python in sorted({_minor(record) for record in known}, key=Version):
        ran = [_told([r for r in known if (_minor(r), r["sdk"]["line"]) == (python, line.name)]) for line in lines]
        rows.append(_row(f"Python {python}: tests that passed", ran))
    # Alike for people, however many tests show it.
    for reason in dict.fromkeys(one.reason for one in entries):
        alike = [one for one in entries if one.reason == reason]
        rows.append(_row(reason.replace("|", "\\|"), [_mark(alike, line) for line in lines]))
    return "\n".join(rows)


def replaced(document: str, fresh: str) -> str:
    """Return a document with its table replaced. Raises ValueError where it has no place for one."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"there is no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n{fresh}\n{END}{after}"


def _mark(entries: Sequence[Expectation], line: Line) -> str:
    for one in entries:
        held = [one.holds_in(cell) for cell in line.cells]
        if any(held):
            return _MARKS[one.kind] if all(held) else f"({_MARKS[one.kind]})"
    return ""


def _told(records: Sequence[Mapping[str, Any]]) -> str:
    """Say what the newest of a cell's records came to."""
    if not records:
        return ""
    newest = max(records, key=lambda record: str(record["started"]))
    return str(newest["counts"]["passed"]) if newest["outcome"] == "passed" else str(newest["outcome"])


def _minor(record: Mapping[str, Any]) -> str:
    return ".".join(str(record["python"]).split(".")[:2])


def _row(first: str, cells: Iterable[str]) -> str:
    return "| " + " | ".join([first, *cells]) + " |"
