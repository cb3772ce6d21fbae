"""A process that must not outlive another: the lifeline between a supervisor and all it starts.

The supervisor holds the writing end of a named pipe. Whoever must end with it follows the reading end: when the
last writer is gone, however it went, reading returns end-of-file and the follower kills its own process group.
A named pipe is found by path, so a grandchild that was started with all descriptors closed can follow it too.
(`PR_SET_PDEATHSIG` would also fire when the *thread* that spawned the child ends; a pipe doesn't.)

A follower must live in a process group made for it (`start_new_session=True`): the whole group goes.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import runpy
import signal
import sys
import threading

VARIABLE = "MATRIX_LIFELINE"


def hold(path: pathlib.Path) -> int:
    """Make the lifeline at `path` and hold it: the descriptor returned keeps every follower alive."""
    os.mkfifo(path, 0o600)
    # Read and write, because opening a named pipe for writing alone waits for a reader.
    return os.open(path, os.O_RDWR | os.O_CLOEXEC)


def follow(path: str) -> None:
    """From a background thread, kill this process's group as soon as nobody holds `path` any more."""
    threading.Thread(target=_wait_and_die, args=(path,), name="lifeline", daemon=True).start()


def follow_from_environment() -> None:
    """Follow the lifeline that the environment names, here and in every process forked from here."""
    path = os.environ.get(VARIABLE)
    if not path:
        return
    follow(path)
    os.register_at_fork(after_in_child=lambda: follow(path))


def _wait_and_die(path: str) -> None:
    try:
        # Without waiting: opening blocks where nobody holds the other end, which is the case looked for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        _die(path)
        return
    try:
        if os.read(descriptor, 1) == b"":
            _die(path)
    except BlockingIOError:  # somebody holds it
        os.set_blocking(descriptor, True)
        os.read(descriptor, 1)
        _die(path)


def _die(path: str) -> None:
    _kill_followers(path)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _kill_followers(path: str) -> None:
    """Kill whoever was started with this lifeline: a program that is no Python, in a group of its own, too."""
    started_with = f"{VARIABLE}={path}".encode()
    # Where there is no /proc, those that are Python follow by themselves.
    for process in pathlib.Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            pid = int(process.parent.name)
            if pid != os.getpid() and started_with in process.read_bytes().split(b"\0"):
                os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    # A program that knows nothing of lifelines, run by one that does: python -m environments.inside.lifeline MODULE …
    follow_from_environment()
    # It alone follows, and takes its group along: what it starts in groups of their own ends in its own order.
    os.environ.pop(VARIABLE, None)
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
