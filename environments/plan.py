"""The plan on paper: what would run, what is excluded and why, and what this machine has. `nox -s plan` runs this."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from environments import project
from environments.errors import InterpreterMissing, exit_on_error
from environments.results import record
from environments.venvs import interpreters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.table import Table

    from environments.matrix import Cell, Environment, Matrix, Plan


def found_interpreters(pythons: tuple[str, ...]) -> dict[str, str | None]:
    """Return the full version of each Python that this machine has, and None for each that it lacks."""
    found: dict[str, str | None] = {}
    for python in pythons:
        try:
            found[python] = interpreters.find(python).version
        except InterpreterMissing:
            found[python] = None
    return found


def longest_first(cells: tuple[Cell, ...], costs: Mapping[str, float]) -> tuple[Cell, ...]:
    """Order cells so that a long one is not left for the end; one that was never measured may be the longest."""
    return tuple(sorted(cells, key=lambda cell: -costs.get(cell.name, float("inf"))))


def to_json(plan: Plan, here: Mapping[str, str | None], costs: Mapping[str, float]) -> str:
    """Return the text of plan.json: what records are held against. Costs are seconds."""
    written: dict[str, Any] = {
        "schema": 1,
        "cells": [
            {
                "name": cell.name,
                "python": cell.python,
                "sdk": {"line": cell.sdk.identity, "version": cell.sdk.version},
                "environment": cell.environment,
                "resolution": cell.resolution,
                "tags": cell.tags,
                "expected_cost_s": costs.get(cell.name),
                "interpreter": here.get(cell.python),
            }
            for cell in plan.cells
        ],
        "exclusions": [{"name": exclusion.name, "reason": exclusion.reason} for exclusion in plan.exclusions],
    }
    return json.dumps(written, indent=1) + "\n"


def _grid(matrix: Matrix, plan: Plan, environment: Environment, here: Mapping[str, str | None]) -> Table:
    from rich.table import Table

    table = Table(title=f"[bold]{environment}", title_justify="left")
    table.add_column("honeyhive")
    for python in matrix.pythons:
        table.add_column(f"{python}\n[dim]{here[python] or 'not here'}", justify="center")
    planned = {(cell.sdk.version, cell.python) for cell in plan.cells if cell.environment is environment}
    marks = {True: "●", False: "○"}
    for line in reversed(matrix.lines):
        row = [marks[bool(here[p])] if (line.version, p) in planned else "" for p in matrix.pythons]
        if any(row):
            table.add_row(line.version, *row)
    return table


@exit_on_error
def main() -> int:
    """Print the plan and write plan.json."""
    from rich.console import Console

    parser = argparse.ArgumentParser(prog="nox -s plan --", description="Print the plan and write plan.json.")
    parser.add_argument("--set", metavar="NAME", help="only the cells of this set")
    arguments = parser.parse_args()
    matrix = project.load_matrix()
    plan = matrix.plan(arguments.set)
    here = found_interpreters(matrix.pythons)
    console = Console()
    for environment in matrix.environments:
        if any(cell.environment is environment for cell in plan.cells):
            console.print(_grid(matrix, plan, environment, here))
    for exclusion in plan.exclusions:
        console.print(f"excluded: {exclusion.name}: {exclusion.reason}")
    absent = sum(here[cell.python] is None for cell in plan.cells)
    console.print(
        f"{len(plan.cells)} cells, {len(plan.exclusions)} excluded; ● can run here, ○ lacks its Python ({absent})"
    )
    console.print(f"sets: {', '.join(cell_set.name for cell_set in matrix.sets)}")
    try:
        Path("plan.json").write_text(to_json(plan, here, record.costs(project.RESULTS)), encoding="utf-8")
    except OSError as error:
        raise project.unwritable(Path("plan.json"), error) from None
    console.print("written: plan.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
