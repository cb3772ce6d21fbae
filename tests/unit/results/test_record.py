from __future__ import annotations

import json
import multiprocessing
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from environments.results import record as records
from environments.results.record import Breach, Outcome, judged, read_breaches, read_ledger
from tests.unit.results.made_up import IMPORTED, line, phase, record, result

if TYPE_CHECKING:
    from pathlib import Path

    from environments.results.record import Record

BREACH = Breach("example.org:443", "socket.getaddrinfo", "test_it.py::test_one (call)")
PASSED = (result("passed"),)


# ---- Judgement -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begun", "status", "outcome", "reason"),
    [
        pytest.param(record(tests=PASSED), 0, "passed", "", id="one test passed"),
        pytest.param(record(tests=(result("known-defect"),)), 0, "passed", "", id="a known defect fails as it should"),
        pytest.param(
            record(tests=PASSED, breaches=(BREACH,)),
            0,
            "failed",
            "breach of the fence: example.org:443 by test_it.py::test_one (call)",
            id="a breach beats a pass",
        ),
        pytest.param(
            record(tests=(result("failed"),), breaches=(BREACH, BREACH, BREACH)),
            -9,
            "failed",
            "breach of the fence: example.org:443 by test_it.py::test_one (call) (and 2 more)",
            id="a breach beats everything",
        ),
        pytest.param(record(tests=PASSED), -9, "crashed", "pytest ended with -9", id="killed"),
        pytest.param(record(tests=(result("failed"),)), -11, "crashed", "pytest ended with -11", id="segfault"),
        pytest.param(record(tests=PASSED), 3, "crashed", "pytest ended with 3", id="internal error"),
        pytest.param(
            record(tests=(*PASSED, result("failed", "test_two"))),
            1,
            "failed",
            "test_it.py::test_two failed",
            id="failed",
        ),
        pytest.param(
            record(tests=(result("error"), result("failed", "test_two"))),
            1,
            "failed",
            "test_it.py::test_one error (and 1 more)",
            id="several",
        ),
        pytest.param(
            record(tests=(result("unexpected-pass"),)),
            0,
            "failed",
            "test_it.py::test_one unexpected pass",
            id="a known defect that is gone",
        ),
        pytest.param(
            record(tests=PASSED), 1, "failed", "pytest ended with 1; see log.txt", id="failed for no test's sake"
        ),
        pytest.param(record(), 2, "failed", "pytest ended with 2; see log.txt", id="interrupted"),
        pytest.param(record(), 4, "failed", "pytest ended with 4; see log.txt", id="usage error"),
        pytest.param(record(), 5, "no-tests", "no test was executed (none was collected)", id="none collected"),
        pytest.param(
            record(tests=(result("skipped"), result("not-applicable"), result("not-applicable"))),
            0,
            "no-tests",
            "no test was executed (2 not applicable, 1 skipped)",
            id="all skipped or not applicable",
        ),
    ],
)
def test_a_record_is_judged_by_its_evidence(begun: Record, status: int, outcome: str, reason: str) -> None:
    found = judged(begun, exit_status=status, imported=IMPORTED)

    assert (found.outcome, found.reason) == (outcome, reason)


@pytest.mark.parametrize(
    ("imported", "told"),
    [
        ((), "none"),
        ((("1.2.0", "/a"),), "1.2.0 from /a"),
        ((("1.2.1", "/a"), ("1.7.0", "/b")), "1.2.1 from /a, 1.7.0 from /b"),
    ],
    ids=["none", "another", "two"],
)
def test_a_cell_that_imported_another_sdk_than_its_own_failed(imported: tuple[tuple[str, str], ...], told: str) -> None:
    found = judged(record(tests=PASSED), exit_status=0, imported=imported)

    assert found.outcome is Outcome.FAILED
    assert found.reason == f"honeyhive 1.2.1 was to be tested, and imported was {told}"


def test_a_cell_whose_test_never_ended_crashed_whatever_pytest_says() -> None:
    found = judged(record(tests=PASSED), exit_status=0, imported=IMPORTED, unfinished=("test_it.py::test_two",))

    assert (found.outcome, found.reason) == (
        Outcome.CRASHED,
        "pytest ended with 0, during test_it.py::test_two",
    )


def test_a_failed_test_is_named_before_those_that_it_kept_from_ending() -> None:
    found = judged(record(tests=(result("failed"),)), exit_status=2, imported=IMPORTED, unfinished=("t",))

    assert (found.outcome, found.reason) == (Outcome.FAILED, "test_it.py::test_one failed")


def test_only_passed_exits_with_zero() -> None:
    assert [outcome for outcome, code in records.EXIT_CODES.items() if code == 0] == [Outcome.PASSED]
    assert set(records.EXIT_CODES) == set(Outcome)


def test_a_begun_record_says_that_its_cell_did_not_end() -> None:
    assert (record().outcome, record().reason) == (
        Outcome.CRASHED,
        "the cell did not end: its supervisor was killed",
    )


# ---- The ledger ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phases", "outcome"),
    [
        (["passed", "passed", "passed"], "passed"),
        (["passed", "passed", "error"], "error"),
        (["passed", "failed", "error"], "error"),
        (["passed", "failed", "passed"], "failed"),
        (["passed", "known-defect", "passed"], "known-defect"),
        (["passed", "skipped", "passed"], "skipped"),
        (["passed", "unexpected-pass", "passed"], "unexpected-pass"),
    ],
    ids="-".join,
)
def test_the_worst_phase_is_a_test_s_outcome(phases: list[str], outcome: str) -> None:
    lines = [phase(when, told) for when, told in zip(("setup", "call", "teardown"), phases, strict=True)]

    (test,) = read_ledger(lines).tests
    assert (test.outcome, test.duration_s, test.attempts) == (outcome, 0.75, 1)


def test_the_reason_is_that_of_the_worst_phase() -> None:
    lines = [phase("setup", "passed"), phase("call", "failed", reason="one"), phase("teardown", "error", reason="two")]

    assert [test.reason for test in read_ledger(lines).tests] == ["two"]


def test_each_teardown_ends_an_attempt() -> None:
    lines = [phase(when, "passed") for when in ("setup", "call", "teardown") * 2]

    ledger = read_ledger(lines)

    assert [test.attempts for test in ledger.tests] == [2]
    assert record(tests=ledger.tests).counts["flaky"] == 1


def test_a_test_that_did_not_end_is_unfinished_and_no_result() -> None:
    lines = [
        line("start", test="a"), phase("setup", "passed", "a"), phase("teardown", "passed", "a"),
        line("start", test="b"), phase("setup", "passed", "b"),
        line("start", test="c"),
    ]  # fmt: skip

    ledger = read_ledger(lines)

    assert [test.id for test in ledger.tests] == ["a"]
    assert ledger.unfinished == ("b", "c")


def test_a_line_that_was_cut_leaves_its_test_unfinished() -> None:
    lines = [line("start", test="a"), phase("setup", "passed", "a"), phase("teardown", "passed", "a")[:-9]]

    assert read_ledger(lines).unfinished == ("a",)


def test_a_test_whose_worker_died_is_finished() -> None:
    lines = [line("start", test="a"), phase("???", "error", "a", reason="worker 'gw0' crashed")]

    ledger = read_ledger(lines)

    assert [(test.id, test.outcome) for test in ledger.tests] == [("a", records.TestOutcome.ERROR)]
    assert ledger.unfinished == ()


def test_an_outcome_that_nobody_knows_is_an_error() -> None:
    assert [test.outcome for test in read_ledger([phase("teardown", "rerun")]).tests] == [records.TestOutcome.ERROR]


def test_resources_are_counted_by_name() -> None:
    states = [("a", "created"), ("b", "created"), ("a", "deleted"), ("b", "deleted"), ("c", "created")]

    ledger = read_ledger([line("resource", name=name, state=state) for name, state in states])

    assert ledger.resources == {"created": 3, "deleted": 2, "left": 1}


def test_measurements_are_in_the_record_as_they_were_told() -> None:
    told = [
        line("measurement", name="span.cost.p50", value=312.5, unit="µs", more=1),
        line("measurement", name="span.cost.p50", value="much", unit="µs"),
        line("measurement", name="flush.spans", value=1000, unit="spans"),
    ]

    measurements = read_ledger(told).measurements

    assert measurements == (
        {"name": "span.cost.p50", "value": 312.5, "unit": "µs"},
        {"name": "flush.spans", "value": 1000, "unit": "spans"},
    )
    assert json.loads(record(measurements=measurements).to_json())["measurements"] == list(measurements)


def test_each_sdk_is_told_once() -> None:
    told = [line("sdk", version=version, origin="/a") for version in ("1.2.1", "1.7.0", "1.2.1")]

    assert read_ledger(told).sdks == (("1.2.1", "/a"), ("1.7.0", "/a"))


def test_the_cell_says_its_python_and_packages() -> None:
    ledger = read_ledger([line("cell", python="3.12.1", packages={"pytest": "9.2.0"})])

    assert (ledger.python, ledger.packages) == ("3.12.1", {"pytest": "9.2.0"})


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_ENTRIES = st.fixed_dictionaries(
    {"entry": st.sampled_from(["start", "phase", "resource", "measurement", "sdk", "cell", "other"]) | _JSON},
    optional={
        name: _JSON | st.sampled_from([*records.TestOutcome, "setup", "teardown", "t"])
        for name in (
            "test",
            "when",
            "outcome",
            "duration_s",
            "reason",
            "name",
            "state",
            "value",
            "unit",
            "version",
            "python",
            "packages",
        )
    },
)
_LINES = st.lists(st.text(max_size=30) | (_JSON | _ENTRIES).map(json.dumps))


@settings(deadline=None, max_examples=150)
@given(_LINES)
def test_whatever_the_lines_are_they_are_read(lines: list[str]) -> None:
    ledger = read_ledger(lines)

    record(
        tests=ledger.tests, measurements=ledger.measurements, packages=ledger.packages, breaches=read_breaches(lines)
    ).to_json()


def test_a_line_of_brackets_is_read() -> None:
    assert read_ledger(["[" * 100_000]) == read_ledger([])


# ---- Breaches ------------------------------------------------------------------------------------------


def _breach_line(breach: Breach) -> str:
    return json.dumps({"at": 1.5, "pid": 1, "what": breach.what, "event": breach.event, "test": breach.test})


def test_a_breach_that_was_tried_again_is_told_once() -> None:
    assert read_breaches([_breach_line(BREACH)] * 3) == (BREACH,)


def test_half_of_a_line_is_a_breach_still() -> None:
    assert read_breaches(["", _breach_line(BREACH)[:20]]) == (Breach("what cannot be read", "unknown", "unknown"),)


# ---- The file ------------------------------------------------------------------------------------------


def test_a_record_has_every_field() -> None:
    written = json.loads(record(tests=(result("failed", reason="x"),), breaches=(BREACH,)).to_json())

    assert written["schema"] == 1
    assert set(written) == {
        "schema", "cell", "environment", "python", "resolution", "sdk", "outcome", "reason", "counts", "tests",
        "measurements", "started", "finished", "duration_s", "cpu_s", "workers", "base_url", "commit", "arguments",
        "packages", "resources", "requests", "breaches", "seed", "fence",
    }  # fmt: skip
    assert set(written["sdk"]) == {"line", "version", "origin", "sha256"}
    assert set(written["counts"]) == {
        "passed", "failed", "error", "skipped", "not_applicable", "known_defect", "unexpected_pass", "flaky",
    }  # fmt: skip
    assert written["tests"] == [
        {"id": "test_it.py::test_one", "outcome": "failed", "duration_s": 0.5, "attempts": 1, "reason": "x"}
    ]
    assert set(written["resources"]) == {"created", "deleted", "left"}


def test_counts_are_of_outcomes() -> None:
    outcomes = ("passed", "passed", "failed", "not-applicable", "known-defect")

    counts = record(tests=tuple(result(outcome) for outcome in outcomes)).counts

    assert {name: count for name, count in counts.items() if count} == {
        "passed": 2,
        "failed": 1,
        "not_applicable": 1,
        "known_defect": 1,
    }


def _write_again_and_again(folder: Path, writes: int) -> None:
    for number in range(writes):
        records.write(record(reason="x" * 200_000 + str(number)), folder)


def test_a_reader_never_finds_half_a_record(tmp_path: Path) -> None:
    records.write(record(), tmp_path)
    writers = [
        multiprocessing.get_context("spawn").Process(target=_write_again_and_again, args=(tmp_path, 40))
        for _ in range(2)
    ]
    for writer in writers:
        writer.start()
    reads = 0
    while any(writer.is_alive() for writer in writers):
        assert json.loads((tmp_path / "record.json").read_text(encoding="utf-8"))["schema"] == 1
        reads += 1
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0

    assert reads > 0
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


def test_latest_names_the_run_that_came_last(tmp_path: Path) -> None:
    for name in ("one", "two", "two"):
        (tmp_path / name).mkdir(exist_ok=True)
        records.point_latest_at(tmp_path / name)

    assert (tmp_path / "latest").resolve() == tmp_path / "two"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latest", "one", "two"]


# ---- Costs ---------------------------------------------------------------------------------------------


def _leave(results: Path, run: str, text: str, cell: str = "a") -> None:
    folder = results / run / cell
    folder.mkdir(parents=True)
    (folder / "record.json").write_text(text, encoding="utf-8")


def _cost(started: str, seconds: float | None, outcome: Outcome = Outcome.PASSED, cell: str = "a") -> str:
    return record(cell=cell, started=started, duration_s=seconds, outcome=outcome).to_json()


def test_a_cell_costs_what_its_newest_passed_record_says(tmp_path: Path) -> None:
    _leave(tmp_path, "4", _cost("2026-01-01", 10.0))
    _leave(tmp_path, "3", _cost("2026-01-03", 30.0))
    _leave(tmp_path, "2", _cost("2026-01-02", 20.0))
    _leave(tmp_path, "1", _cost("2026-01-04", 1.0, Outcome.FAILED))
    _leave(tmp_path, "0", _cost("2026-01-05", None))
    _leave(tmp_path, "5", _cost("2026-01-01", 5.0, cell="b"), "b")

    assert records.costs(tmp_path) == {"a": 30.0, "b": 5.0}


@pytest.mark.parametrize(
    "junk", ["", "{", "[]", "3", "null", "{}", '{"cell": 1}', '{"cell": "a", "started": 1, "outcome": "passed"}',
             '{"cell": "a", "started": 1, "outcome": "passed", "duration_s": 3.0}',
             '{"cell": "a", "started": "2026", "outcome": "passed", "duration_s": "long"}',
             '{"cell": ["a"], "started": "2026", "outcome": "passed", "duration_s": 3.0}'],
)  # fmt: skip
def test_junk_costs_nothing(tmp_path: Path, junk: str) -> None:
    _leave(tmp_path, "1", _cost("2026-01-01", 10.0))
    _leave(tmp_path, "2", junk)

    assert records.costs(tmp_path) == {"a": 10.0}


def test_no_results_cost_nothing(tmp_path: Path) -> None:
    assert records.costs(tmp_path / "none") == {}


def test_times_are_utc_and_sort_as_text() -> None:
    times = [records.utc_now() for _ in range(3)]

    assert times == sorted(times)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time) for time in times)
