from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments.inside import expectations
from environments.inside.expectations import Kind, Where
from environments.matrix import Environment, Resolution

if TYPE_CHECKING:
    from environments.inside.expectations import Expectation

CELL = Where("1.2.1", "3.12", "development", "highest")
ENTRY = {
    "test": '"test_it.py::test_one"',
    "kind": '"known-defect"',
    "failure": '"AssertionError"',
    "reason": '"it is lost"',
    "reference": '"none"',
    "owner": '"sdk"',
    "expires": "2027-01-31",
}


def written(**changes: str | None) -> str:
    """Write a file of one entry, with these keys changed; None leaves one out."""
    entry = {key: value for key, value in {**ENTRY, **changes}.items() if value is not None}
    return "\n".join(['teams = ["sdk", "matrix"]', "[[expected]]", *(f"{key} = {word}" for key, word in entry.items())])


def entry(**changes: str | None) -> Expectation:
    (read,) = expectations.parse(written(**changes))
    return read


def test_an_entry_is_read_as_it_is_written() -> None:
    read = entry(sdk='"<1.3"', python='"<3.13"', environment='"development"', resolution='["highest", "lowest"]')

    assert (read.test, read.kind, read.failure) == ("test_it.py::test_one", Kind.KNOWN_DEFECT, "AssertionError")
    assert (read.reason, read.reference, read.owner) == ("it is lost", "none", "sdk")
    assert (str(read.sdk), str(read.python), read.expires) == ("<1.3", "<3.13", dt.date(2027, 1, 31))
    assert (read.environments, read.resolutions) == (("development",), ("highest", "lowest"))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"reson": '"x"'}, "there is no key 'reson' (did you mean 'reason'?)"),
        ({"reason": None}, "there is no 'reason'"),
        ({"reason": '" "'}, "reason is no text"),
        ({"kind": '"known-defekt"'}, "kind is 'known-defekt' (did you mean 'known-defect'?)"),
        ({"owner": '"skd"'}, "owner is 'skd' (did you mean 'sdk'?)"),
        ({"environment": '["developement"]'}, "environment is 'developement' (did you mean 'development'?)"),
        ({"resolution": '"lowst"'}, "resolution is 'lowst' (did you mean 'lowest'?)"),
        ({"resolution": "[1]"}, "resolution is 1"),
        ({"sdk": '"1.2 and older"'}, "sdk is no version specifier: '1.2 and older'"),
        ({"python": "3.12"}, "python is no version specifier: 3.12"),
        ({"expires": '"2027-01-31"'}, "expires is no day: '2027-01-31'"),
        ({"expires": "2027-01-31T00:00:00"}, "expires is no day"),
        ({"failure": None}, "a known-defect needs 'failure'"),
        ({"kind": '"missing-feature"'}, "a missing-feature is not run and has no 'failure'"),
    ],
)
def test_what_is_wrong_in_an_entry_is_said_with_its_place_and_what_to_do(
    changes: dict[str, str | None], says: str
) -> None:
    with pytest.raises(expectations.ExpectationError) as raised:
        expectations.parse(written(**changes))

    assert f"expected.toml, entry 1 (test_it.py::test_one): {says}" in str(raised.value)
    assert "what to do: " in str(raised.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[expected", "is no TOML"),
        ("expcted = []", "there is no key 'expcted' (did you mean 'expected'?)"),
        ("expected = 1", "expected is no list of tables"),
        ("teams = 'sdk'", "teams is no list of names"),
    ],
)
def test_what_is_wrong_in_the_file_is_said(text: str, says: str) -> None:
    with pytest.raises(expectations.ExpectationError, match=r"expected\.toml: ") as raised:
        expectations.parse(text)

    assert says in str(raised.value)


@given(
    st.dictionaries(
        st.sampled_from([*ENTRY, "sdk", "python", "environment", "resolution", "other"]),
        st.sampled_from(['""', '"x"', "1", "[]", "[1]", "{}", "true", "2027-01-31", '"<1.2"', '"flaky"', '"sdk"']),
    )
)
def test_whatever_an_entry_holds_it_is_read_or_refused_in_words(changes: dict[str, str]) -> None:
    try:
        (read,) = expectations.parse(written(**changes))
    except expectations.ExpectationError as error:
        assert "what to do: " in str(error)  # noqa: PT017 - either is right
    else:
        assert read.names(read.test)


@pytest.mark.parametrize(
    ("changes", "cell", "holds"),
    [
        ({}, CELL, True),
        ({"sdk": '"<1.3"'}, CELL, True),
        ({"sdk": '"<1.2"'}, CELL, False),
        ({"sdk": '">=1.2"'}, Where("1.3.0rc1", "3.12", "development", "highest"), True),
        ({"python": '"==3.12"'}, CELL, True),
        ({"python": '">3.12"'}, CELL, False),
        ({"environment": '"staging"'}, CELL, False),
        ({"resolution": '"lowest"'}, CELL, False),
    ],
)
def test_an_entry_holds_in_the_cells_of_its_specifiers_and_words(
    changes: dict[str, str], cell: Where, *, holds: bool
) -> None:
    assert entry(**changes).holds_in(cell) is holds


@pytest.mark.parametrize(
    ("pattern", "test", "named"),
    [
        ("test_it.py::test_one", "test_it.py::test_one", True),
        ("test_it.py::test_one", "test_it.py::test_one[a]", True),
        ("test_it.py::test_one[a]", "test_it.py::test_one[a]", True),
        ("test_it.py::test_one[a]", "test_it.py::test_one[b]", False),
        ("test_it.py::test_one[ab]", "test_it.py::test_onea", False),
        ("test_it.py::*", "test_it.py::test_two[a]", True),
        ("test_it.py::test_one", "test_it.py::test_one_more", False),
        ("*", "anything", True),
    ],
)
def test_a_pattern_names_tests(pattern: str, test: str, *, named: bool) -> None:
    assert entry(test=f'"{pattern}"').names(test) is named


def test_an_entry_of_a_test_goes_before_one_of_the_whole_cell() -> None:
    both = expectations.parse(written(test='"*"') + "\n" + written(reason='"its own"').partition("\n")[2])

    found = expectations.find(both, "test_it.py::test_one")
    other = expectations.find(both, "test_it.py::test_two")

    assert found is not None
    assert other is not None
    assert (found.reason, other.reason) == ("its own", "it is lost")
    assert expectations.find(both[1:], "test_it.py::test_two") is None


def test_an_entry_expires_after_its_last_day() -> None:
    assert not entry().expired(dt.date(2027, 1, 31))
    assert entry().expired(dt.date(2027, 2, 1))


def test_the_words_of_the_matrix_are_known() -> None:
    assert tuple(Environment) == expectations.ENVIRONMENTS
    assert set(Resolution) <= set(expectations.RESOLUTIONS)
