from __future__ import annotations

import json
import os
import signal
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from environments import project
from environments.inside import target
from tests.support import children as programs
from tests.unit.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[programs.Nursery]:
    """Have a nursery whose SDK is one that does nothing but say that it was imported."""
    sdk = tmp_path_factory.mktemp("sdk")
    (sdk / "honeyhive.py").write_text("import os\nimported_by = os.getpid()\n")
    metadata = sdk / "honeyhive-1.2.0.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: honeyhive\nVersion: 1.2.0\n")
    with pytest.MonkeyPatch.context() as variables:
        variables.setenv("PYTHONPATH", f"{sdk}:{project.ROOT}")
        variables.delenv(target.VARIABLE, raising=False)
        with programs.nursery() as held:
            yield held


@pytest.fixture
def sessions() -> list[str]:
    """Collect the sessions that programs answered."""
    return []


@pytest.fixture
def children(tmp_path: Path, nursery: programs.Nursery, sessions: list[str]) -> Iterator[programs.Children]:
    """Run programs."""
    running = programs.Children(tmp_path, {"COLOUR": "blue"}, 20, nursery, sessions.append)
    yield running
    running.close()


def test_a_program_answers_in_json_whatever_it_prints(children: programs.Children) -> None:
    ended = children.run("import sys; print('noise'); answer({'said': sys.argv[1:]})", "ä b", "c")

    assert (ended.status, ended.answer, ended.out) == (0, {"said": ["ä b", "c"]}, "noise\n")


def test_a_program_has_the_variables_of_the_test_and_its_own(children: programs.Children) -> None:
    program = "import os; answer([os.environ['COLOUR'], os.environ['SIZE'], os.environ['PATH']])"

    assert children.answer(program, SIZE="large") == ["blue", "large", os.environ["PATH"]]
    assert children.answer("import os; answer(os.environ.get('SIZE'))") is None


def test_the_sdk_was_imported_before_the_program_and_in_a_fresh_one_by_it(children: programs.Children) -> None:
    program = "import honeyhive, os; answer([honeyhive.imported_by, os.getpid()])"

    first, second = children.answer(program), children.answer(program)
    imported_by, itself = children.answer(program, fresh=True, PYTHONPATH=f"{_sdk(children)}")

    assert first[0] == second[0]
    assert len({first[0], first[1], second[1]}) == 3
    assert imported_by == itself


def _sdk(children: programs.Children) -> str:
    return str(children.answer("import honeyhive; answer(honeyhive.__file__)")).rpartition("/")[0]


@pytest.mark.parametrize("fresh", [False, True], ids=["forked", "fresh"])
@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("", 0),
        ("import sys; sys.exit(3)", 3),
        ("raise ValueError('unlucky')", 1),
        ("import os; os._exit(4)", 4),
        ("import os; os.kill(os.getpid(), 15)", -15),
    ],
    ids=["end", "exit", "exception", "_exit", "signal"],
)
def test_a_program_ends_with_its_own_status(
    children: programs.Children, program: str, status: int, *, fresh: bool
) -> None:
    ended = children.run(program, fresh=fresh)

    assert ended.status == status, ended
    assert ("unlucky" in ended.err) is ("unlucky" in program)


def test_a_program_ends_as_programs_do(children: programs.Children) -> None:
    ended = children.run("import atexit; atexit.register(lambda: answer('at the end'))")

    assert ended.answer == "at the end"


def test_a_program_is_the_main_module_and_its_functions_can_be_sent_to_others(children: programs.Children) -> None:
    program = """
    import multiprocessing, os
    def name(_): return __name__, os.getppid() != 0
    if __name__ == "__main__":
        with multiprocessing.get_context("fork").Pool(1) as pool:
            answer(pool.map(name, [1]))
    """

    assert children.answer(program) == [["__main__", True]]


def test_several_programs_run_at_once_and_each_has_its_own_answer(children: programs.Children) -> None:
    started = [children.start(f"import time; time.sleep(0.2); answer({number})") for number in range(3)]

    assert [child.ended().answer for child in reversed(started)] == [2, 1, 0]


def test_a_program_can_be_told_something_while_it_runs(children: programs.Children) -> None:
    child = children.start("import time; answer('begun'); time.sleep(60)")
    wait_until(lambda: child.answered() == "begun", "the program began")

    child.signal(signal.SIGTERM)

    assert child.ended().status == -signal.SIGTERM


def test_a_program_that_does_not_end_is_killed_and_what_it_wrote_is_shown(
    tmp_path: Path, nursery: programs.Nursery
) -> None:
    children = programs.Children(tmp_path, {}, 0.5, nursery, lambda _: None)
    child = children.start("import time; print('waiting', flush=True); time.sleep(60)")

    with pytest.raises(AssertionError, match=r"did not end within 0.5 s; it wrote:\nwaiting"):
        child.ended()

    assert not psutil.pid_exists(child.process.pid)


def test_what_still_runs_when_the_test_ends_is_killed(tmp_path: Path, nursery: programs.Nursery) -> None:
    children = programs.Children(tmp_path, {}, 20, nursery, lambda _: None)
    pids = [children.start("import time; time.sleep(60)", fresh=fresh).process.pid for fresh in (False, True)]
    began = time.monotonic()

    children.close()

    assert time.monotonic() - began < 10
    assert [pid for pid in pids if psutil.pid_exists(pid)] == []


def test_a_program_that_fails_shows_what_it_wrote(children: programs.Children) -> None:
    with pytest.raises(AssertionError, match="RuntimeError: no stock"):
        children.answer("raise RuntimeError('no stock')")


def test_the_session_that_a_program_answers_is_told(children: programs.Children, sessions: list[str]) -> None:
    children.answer("answer({'session_id': 'one'})")
    children.run("answer({'session_id': None})")
    children.run("answer(['session_id'])")

    assert sessions == ["one"]


def test_a_run_of_nothing_but_children_has_imported_the_sdk(
    ledger: Path, tmp_path: Path, children: programs.Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    sdk = _sdk(children)
    monkeypatch.setenv("PYTHONPATH", f"{sdk}:{project.ROOT}")
    (tmp_path / "own").mkdir()
    with programs.nursery() as own:
        programs.Children(tmp_path / "own", {}, 20, own, lambda _: None).run("")

    (told,) = map(json.loads, ledger.read_text().splitlines())
    assert (told["entry"], told["version"], told["origin"]) == ("sdk", "1.2.0", f"{sdk}/honeyhive.py")
