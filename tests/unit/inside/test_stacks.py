from __future__ import annotations

import os
from typing import TYPE_CHECKING

from environments.inside import stacks
from tests.unit.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.inside.running import Inside

WAITING = """
import os, sys, threading
in_thread = threading.Event()
def waits_in_a_thread(): in_thread.set(); threading.Event().wait()
def waits_in_main(): print(os.getpid(), flush=True); sys.stdin.readline()
threading.Thread(target=waits_in_a_thread, daemon=True).start()
in_thread.wait()
if "fork" in sys.argv: os.fork()
waits_in_main()
print("alive", flush=True)
"""


def _dumped(file: Path, *words: str) -> bool:
    text = file.read_text()
    return all(word in text for word in words)


def test_the_signal_writes_the_stacks_of_all_threads_and_nothing_ends(inside: Inside) -> None:
    with inside.start(WAITING) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        pid = int(process.stdout.readline())

        os.kill(pid, stacks.SIGNAL)

        file = inside.stacks / f"{pid}.txt"
        wait_until(lambda: _dumped(file, "waits_in_a_thread", "waits_in_main"), "both stacks")
        process.stdin.write("go on\n")
        process.stdin.flush()
        assert process.stdout.readline() == "alive\n"


def test_a_forked_process_writes_to_a_file_of_its_own(inside: Inside) -> None:
    with inside.start(WAITING, "fork") as process:
        assert process.stdout is not None
        pids = {int(process.stdout.readline()), int(process.stdout.readline())}

        os.killpg(process.pid, stacks.SIGNAL)

        for pid in pids:
            wait_until(lambda file=inside.stacks / f"{pid}.txt": _dumped(file, "waits_in_main"), "a stack")  # type: ignore[misc]
        os.killpg(process.pid, 9)


def test_each_of_many_generations_opens_one_file(inside: Inside) -> None:
    ended = inside.python(
        """
        import os, sys
        opened = []
        sys.addaudithook(lambda event, told: opened.append(told[0]) if event == "open" else None)
        for generation in range(8):
            opened.clear()
            if child := os.fork():
                os.waitpid(child, 0)
                os._exit(0)
        print(sum(str(path).endswith(f"{os.getpid()}.txt") for path in opened))
        """
    )

    assert ended.out == "1\n", ended


def test_without_a_folder_nothing_is_registered(inside: Inside) -> None:
    del inside.variables[stacks.VARIABLE]

    ended = inside.python("import os, signal; os.kill(os.getpid(), signal.SIGUSR1)")

    assert ended.status == -stacks.SIGNAL
