from __future__ import annotations

import sys

import pytest

from environments.results import record
from tests.unit.inside.running import Inside

EVERY_OUTCOME = """
import pytest

def test_passes(): pass
def test_fails(): assert 1 == 2, "one is no two"

@pytest.fixture
def broken(): raise OSError("no such thing")
def test_with_broken_setup(broken): pass

@pytest.fixture
def leaking():
    yield
    raise OSError("cannot let go")
def test_with_broken_teardown(leaking): pass

def test_skips(): pytest.skip("the moon is full")
@pytest.mark.skip(reason="for now")
def test_is_skipped(): pass

@pytest.mark.xfail(reason="DEF-1")
def test_known_defect(): assert False
@pytest.mark.xfail(reason="DEF-2")
def test_fixed_defect(): pass
@pytest.mark.xfail(reason="DEF-3", strict=False)
def test_loosely_known_defect(): pass
def test_says_so_itself(): pytest.xfail("DEF-4")

@pytest.mark.sdk("<1")
def test_of_another_sdk(): pass

@pytest.mark.xdist_group("a-few")
def test_of_a_group(): pass
@pytest.mark.parametrize("address", ["a@b"])
def test_an_address(address): pass
@pytest.mark.xdist_group("a-few")
@pytest.mark.parametrize("address", ["a@b"])
def test_an_address_of_a_group(address): pass
"""
OUTCOMES = {
    "test_passes": {"setup": "passed", "call": "passed", "teardown": "passed"},
    "test_fails": {"setup": "passed", "call": "failed", "teardown": "passed"},
    "test_with_broken_setup": {"setup": "error", "teardown": "passed"},
    "test_with_broken_teardown": {"setup": "passed", "call": "passed", "teardown": "error"},
    "test_skips": {"setup": "passed", "call": "skipped", "teardown": "passed"},
    "test_is_skipped": {"setup": "skipped", "teardown": "passed"},
    "test_known_defect": {"setup": "passed", "call": "known-defect", "teardown": "passed"},
    "test_fixed_defect": {"setup": "passed", "call": "unexpected-pass", "teardown": "passed"},
    "test_loosely_known_defect": {"setup": "passed", "call": "unexpected-pass", "teardown": "passed"},
    "test_says_so_itself": {"setup": "passed", "call": "known-defect", "teardown": "passed"},
    "test_of_another_sdk": {"setup": "not-applicable", "teardown": "passed"},
    "test_of_a_group": {"setup": "passed", "call": "passed", "teardown": "passed"},
    "test_an_address[a@b]": {"setup": "passed", "call": "passed", "teardown": "passed"},
    "test_an_address_of_a_group[a@b]": {"setup": "passed", "call": "passed", "teardown": "passed"},
}
ALONE: tuple[str, ...] = ()
WORKERS = ("-p", "xdist", "-n", "2", "--dist", "loadgroup", "--max-worker-restart=0")


@pytest.fixture(scope="module", params=[ALONE, WORKERS], ids=["alone", "workers"])
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Inside:
    """Run a test of every outcome, in one process and in several."""
    inside = Inside(tmp_path_factory.mktemp("ledger") / "cell")
    inside.aim()
    inside.install_sdk("1.2.0")
    ended = inside.pytest("import honeyhive\n" + EVERY_OUTCOME, *request.param)
    assert ended.status == 1, ended
    return inside


def _read(inside: Inside) -> record.Ledger:
    return record.read_ledger((inside.folder / "ledger.jsonl").read_text().splitlines())


def test_every_phase_is_written_with_its_outcome(ran: Inside) -> None:
    assert ran.phases() == OUTCOMES


@pytest.mark.parametrize(
    ("test", "reason"),
    [
        ("test_passes", ""),
        ("test_fails", "AssertionError: one is no two\nassert 1 == 2"),
        ("test_with_broken_setup", "OSError: no such thing"),
        ("test_with_broken_teardown", "OSError: cannot let go"),
        ("test_skips", "the moon is full"),
        ("test_is_skipped", "for now"),
        ("test_fixed_defect", "[XPASS(strict)] DEF-2"),
        ("test_loosely_known_defect", "DEF-3"),
        ("test_of_another_sdk", "needs honeyhive <1, this cell tests 1.2.0"),
    ],
)
def test_a_reason_is_the_test_s_own(ran: Inside, test: str, reason: str) -> None:
    told = {one.id.rpartition("::")[2]: one.reason for one in _read(ran).tests}

    assert told[test] == reason


def test_every_test_is_begun_once_and_every_one_ended(ran: Inside) -> None:
    begun = [entry["test"] for entry in ran.entries("start")]

    assert sorted(begun) == sorted(f"test_it.py::{name}" for name in OUTCOMES)
    assert _read(ran).unfinished == ()


def test_the_sdk_is_the_one_that_was_imported(ran: Inside) -> None:
    assert _read(ran).sdks == (("1.2.0", str(ran.path / "honeyhive" / "__init__.py")),)


def test_the_cell_is_told_once_with_its_python_and_packages(ran: Inside) -> None:
    (told,) = ran.entries("cell")

    assert told["python"] == ".".join(map(str, sys.version_info[:3]))
    assert told["packages"]["honeyhive"] == "1.2.0"
    assert told["packages"]["pytest"] == pytest.__version__


@pytest.fixture
def cell(inside: Inside) -> Inside:
    """Lay out a cell that tests honeyhive 1.2.0."""
    inside.aim()
    inside.install_sdk("1.2.0")
    return inside


def test_an_sdk_that_no_test_imported_is_not_told(cell: Inside) -> None:
    cell.pytest("def test_one(): pass")

    assert cell.entries("sdk") == []


@pytest.mark.parametrize("arguments", [ALONE, WORKERS], ids=["alone", "workers"])
def test_an_error_of_collection_is_an_error_of_its_module(cell: Inside, arguments: tuple[str, ...]) -> None:
    ended = cell.pytest("import no_such_module", *arguments)

    (told,) = _read(cell).tests
    assert (told.id, told.outcome) == ("test_it.py", record.TestOutcome.ERROR), ended
    assert "No module named 'no_such_module'" in told.reason


def test_a_worker_that_dies_takes_its_test_down_by_name(cell: Inside) -> None:
    ended = cell.pytest("import os\ndef test_one(): os._exit(0)\ndef test_two(): pass", *WORKERS)

    found = {one.id: one.outcome for one in _read(cell).tests}
    assert ended.status == 1
    assert found["test_it.py::test_one"] is record.TestOutcome.ERROR, ended
    assert _read(cell).unfinished == ()


def test_a_process_that_dies_leaves_its_test_unfinished(cell: Inside) -> None:
    cell.pytest("import os\ndef test_one(): pass\ndef test_two(): os._exit(0)")

    found = _read(cell)
    assert [one.id for one in found.tests] == ["test_it.py::test_one"]
    assert found.unfinished == ("test_it.py::test_two",)
    assert found.python is None


def test_outside_of_a_cell_nothing_is_written(inside: Inside) -> None:
    ended = inside.pytest("def test_one(): pass", *ALONE, plugins=["ledger"])

    assert ended.status == 0, ended
    assert not (inside.folder / "ledger.jsonl").exists()
