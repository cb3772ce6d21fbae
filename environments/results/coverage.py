"""What of the SDK the tests reach: coverage's reports of several cells, merged. A pure function of their JSON.

Importing the SDK runs every module of it, so a line that ran says little: a module is reached when a function of it
ran.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

REPORT = "coverage.json"


@dataclass(frozen=True)
class Module:
    """One module of the SDK: how many statements it has and how many ran in some cell; its functions, too."""

    name: str
    statements: int
    ran: int
    functions: int
    functions_ran: int

    @property
    def reached(self) -> bool:
        return self.functions == 0 or self.functions_ran > 0


def merged(reports: Iterable[Mapping[str, Any]]) -> tuple[Module, ...]:
    """Merge reports as `coverage json` writes them: what ran in one cell ran."""
    lines: dict[str, set[int]] = {}
    executed: dict[str, set[int]] = {}
    functions: dict[str, dict[str, bool]] = {}
    for report in reports:
        for path, told in report["files"].items():
            module = _module(path)
            lines.setdefault(module, set()).update(told["executed_lines"], told["missing_lines"])
            executed.setdefault(module, set()).update(told["executed_lines"])
            known = functions.setdefault(module, {})
            for name, one in told.get("functions", {}).items():
                # The nameless one is the module itself; one without a statement (a protocol's) cannot run.
                if name and one["summary"]["num_statements"]:
                    known[name] = known.get(name, False) or bool(one["executed_lines"])
    return tuple(
        Module(name, len(lines[name]), len(executed[name]), len(functions[name]), sum(functions[name].values()))
        for name in sorted(lines)
    )


def _module(path: str) -> str:
    """Return the dotted name of a file, wherever its venv is."""
    inside = path.replace("\\", "/").rpartition("site-packages/")[2]
    return inside.removesuffix(".py").removesuffix("/__init__").strip("/").replace("/", ".")


def told(modules: Iterable[Module]) -> list[str]:
    """Return the summary, and the modules that no test reaches, largest first, a line each."""
    known = list(modules)
    unreached = sorted((one for one in known if not one.reached), key=lambda one: (-one.statements, one.name))
    statements, ran = sum(one.statements for one in known), sum(one.ran for one in known)
    functions, functions_ran = sum(one.functions for one in known), sum(one.functions_ran for one in known)
    ran_of = f"{_share(ran, statements)} of {statements} statements"
    return [
        f"{ran_of} and {_share(functions_ran, functions)} of {functions} functions, in {len(known)} modules",
        f"{len(unreached)} modules of which no test runs a function:",
        *(f"  {one.name} ({one.functions} functions, {one.statements} statements)" for one in unreached),
    ]


def _share(some: int, of: int) -> str:
    return f"{100 * some / of:.0f} %" if of else "none"
