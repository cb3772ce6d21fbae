from __future__ import annotations

import re
from typing import Any

import pytest

from environments.declaration import parse
from environments.errors import MatrixConfigError
from tests.unit.declared import matrix, release

PLACE = "[tool.matrix] in pyproject.toml"
SET = "[tool.matrix.sets.pr] in pyproject.toml"


@pytest.mark.parametrize(
    ("changes", "wording"),
    [
        ({"pythonz": ["3.11"]}, f"{PLACE}: there is no key 'pythonz' (did you mean 'pythons'?)"),
        ({"colour": "red"}, f"{PLACE}: there is no key 'colour'"),
        ({"pythons": None}, f"{PLACE} has no 'pythons'"),
        ({"pythons": []}, f"{PLACE}, pythons is empty"),
        ({"pythons": [3.12]}, f"{PLACE}, pythons: 3.12 is no text"),
        ({"pythons": ["three"]}, f"{PLACE}, pythons: 'three' is no minor version of Python"),
        ({"pythons": ["3.12.1"]}, f"{PLACE}, pythons: '3.12.1' is no minor version of Python"),
        ({"pythons": ["3.11", "3.12", "3.11"]}, f"{PLACE}, pythons: '3.11' stands there twice"),
        ({"oldest_line": "first"}, f"{PLACE}, oldest-line: 'first' is no version"),
        ({"oldest_line": 1.0}, f"{PLACE}, oldest-line: 1.0 is no text"),
        ({"oldest_line": "9.0"}, "there is no release of honeyhive from 9.0 on in environments/releases.json"),
        (
            {"environments": ["Staging"]},
            f"{PLACE}, environments: there is no environment 'Staging' (did you mean 'staging'?)",
        ),
        ({"environments": ["moon"]}, f"{PLACE}, environments: there is no environment 'moon'"),
        ({"environments": []}, f"{PLACE}, environments is empty"),
        ({"environments": ["staging"] * 2}, f"{PLACE}, environments: 'staging' stands there twice"),
        ({"cool_down_days": "three"}, f"{PLACE}, cool-down-days: 'three' is no number"),
        ({"cool_down_days": -1}, f"{PLACE}, cool-down-days: -1 is no number"),
        ({"cell_time_limit_s": True}, f"{PLACE}, cell-time-limit-s: True is no number"),
        ({"test_time_limit_s": 1.5}, f"{PLACE}, test-time-limit-s: 1.5 is no number"),
        ({"sets": ["pr"]}, f"{PLACE}, sets: ['pr'] is no table"),
        ({"sets": {"pr": "newest"}}, f"{SET}: 'newest' is no table"),
        ({"sets": {"pr": {"pyhton": "3.11"}}}, f"{SET}: there is no key 'pyhton' (did you mean 'python'?)"),
        ({"sets": {"pr": {"environment": "prod"}}}, f"{SET}, environment: there is no environment 'prod'"),
        ({"sets": {"pr": {"environment": []}}}, f"{SET}, environment is empty"),
        (
            {"sets": {"pr": {"sdk": "newst"}}},
            f"{SET}, sdk: 'newst' is no version specifier and no word of this axis (did you mean 'newest'?)",
        ),
        (
            {"sets": {"pr": {"python": ["3.11", "3.21"]}}},
            f"{SET}, python: '3.21' is no version specifier and no word of this axis (did you mean '3.13'?)",
        ),
        ({"sets": {"pr": {"python": ">=three"}}}, f"{SET}, python: '>=three' is no version specifier"),
        ({"sets": {"pr": {"python": ">=4"}}}, f"{SET}, python: '>=4' chooses nothing"),
        ({"sets": {"pr": {"sdk": [1.0]}}}, f"{SET}, sdk: 1.0 is no text"),
    ],
    ids=repr,
)
def test_an_error_names_the_place_and_the_nearest_word(changes: dict[str, Any], wording: str) -> None:
    with pytest.raises(MatrixConfigError) as refused:
        matrix(**changes)

    assert refused.value.happened.startswith(wording)
    assert refused.value.remedy


def test_an_error_lists_the_words_of_the_axis() -> None:
    with pytest.raises(MatrixConfigError) as refused:
        matrix(sets={"pr": {"sdk": "latest"}})

    assert refused.value.expected == 'a specifier such as ">=1.4", or one of 1.0, 1.1, 1.2, oldest, newest'


def test_a_declaration_that_is_no_table_is_an_error() -> None:
    with pytest.raises(MatrixConfigError, match=re.escape(f"{PLACE}: 'all of it' is no table")):
        parse("all of it", [release("1.0.0")])  # type: ignore[arg-type]


def test_only_prereleases_are_no_matrix() -> None:
    with pytest.raises(MatrixConfigError, match=r"there is no release of honeyhive from 1\.0 on"):
        matrix(release("1.0.0rc1"))
