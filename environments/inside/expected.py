"""Expected outcomes: applies expected.toml, beside the tests, to the tests of this cell.

A known defect runs, and must fail as its entry says: a pass fails the cell, and so does another failure. A missing
feature does not run: it is not applicable. A flaky test may fail, and stands in the record as flaky.
"""

from __future__ import annotations

import importlib.metadata
import platform
from typing import TYPE_CHECKING

import pytest

from environments.inside import expectations, ledger, target
from environments.inside.expectations import Kind

if TYPE_CHECKING:
    from collections.abc import Generator

    from environments.inside.expectations import Expectation

_found: tuple[Expectation, ...] = ()


def here() -> expectations.Where | None:
    """Return the cell that this process belongs to."""
    aim = target.load()
    if aim is None:
        return None
    python = ".".join(platform.python_version_tuple()[:2])
    return expectations.Where(importlib.metadata.version("honeyhive"), python, aim.environment, aim.resolution)


def pytest_configure(config: pytest.Config) -> None:
    global _found  # noqa: PLW0603 - one process, one cell
    file = config.rootpath / expectations.FILE
    cell = here() if file.exists() else None
    if cell is None:
        return
    try:
        declared = expectations.parse(file.read_text(encoding="utf-8"))
    except expectations.ExpectationError as error:
        raise pytest.UsageError(str(error)) from None
    _found = tuple(one for one in declared if one.holds_in(cell))
    for one in _found:
        if one.whole_cell and not hasattr(config, "workerinput"):
            config.pluginmanager.register(_WholeCell(one), "matrix-expected-cell")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    one = _of(item)
    if one is not None and one.kind is Kind.MISSING_FEATURE:
        item.user_properties.append((ledger.OUTCOME_PROPERTY, "not-applicable"))
        pytest.skip(_why(one))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    one = _of(item)
    if one is None or one.kind is Kind.MISSING_FEATURE or report.skipped:
        return report
    if report.failed:
        # What a test leaves undone is no defect of the SDK's that its entry is about.
        if report.when != "teardown" or one.kind is Kind.FLAKY:
            _judge_failure(one, report, "" if call.excinfo is None else call.excinfo.exconly())
    elif report.when == "call" and one.kind is Kind.KNOWN_DEFECT and not one.whole_cell:
        report.outcome = "failed"
        report.longrepr = _delete(one)
        _tell(report, "unexpected-pass")
    return report


def _judge_failure(one: Expectation, report: pytest.TestReport, said: str) -> None:
    if one.failure in said:
        # pytest's own words for a failure that is none: an x in its output, and no failing status.
        report.outcome = "skipped"
        report.wasxfail = _why(one)
        _tell(report, one.kind.value)
    else:
        expected = f"expected.toml expects a failure that says {one.failure!r}; this is another one"
        report.sections.append(("expected outcome", expected))


def _of(item: pytest.Item) -> Expectation | None:
    return expectations.find(_found, ledger.test_id(item.nodeid))


def _tell(report: pytest.TestReport, outcome: str) -> None:
    report.user_properties.append((ledger.OUTCOME_PROPERTY, outcome))


def _why(one: Expectation) -> str:
    return f"{one.reason} ({one.reference})"


def _delete(one: Expectation) -> str:
    return f"passed, and {expectations.FILE} says that it fails: delete the entry {one.title}, or narrow it"


class _WholeCell:
    """Sees to it that a cell that is expected to fail as a whole does: in the process that every report reaches."""

    def __init__(self, one: Expectation) -> None:
        self._expected = one
        self._ran = self._failed = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._ran |= report.when == "call" and report.passed
        self._failed |= hasattr(report, "wasxfail")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        chosen = session.config.option.keyword or session.config.option.markexpr
        everything = not chosen and session.config.args == [str(session.config.rootpath)]
        if self._expected.kind is Kind.KNOWN_DEFECT and everything and self._ran and not self._failed:
            ledger.write(
                entry="phase", test="the whole cell", when="collect", outcome="unexpected-pass", duration_s=0,
                reason=_delete(self._expected),
            )  # fmt: skip
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
