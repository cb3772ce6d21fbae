from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from environments.results.coverage import Module, merged, told

SITE = "/venvs/{}/lib/python{}/site-packages/honeyhive/"


def function(*executed: int, statements: int = 2) -> dict[str, Any]:
    return {"executed_lines": list(executed), "summary": {"num_statements": statements}}


def file(executed: list[int], missing: list[int], **functions: dict[str, Any]) -> dict[str, Any]:
    return {"executed_lines": executed, "missing_lines": missing, "functions": {"": function(1), **functions}}


def report(python: str, **files: dict[str, Any]) -> dict[str, Any]:
    return {"files": {f"{SITE.format('ab', python)}{name}.py": one for name, one in files.items()}}


def test_what_ran_in_one_cell_ran_wherever_its_venv_is() -> None:
    one = report("3.11", tracer=file([1, 2, 3], [5, 6], start=function(3), stop=function()))
    other = report("3.12", tracer=file([1, 2, 6], [3, 5], start=function(), stop=function(6)))

    assert merged([one, other]) == (Module("honeyhive.tracer", 5, 4, 2, 2),)


def test_a_package_is_named_after_its_folder() -> None:
    (module,) = merged([report("3.12", **{"tracer/core/__init__": file([1], [])})])

    assert module.name == "honeyhive.tracer.core"


def test_a_module_that_was_only_imported_is_not_reached() -> None:
    only_imported = file([1, 2], [3], start=function())
    without_functions = file([1, 2], [])
    without_statements = file([1], [], protocol=function(statements=0))

    modules = merged([report("3.12", a=only_imported, b=without_functions, c=without_statements)])

    assert [(one.name, one.reached) for one in modules] == [
        ("honeyhive.a", False),
        ("honeyhive.b", True),
        ("honeyhive.c", True),
    ]


def test_what_no_test_reaches_is_told_largest_first() -> None:
    small = file([1], [2], start=function())
    large = file([1], [2, 3, 4], start=function(), stop=function())
    reached = file([1, 2], [], start=function(2))

    assert told(merged([report("3.12", small=small, large=large, reached=reached)])) == [
        "50 % of 8 statements and 25 % of 4 functions, in 3 modules",
        "2 modules of which no test runs a function:",
        "  honeyhive.large (2 functions, 4 statements)",
        "  honeyhive.small (1 functions, 2 statements)",
    ]


@given(st.lists(st.tuples(st.sets(st.integers(1, 9)), st.sets(st.integers(1, 9))), max_size=4))
def test_the_order_of_the_cells_changes_nothing(cells: list[tuple[set[int], set[int]]]) -> None:
    reports = [report("3.12", m=file(sorted(ran), sorted(not_ran - ran))) for ran, not_ran in cells]

    assert merged(reports) == merged(reversed(reports))
    assert all(one.ran <= one.statements for one in merged(reports))
