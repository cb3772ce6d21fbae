from __future__ import annotations

import json

import pytest

from environments import plan
from environments.matrix import Plan
from tests.unit.declared import matrix, release

HERE = {"3.11": "3.11.7", "3.12": None, "3.13": None}


def test_plan_json_holds_cells_exclusions_tags_costs_and_interpreters() -> None:
    declared = matrix(release("1.0.0"), release("1.1.0", requires_python=">=3.12"), pythons=["3.11", "3.12"])
    costs = {"integration-3.11-development-sdk1.0": 12.5}

    written = json.loads(plan.to_json(declared.plan("pr"), HERE, costs))

    assert written["schema"] == 1
    assert [cell["name"] for cell in written["cells"]] == [
        "integration-3.11-development-sdk1.0",
        "integration-3.12-development",
        "integration-3.12-development-sdk1.0",
    ]
    assert written["cells"][0] == {
        "name": "integration-3.11-development-sdk1.0",
        "python": "3.11",
        "sdk": {"line": "1.0", "version": "1.0.0"},
        "environment": "development",
        "resolution": "highest",
        "tags": ["development", "py3.11", "sdk1.0", "oldest", "pr", "all"],
        "expected_cost_s": 12.5,
        "interpreter": "3.11.7",
    }
    assert (written["cells"][1]["expected_cost_s"], written["cells"][1]["interpreter"]) == (None, None)
    assert written["exclusions"] == [
        {"name": "integration-3.11-development", "reason": "honeyhive 1.1.0 requires Python >=3.12"}
    ]


def test_an_empty_plan_is_a_plan() -> None:
    assert json.loads(plan.to_json(Plan((), ()), {}, {})) == {"schema": 1, "cells": [], "exclusions": []}


def test_what_was_never_measured_starts_first_and_then_the_longest() -> None:
    cells = matrix(sets={"it": {"environment": "development", "sdk": "newest"}}).plan("it").cells
    costs = {"integration-3.11-development": 5.0, "integration-3.12-development": 50.0}

    assert [cell.python for cell in plan.longest_first(cells, costs)] == ["3.13", "3.12", "3.11"]


def test_cells_that_cost_the_same_keep_their_order() -> None:
    cells = matrix().plan().cells

    assert plan.longest_first(cells, {}) == cells


@pytest.mark.parametrize("python", ["3.99"])
def test_a_python_that_is_not_here_is_none(python: str) -> None:
    assert plan.found_interpreters((python,)) == {python: None}
