from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments.inside.target import LONGEST_TEST_ID
from environments.results import audit, record


def line(decision: str, effect: str = "read", test: str | None = "t", method: str = "GET", path: str = "/v1/a") -> str:
    return json.dumps({"test": test, "method": method, "path": path, "effect": effect, "decision": decision})


def passed(*tests: str) -> tuple[record.TestResult, ...]:
    return tuple(record.TestResult(test, record.TestOutcome.PASSED, 0, 1, "") for test in tests)


def test_a_gateway_that_nobody_asked_anything_has_requests_none_of_any_kind() -> None:
    assert audit.read([]).requests == {"reads": 0, "writes": 0, "refused": 0}


def test_what_was_forwarded_counts_by_its_effect_and_what_was_not_by_its_decision() -> None:
    lines = [line("forwarded"), line("forwarded", "write"), line("forwarded"), line("refused"), line("rate-limited")]
    assert audit.read(lines).requests == {"reads": 2, "writes": 1, "refused": 1, "rate-limited": 1}


def test_a_refused_write_fails_its_test_with_the_request_named() -> None:
    read = audit.read([line("refused", "write", "a", "POST", "/events"), line("refused", "write", "b")])
    held = audit.held_against(passed("a", "b", "c"), read, frozenset("b"))
    assert [test.outcome for test in held] == ["failed", "passed", "passed"]
    assert "POST /events" in held[0].reason


def test_a_test_that_failed_anyway_still_says_why() -> None:
    failed = record.TestResult("a", record.TestOutcome.ERROR, 0, 1, "assert 1 == 2")
    (held,) = audit.held_against((failed,), audit.read([line("refused", "write", "a")]), frozenset())
    assert held.outcome == "failed"
    assert held.reason.endswith("\nassert 1 == 2")


@pytest.mark.parametrize("whose", [None, "outside any test", "one that never ended"])
def test_a_refused_write_of_no_test_that_ended_is_a_failure_of_its_own(whose: str | None) -> None:
    read = audit.read([line("refused", "write", whose, "POST", "/events")])
    held = audit.held_against(passed("a"), read, frozenset("a"))
    assert [(test.id, test.outcome) for test in held] == [
        ("a", "passed"),
        (whose or "a key of no test", "failed"),
    ]
    assert "POST /events" in held[1].reason


@pytest.mark.parametrize(("expecting", "outcome"), [(False, "failed"), (True, "passed")])
def test_a_test_whose_id_is_too_long_for_the_gateway_is_known_by_its_beginning(
    outcome: str, *, expecting: bool
) -> None:
    long = "é" * LONGEST_TEST_ID + "[and more]"
    read = audit.read([line("refused", "write", long[:LONGEST_TEST_ID])])
    held = audit.held_against(passed(long), read, frozenset([long] if expecting else []))
    assert [(test.id, test.outcome) for test in held] == [(long, outcome)]


def test_an_audit_that_was_cut_is_a_failure_because_nobody_knows_what_is_missing() -> None:
    read = audit.read([line("forwarded"), line("refused", "write")[:40]])
    assert read.requests == {"reads": 1, "writes": 0, "refused": 0, "unreadable": 1}
    held = audit.held_against(passed("a"), read, frozenset())
    assert [(test.id, test.outcome) for test in held] == [("a", "passed"), ("the audit", "failed")]


def test_how_long_the_upstream_took_is_measured_without_what_was_waited_for_a_turn() -> None:
    timed = [json.loads(line("forwarded")) | {"ms": 500 + ms, "waited_ms": 500, "tries": 1} for ms in range(101)]
    others = [line("refused"), json.dumps(timed[0] | {"ms": 9999, "tries": 2})]
    told = audit.read([*map(json.dumps, timed), *others]).measurements
    assert [(one["name"], one["value"], one["unit"]) for one in told] == [
        ("upstream.latency.p50", 50, "ms"),
        ("upstream.latency.p90", 90, "ms"),
        ("upstream.latency.p99", 99, "ms"),
    ]


@given(st.lists(st.text()))
def test_lines_that_are_none_of_the_gateways_are_counted_apart(lines: list[str]) -> None:
    told = audit.read([*lines, line("forwarded")]).requests or {}
    assert {**told, "unreadable": len(lines)} == {"reads": 1, "writes": 0, "refused": 0, "unreadable": len(lines)}
    assert told.get("unreadable", 0) == len(lines)
