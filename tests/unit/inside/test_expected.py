from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.inside.test_expectations import written

if TYPE_CHECKING:
    from tests.unit.inside.running import Inside

TESTS = """
def test_one(): assert 1 == 2, "it is lost"
def test_two(): pass
"""


@pytest.fixture
def cell(inside: Inside) -> Inside:
    """Lay out a cell that tests honeyhive 1.2.0."""
    inside.aim()
    inside.install_sdk("1.2.0")
    return inside


def expect(cell: Inside, **changes: str | None) -> None:
    (cell.suite / "expected.toml").write_text(written(**changes), encoding="utf-8")


def reason(cell: Inside, test: str, outcome: str) -> str:
    (found,) = [one for one in cell.entries("phase") if one["test"].endswith(test) and one["outcome"] == outcome]
    return str(found["reason"])


def test_a_known_defect_that_fails_as_it_is_expected_to_does_not_fail_the_cell(cell: Inside) -> None:
    expect(cell)

    ended = cell.pytest(TESTS)

    assert ended.status == 0, ended
    assert cell.phases()["test_one"]["call"] == "known-defect"
    assert cell.phases()["test_two"]["call"] == "passed"
    assert reason(cell, "test_one", "known-defect") == "it is lost (none)"


def test_a_known_defect_that_passes_fails_the_cell_which_says_what_to_delete(cell: Inside) -> None:
    expect(cell, test='"test_it.py::test_two"', sdk='"<1.3"')

    ended = cell.pytest("def test_two(): pass")

    assert ended.status == 1, ended
    assert cell.phases()["test_two"]["call"] == "unexpected-pass"
    told = reason(cell, "test_two", "unexpected-pass")
    assert "delete the entry test_it.py::test_two of sdk <1.3, or narrow it" in told


def test_a_known_defect_that_fails_otherwise_is_a_failure(cell: Inside) -> None:
    expect(cell, failure='"RecursionError"')

    ended = cell.pytest(TESTS)

    assert ended.status == 1, ended
    assert cell.phases()["test_one"]["call"] == "failed"
    assert "expected.toml expects a failure that says 'RecursionError'; this is another one" in ended.text


def test_a_known_defect_may_fail_in_a_fixture_and_not_in_what_the_test_leaves_undone(cell: Inside) -> None:
    expect(cell, test='"*_defect"')
    fixtures = """
        import pytest

        @pytest.fixture
        def broken(): assert 1 == 2, "it is lost"
        @pytest.fixture
        def left():
            yield
            assert 1 == 2, "it is lost"
        """

    ended = cell.pytest("def test_a_defect(broken): pass\ndef test_no_defect(left): assert False", conftest=fixtures)

    assert ended.status == 1, ended
    assert cell.phases()["test_a_defect"]["setup"] == "known-defect"
    assert cell.phases()["test_no_defect"] == {"setup": "passed", "call": "known-defect", "teardown": "error"}


def test_an_entry_for_other_cells_says_nothing_about_this_one(cell: Inside) -> None:
    expect(cell, sdk='">=1.3"')

    assert cell.pytest(TESTS).status == 1
    assert cell.phases()["test_one"]["call"] == "failed"


def test_a_missing_feature_does_not_run_and_is_not_applicable_with_its_reason(cell: Inside) -> None:
    expect(cell, kind='"missing-feature"', failure=None)

    ended = cell.pytest(TESTS)

    assert ended.status == 0, ended
    assert cell.phases()["test_one"] == {"setup": "not-applicable", "teardown": "passed"}
    assert reason(cell, "test_one", "not-applicable") == "it is lost (none)"


@pytest.mark.parametrize(("word", "outcome"), [("AssertionError", "flaky"), ("OSError", "failed")])
def test_a_flaky_test_may_fail_as_it_is_expected_to_and_stands_in_the_record(
    cell: Inside, word: str, outcome: str
) -> None:
    expect(cell, kind='"flaky"', failure=f'"{word}"', test='"*"')

    ended = cell.pytest(TESTS)

    assert ended.status == (0 if outcome == "flaky" else 1), ended
    assert cell.phases()["test_one"]["call"] == outcome
    assert cell.phases()["test_two"]["call"] == "passed"


def test_of_a_cell_that_is_a_known_defect_something_must_fail(cell: Inside) -> None:
    expect(cell, test='"*"')

    assert cell.pytest(TESTS).status == 0
    assert cell.phases()["test_one"]["call"] == "known-defect"
    ended = cell.pytest("def test_two(): pass")

    assert ended.status == 1, ended
    assert "delete the entry *" in reason(cell, "the whole cell", "unexpected-pass")


def test_one_test_of_a_cell_that_is_a_known_defect_may_pass(cell: Inside) -> None:
    expect(cell, test='"*"')

    assert cell.pytest(TESTS, "-k", "two").status == 0


def test_a_file_that_cannot_be_read_stops_the_cell_with_the_reason(cell: Inside) -> None:
    expect(cell, kind='"flakey"')

    ended = cell.pytest(TESTS)

    assert ended.status == 4, ended
    assert "kind is 'flakey' (did you mean 'flaky'?)" in ended.text
