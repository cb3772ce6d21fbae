"""The compatibility table: `nox -s compatibility` writes README's, and prints it with what the newest records say."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from environments import project
from environments.errors import MatrixConfigError, exit_on_error
from environments.inside import expectations
from environments.inside.expectations import Where
from environments.matrix import Environment, SdkLine
from environments.results import compatibility
from environments.results.compatibility import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

README = project.ROOT / "README.md"


def declared() -> tuple[tuple[expectations.Expectation, ...], list[Line]]:
    """Read expected.toml, and the lines with their development cells. Raises MatrixConfigError."""
    try:
        expected = expectations.parse((project.SUITE / expectations.FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MatrixConfigError(str(error), remedy=f"correct {expectations.FILE}") from None
    cells: dict[str, list[Where]] = {}
    matrix = project.load_matrix()
    for cell in matrix.plan().cells:
        if cell.environment is Environment.DEVELOPMENT and isinstance(cell.sdk, SdkLine):
            where = Where(cell.sdk.version, cell.python, cell.environment.value, cell.resolution.value)
            cells.setdefault(cell.sdk.name, []).append(where)
    return expected, [Line(line.name, tuple(cells.get(line.name, ()))) for line in matrix.lines]


def _records() -> Iterator[dict[str, Any]]:
    """Yield the records of whole development cells that are here."""
    for path in sorted(project.RESULTS.glob("*/*/record.json")):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            if record["environment"] == Environment.DEVELOPMENT and not record["arguments"]:
                yield record
        except (OSError, ValueError, LookupError, TypeError):
            continue  # of another schema, or half of one


@exit_on_error
def main() -> int:
    """Write README's table, and print it with the records that are here."""
    expected, lines = declared()
    before = README.read_text(encoding="utf-8")
    after = compatibility.replaced(before, compatibility.table(expected, lines))
    README.write_text(after, encoding="utf-8")
    print(compatibility.table(expected, lines, _records()))
    print(f"\nREADME.md: {'as it was' if after == before else 'its table is written anew'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
