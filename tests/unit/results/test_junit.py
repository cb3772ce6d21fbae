from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from environments.results import junit
from environments.results.record import Outcome
from tests.unit.results.made_up import record, result


def _parsed(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314 - our own


@pytest.mark.parametrize(
    ("outcome", "tag"),
    [
        ("passed", None), ("failed", "failure"), ("unexpected-pass", "failure"), ("error", "error"),
        ("skipped", "skipped"), ("not-applicable", "skipped"), ("known-defect", "skipped"),
    ],
)  # fmt: skip
def test_an_outcome_has_its_junit_form(outcome: str, tag: str | None) -> None:
    rendered = junit.render(record(outcome=Outcome.PASSED, tests=(result(outcome, reason="why"),)))

    (case,) = _parsed(rendered).iter("testcase")
    assert (case.get("name"), case.get("classname")) == ("test_one", "integration-3.12-development.test_it")
    assert [(child.tag, child.get("message"), child.get("type")) for child in case] == (
        [(tag, "why", outcome)] if tag else []
    )


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.PASSED])
def test_a_cell_that_is_not_green_has_a_case_of_its_own(outcome: Outcome) -> None:
    suite = _parsed(junit.render(record(outcome=outcome, reason="why", tests=(result("passed"),))))

    case = suite.findall(".//testcase")[-1]
    assert case.get("name") == "the cell itself"
    assert [(child.tag, child.get("message"), child.get("type")) for child in case] == [("error", "why", outcome)]


def test_totals_are_those_of_the_record() -> None:
    tests = tuple(result(outcome, f"test_{outcome}") for outcome in ("passed", "failed", "error", "skipped"))
    root = _parsed(junit.render(record(outcome=Outcome.FAILED, reason="why", tests=tests, duration_s=3.5)))

    (suite,) = root.iter("testsuite")
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped", "time")} == {
        "tests": "5", "failures": "1", "errors": "2", "skipped": "1", "time": "3.5",
    }  # fmt: skip
    assert {one.get("name"): one.get("value") for one in suite.iter("property")} == {
        "sdk": "1.2.1",
        "python": "3.12.1",
        "environment": "development",
    }


_TEXTS = st.text() | st.sampled_from(["]]>", "\x1b[31mred\x1b[0m", "\0", "a\nb\tc", "\ud800", "￾", "<&\"'>", "🐝"])


@settings(deadline=None, max_examples=80)
@given(reason=_TEXTS, name=_TEXTS)
def test_any_text_parses_back(reason: str, name: str) -> None:
    rendered = junit.render(record(reason=reason, tests=(result("failed", name, reason=reason),)))

    cases = list(_parsed(rendered).iter("testcase"))
    shown = "".join(c for c in reason if c.isprintable() or c in "\n\t")
    assert [case[0].get("message", "") for case in cases] == [shown, shown]
