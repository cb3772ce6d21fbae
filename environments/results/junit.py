"""junit.xml: a cell's record for whatever reads JUnit. A pure function of the record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from environments.results.record import Outcome, TestOutcome

if TYPE_CHECKING:
    from environments.results.record import Record, TestResult

_RESULTS = {
    TestOutcome.FAILED: Failure,
    TestOutcome.UNEXPECTED_PASS: Failure,
    TestOutcome.ERROR: Error,
    TestOutcome.SKIPPED: Skipped,
    TestOutcome.NOT_APPLICABLE: Skipped,
    TestOutcome.KNOWN_DEFECT: Skipped,
    TestOutcome.FLAKY: Skipped,
}


def render(record: Record) -> str:
    """Return the text of junit.xml. A cell that is not green has a failing test of its own name that says why."""
    suite = TestSuite(record.cell)
    for test in record.tests:
        suite.add_testcase(_case(record.cell, test))
    if record.outcome is not Outcome.PASSED:
        case = TestCase("the cell itself", record.cell)
        case.result = [Error(_printable(record.reason), record.outcome.value)]
        suite.add_testcase(case)
    suite.timestamp = record.started
    suite.add_property("sdk", record.sdk.version)
    suite.add_property("python", record.python)
    suite.add_property("environment", record.environment)
    xml = JUnitXml()
    xml.add_testsuite(suite)
    xml.update_statistics()  # type: ignore[no-untyped-call]
    # Statistics add up the tests, which workers run side by side.
    suite.time = record.duration_s or 0.0
    return str(xml.tostring().decode())  # type: ignore[no-untyped-call]


def _case(cell: str, test: TestResult) -> TestCase:
    module, _, name = test.id.partition("::")
    classname = f"{cell}.{module.removesuffix('.py').replace('/', '.')}"
    case = TestCase(_printable(name or module), _printable(classname), test.duration_s)
    if test.outcome in _RESULTS:
        case.result = [_RESULTS[test.outcome](_printable(test.reason), test.outcome.value)]
    return case


def _printable(text: str) -> str:
    # XML has no place for most control characters, and terminal output is full of them.
    return "".join(c for c in text if c.isprintable() or c in "\n\t")
