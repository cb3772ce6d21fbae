from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from environments.results import audit, record


def line(decision: str, effect: str = "read", test: str | None = "t", method: str = "GET", path: str = "/v1/a") -> str:
    return json.dumps({"test": test, "method": method, "path": path, "effect": effect, "decision": decision})


def test_a_cell_without_a_gateway_has_no_requests() -> None:
    assert audit.read([]).requests is None


def test_what_was_forwarded_counts_by_its_effect_and_what_was_not_by_its_decision() -> None:
    lines = [line("forwarded"), line("forwarded", "write"), line("forwarded"), line("refused"), line("rate-limited")]
    assert audit.read(lines).requests == {"reads": 2, "writes": 1, "refused": 1, "rate-limited": 1}


def test_a_refused_write_fails_its_test_with_the_request_named() -> None:
    read = audit.read([line("refused", "write", "a", "POST", "/events"), line("refused", "write", "b")])
    tests = tuple(record.TestResult(name, record.TestOutcome.PASSED, 0, 1, "") for name in "abc")
    held = audit.held_against(tests, read, frozenset("b"))
    assert [test.outcome for test in held] == ["failed", "passed", "passed"]
    assert "POST /events" in held[0].reason


@given(st.lists(st.text()))
def test_lines_that_are_none_of_the_gateways_are_left_out(lines: list[str]) -> None:
    assert audit.read([*lines, line("forwarded")]).requests == {"reads": 1, "writes": 0, "refused": 0}
