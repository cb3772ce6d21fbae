from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from environments.detection import verdict
from environments.detection.mutation import Mutation
from environments.detection.verdict import Catch, Verdict
from environments.errors import NoEvidence
from environments.results.record import Breach, Outcome
from tests.unit.results.made_up import SDK, record, result


def written(outcome: Outcome, *tests: Any, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - test results
    """Return a record as record.json holds it."""
    return dict(json.loads(record(outcome=outcome, tests=tests, **{"reason": "", **changes}).to_json()))


def test_a_test_that_failed_has_caught_the_mutation() -> None:
    ran = written(Outcome.FAILED, result("passed"), result("failed", "test_two", reason="no event\nmore"))

    assert verdict.catches(ran) == (Catch("test_it.py::test_two", "no event"),)


@pytest.mark.parametrize("outcome", ["error", "unexpected-pass"])
def test_an_error_and_a_defect_that_is_gone_are_red_too(outcome: str) -> None:
    assert verdict.catches(written(Outcome.FAILED, result(outcome)))


def test_a_cell_that_passed_has_caught_nothing() -> None:
    ran = written(Outcome.PASSED, result("passed"), result("not-applicable", "b"), result("known-defect", "c"))

    assert verdict.catches(ran) == ()


def test_a_breach_of_the_fence_has_caught_the_mutation() -> None:
    ran = written(Outcome.FAILED, result("passed"), breaches=(Breach("api:443", "socket.connect", "test_a (call)"),))

    assert verdict.catches(ran) == (Catch("test_a", "breach of the fence: api:443"),)


def test_a_test_that_fails_and_breaches_is_named_once() -> None:
    breach = Breach("api:443", "socket.connect", "test_it.py::test_one (teardown)")
    ran = written(Outcome.FAILED, result("failed", reason="no event"), breaches=(breach,))

    assert verdict.catches(ran) == (Catch("test_it.py::test_one", "no event"),)


def test_a_cell_that_hangs_where_the_control_did_not_has_caught_the_mutation() -> None:
    ran = written(Outcome.TIMED_OUT, result("passed"), reason="it took longer, during test_a")

    assert verdict.catches(ran) == (Catch("the cell's time limit", "it took longer, during test_a"),)


def test_likely_tests_that_do_not_apply_have_caught_nothing() -> None:
    assert verdict.catches(written(Outcome.NO_TESTS, result("not-applicable"))) == ()


@pytest.mark.parametrize("outcome", [Outcome.NOT_RUN, Outcome.CRASHED, Outcome.FAILED])
def test_a_cell_that_ended_for_a_reason_of_its_own_is_no_evidence(outcome: Outcome) -> None:
    with pytest.raises(NoEvidence, match=f"its cell is {outcome}: gone"):
        verdict.catches(written(outcome, result("passed"), reason="gone"))


def test_an_sdk_that_cannot_be_imported_is_no_evidence() -> None:
    ran = written(Outcome.FAILED, result("error", reason="ImportError: x"), sdk=replace(SDK, origin=""))

    with pytest.raises(NoEvidence, match="the SDK cannot be imported: ImportError: x"):
        verdict.catches(ran)


def test_the_table_names_who_caught_what_and_the_share() -> None:
    many = tuple(Catch(f"test_{number}", "") for number in range(5))
    verdicts = [
        Verdict("a", "it breaks", many, 1.0),
        Verdict("longer", "it is lost", (), 2.0),
        Verdict("c", "", (), 1.0, "gone"),
    ]

    assert verdict.table(verdicts) == [
        "  a       test_0, test_1, test_2 and 2 more",
        "  longer  NOT CAUGHT: it is lost",
        "  c       NOTHING TO SAY: gone",
        "caught: 1 of 3 mutations",
    ]


def test_the_file_holds_every_verdict_and_what_was_left_out() -> None:
    text = verdict.to_json(
        "1.7.0", [Verdict("a", "é", (Catch("t", "said"),), 1.5)], [Mutation("old", "it", "a.py", "f")]
    )

    assert json.loads(text) == {
        "schema": 1,
        "sdk": "1.7.0",
        "caught": 1,
        "of": 1,
        "mutations": [
            {"id": "a", "sees": "é", "caught_by": [{"test": "t", "said": "said"}], "seconds": 1.5, "failure": ""}
        ],
        "not_applicable": ["old"],
    }
