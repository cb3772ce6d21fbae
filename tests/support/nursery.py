"""A process that has imported the SDK and forks a child for each program it is given.

Importing the SDK takes two seconds, forking milliseconds. It makes no tracer itself, so each child is like a new
process but for what the SDK reads from the environment when it is imported.

It is told, a JSON line each on its standard input, what to run: {"program", "argv", "environ", "out", "err"}; and
tells, a line each on its standard output: {"started": pid}, {"ended": pid, "status": …}.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import select
import sys
import types
import warnings
from pathlib import Path
from typing import Any

_LOOK_S = 0.01


def nurse() -> dict[str, Any] | None:
    """Fork a child per line; return, in the child, what it was told to run, and None when there is no more."""
    told, tell = os.fdopen(os.dup(0), "rb", buffering=0), os.dup(1)
    pending = b""
    while True:
        if select.select([told], [], [], _LOOK_S)[0]:
            read = told.read(65536)
            if not read:
                return None
            pending += read
        *lines, pending = pending.split(b"\n")
        for line in lines:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of forking beside the lifeline's thread, which holds no lock
                child = os.fork()
            if child == 0:
                told.close()
                os.close(tell)
                work: dict[str, Any] = json.loads(line)
                return work
            _tell(tell, started=child)
        _reap(tell)


def _reap(tell: int) -> None:
    while True:
        try:
            child, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if child == 0:
            return
        _tell(tell, ended=child, status=os.waitstatus_to_exitcode(status))


def _tell(descriptor: int, **what: int) -> None:
    os.write(descriptor, (json.dumps(what) + "\n").encode())


def become(work: dict[str, Any]) -> None:
    """Make this forked child look like one that was started for its program, and run that."""
    os.environ.clear()
    os.environ.update(work["environ"])
    for descriptor, path in ((0, os.devnull), (1, work["out"]), (2, work["err"])):
        opened = os.open(path, os.O_RDONLY if descriptor == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.argv[:] = [work["program"], *work["argv"]]
    main = types.ModuleType("__main__")
    main.__dict__.update(__file__=work["program"], __builtins__=__builtins__)
    sys.modules["__main__"] = main
    exec(compile(Path(work["program"]).read_text(encoding="utf-8"), work["program"], "exec"), main.__dict__)  # noqa: S102


if __name__ == "__main__":
    import honeyhive

    from environments.inside import ledger

    # A run of nothing but children has imported the SDK too.
    ledger.write(entry="sdk", version=importlib.metadata.version("honeyhive"), origin=honeyhive.__file__)
    _tell(1, started=os.getpid())
    _work = nurse()
    if _work is not None:
        # Here and in no function: the program ends as any program does, through the interpreter's own end.
        become(_work)
