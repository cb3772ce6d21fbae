from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from environments import project
from environments.inside import lifeline
from tests.unit.inside.running import WITHIN_S
from tests.unit.waiting import is_gone, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.inside.running import Inside

DIES_WITHIN_S = 5
# Says that it is up, then whatever it is told.
ECHO = """
import sys
print("up", flush=True)
for line in sys.stdin:
    print(line.strip(), flush=True)
"""


@contextmanager
def _talking(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """Let go of a child, whatever its test came to."""
    with process:
        try:
            yield process
        finally:
            process.kill()


def _says(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _answers(process: subprocess.Popen[str]) -> bool:
    assert process.stdin is not None
    process.stdin.write("ping\n")
    process.stdin.flush()
    return _says(process) == "ping"


def test_a_follower_lives_while_the_lifeline_is_held_and_dies_when_it_is_let_go(inside: Inside) -> None:
    held = inside.hold_lifeline()
    with _talking(inside.start(ECHO)) as follower:
        assert _says(follower) == "up"
        assert _answers(follower)

        os.close(held)

        assert follower.wait(DIES_WITHIN_S) == -signal.SIGKILL


def test_a_follower_dies_when_the_holder_is_killed(inside: Inside) -> None:
    hold = "import pathlib, sys\nfrom environments.inside import lifeline\nlifeline.hold(pathlib.Path(sys.argv[1]))\n"
    with _talking(inside.start(hold + ECHO, inside.lifeline)) as holder:
        assert _says(holder) == "up"
        inside.variables[lifeline.VARIABLE] = str(inside.lifeline)
        with _talking(inside.start(ECHO)) as follower:
            assert _says(follower) == "up"

            holder.kill()

            assert follower.wait(DIES_WITHIN_S) == -signal.SIGKILL


def test_a_process_that_starts_after_the_holder_is_gone_dies(inside: Inside) -> None:
    os.close(inside.hold_lifeline())

    with _talking(inside.start("input()")) as follower:
        assert follower.wait(DIES_WITHIN_S) == -signal.SIGKILL


def test_a_process_that_starts_after_the_file_is_gone_dies(inside: Inside) -> None:
    inside.variables[lifeline.VARIABLE] = str(inside.lifeline)

    with _talking(inside.start("input()")) as follower:
        assert follower.wait(DIES_WITHIN_S) == -signal.SIGKILL


def test_a_process_without_a_lifeline_follows_none(inside: Inside) -> None:
    assert inside.python("print('fine')").out == "fine\n"


GRANDCHILDREN = {
    "forked": "pid = os.fork()\nif pid == 0:\n    os.setsid(); print(os.getpid(), flush=True); time.sleep(60)",
    "forked twice": (
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        os.setsid(); print(os.getpid(), flush=True)\n"
        "    time.sleep(60)"
    ),
    "started with all descriptors closed, in a session of its own": (
        "child = subprocess.Popen([sys.executable, '-c', 'import os, time; print(os.getpid(), flush=True);"
        " time.sleep(60)'], close_fds=True, start_new_session=True)"
    ),
}


@pytest.mark.parametrize("how", GRANDCHILDREN)
def test_a_grandchild_follows_too(inside: Inside, how: str) -> None:
    held = inside.hold_lifeline()
    source = f"import os, subprocess, sys, time\n{GRANDCHILDREN[how]}\ntime.sleep(60)"
    with _talking(inside.start(source)) as child:
        grandchild = int(_says(child))
        assert not is_gone(grandchild)

        os.close(held)

        wait_until(lambda: is_gone(grandchild), "the grandchild's death", DIES_WITHIN_S)
        assert child.wait(DIES_WITHIN_S) == -signal.SIGKILL


def test_the_whole_group_of_a_follower_goes(inside: Inside) -> None:
    held = inside.hold_lifeline()
    # `sleep` knows nothing of lifelines.
    source = "import subprocess, time\nprint(subprocess.Popen(['sleep', '60']).pid, flush=True)\ntime.sleep(60)"
    with _talking(inside.start(source)) as child:
        sleeping = int(_says(child))

        os.close(held)

        wait_until(lambda: is_gone(sleeping), "the group's death", DIES_WITHIN_S)


def test_the_end_of_a_thread_that_started_it_is_none_of_a_follower_s_business(inside: Inside) -> None:
    held = inside.hold_lifeline()
    source = """
    import subprocess, sys, threading
    def start():
        global child
        child = subprocess.Popen([sys.executable, "-c", "print(input(), flush=True)"], stdin=-1, text=True,
                                 start_new_session=True)
    starter = threading.Thread(target=start); starter.start(); starter.join()
    child.communicate("still here")
    """
    with _talking(inside.start(source)) as child:
        assert _says(child) == "still here"
    os.close(held)


# ---- As a command --------------------------------------------------------------------------------------


def _run(inside: Inside, *arguments: str) -> subprocess.Popen[str]:
    (inside.folder / "ignorant.py").write_text(
        "import sys\n"
        "if __name__ == '__main__':\n"
        "    print(sys.argv[1:], flush=True); sys.exit(sys.stdin.read() != '')\n"
    )
    return subprocess.Popen(
        [sys.executable, "-m", "environments.inside.lifeline", "ignorant", *arguments],
        cwd=inside.folder,
        env={"PYTHONPATH": f"{project.ROOT}:{inside.folder}", **_only_lifeline(inside)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _only_lifeline(inside: Inside) -> dict[str, str]:
    return {name: value for name, value in inside.variables.items() if name == lifeline.VARIABLE}


def test_the_command_runs_a_module_with_its_own_arguments_and_status(inside: Inside) -> None:
    with _talking(_run(inside, "-j", "4", "--", "x")) as ignorant:
        out, _ = ignorant.communicate("something", timeout=WITHIN_S)

    assert out == "['-j', '4', '--', 'x']\n"
    assert ignorant.returncode == 1


def test_a_module_that_knows_nothing_of_lifelines_dies_with_one(inside: Inside) -> None:
    held = inside.hold_lifeline()
    with _talking(_run(inside)) as ignorant:
        assert _says(ignorant) == "[]"

        os.close(held)

        assert ignorant.wait(DIES_WITHIN_S) == -signal.SIGKILL
