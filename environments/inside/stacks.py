"""The stacks of all threads, on request: what a supervisor asks of a cell that ran out of time."""

import faulthandler
import os
import signal
from pathlib import Path

VARIABLE = "MATRIX_STACKS"
SIGNAL = signal.SIGUSR1


def dump_on_signal() -> None:
    """Write every thread's stack to a file of this process, in the folder that the environment names, on SIGNAL."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        return
    _register(Path(folder))
    os.register_at_fork(after_in_child=lambda: _register(Path(folder)))


def _register(folder: Path) -> None:
    # A file, because pytest captures stderr. Open for as long as the process lives: faulthandler writes to the
    # descriptor from the signal handler itself, where nothing can be opened.
    file = (folder / f"{os.getpid()}.txt").open("w")
    faulthandler.register(SIGNAL, file=file, all_threads=True)
