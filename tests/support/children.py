"""Python children: programs that make the first tracer of a process, and end as programs end.

    told = children.answer(PROGRAM, "an argument")

A program tells by `answer(value)`: JSON, into a file, because the SDK logs to standard output. It is pointed at the
target by its environment, as a user's program is. What it answers under `session_id` is deleted when the test ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

# Forking is safe where a system's libraries say so: on macOS they don't.
_CAN_FORK = sys.platform == "linux"
_LONGEST_START_S = 60.0
_ANSWER = "MATRIX_ANSWER"
_PRELUDE = f"""\
import json as _json, os as _os

def answer(value):
    with open(_os.environ["{_ANSWER}"] + ".partial", "w") as file:
        _json.dump(value, file)
    _os.replace(_os.environ["{_ANSWER}"] + ".partial", _os.environ["{_ANSWER}"])

"""


class Process(Protocol):
    """What a child is: `wait` returns its status, or raises subprocess.TimeoutExpired."""

    @property
    def pid(self) -> int: ...

    def wait(self, timeout: float) -> int: ...


@dataclass(frozen=True)
class Ended:
    """A child that ended. `status` is negative for the signal that killed it."""

    status: int
    out: str
    err: str
    took_s: float
    answer: Any

    def __str__(self) -> str:
        return f"status {self.status}, after {self.took_s:.1f} s\n--- out ---\n{self.out}\n--- err ---\n{self.err}"


@dataclass
class Child:
    """A child that was started."""

    process: Process
    folder: Path
    within_s: float
    on_session: Callable[[str], None]
    is_over: bool = False
    _started: float = field(default_factory=time.monotonic)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.process.pid, number)

    def answered(self) -> Any:  # noqa: ANN401 - JSON
        """Return what it has answered so far, or None."""
        file = self.folder / "answer"
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None

    def ended(self) -> Ended:
        """Wait for its end; one that does not come in time is an error that shows what the child wrote."""
        try:
            status = self.process.wait(max(0.0, self._started + self.within_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.kill()
            text = "\n".join(self._text(name) for name in ("out", "err"))
            raise AssertionError(f"the program did not end within {self.within_s:g} s; it wrote:\n{text}") from None
        self.is_over = True
        told = self.answered()
        if isinstance(told, dict) and told.get("session_id"):
            self.on_session(told["session_id"])
        return Ended(status, self._text("out"), self._text("err"), time.monotonic() - self._started, told)

    def kill(self) -> None:
        """Kill it where it still runs."""
        if not self.is_over:
            with contextlib.suppress(ProcessLookupError):
                self.signal(signal.SIGKILL)
            self.process.wait(_LONGEST_START_S)
            self.is_over = True

    def _text(self, name: str) -> str:
        file = self.folder / name
        return file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""


class Nursery:
    """The process that has imported the SDK, and the children that it forked: one per worker, made when needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._pending = b""
        self._started: list[int] = []
        self._ended: dict[int, int] = {}

    def fork(self, work: Mapping[str, Any]) -> Forked:
        """Start a child."""
        if self._process is None:
            command = [sys.executable, "-m", "tests.support.nursery"]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self._next_started()  # itself: it has imported the SDK
        assert self._process.stdin is not None
        self._process.stdin.write((json.dumps(work) + "\n").encode())
        self._process.stdin.flush()
        return Forked(self._next_started(), self)

    def wait(self, pid: int, timeout: float) -> int:
        """Return the status of a child that ends in time."""
        self._listen(lambda: pid in self._ended, timeout)
        return self._ended[pid]

    def close(self) -> None:
        """End the process: it ends when it is told nothing more."""
        if self._process is not None:
            self._process.communicate(timeout=_LONGEST_START_S)

    def _next_started(self) -> int:
        self._listen(lambda: bool(self._started), _LONGEST_START_S)
        return self._started.pop()

    def _listen(self, enough: Callable[[], bool], timeout: float) -> None:
        """Read what the process tells until it is enough."""
        assert self._process is not None
        assert self._process.stdout is not None
        deadline = time.monotonic() + timeout
        while not enough():
            if not select.select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise subprocess.TimeoutExpired(self._process.args, timeout)
            read = os.read(self._process.stdout.fileno(), 65536)
            assert read, f"the process that forks children ended with {self._process.wait()}"
            *lines, self._pending = (self._pending + read).split(b"\n")
            for told in map(json.loads, lines):
                if "started" in told:
                    self._started.append(told["started"])
                else:
                    self._ended[told["ended"]] = told["status"]


@dataclass(frozen=True)
class Forked:
    """A child of the nursery."""

    pid: int
    nursery: Nursery

    def wait(self, timeout: float) -> int:
        """Return its status."""
        return self.nursery.wait(self.pid, timeout)


@dataclass
class Children:
    """Runs programs as children of this test, bounded in time; none outlives the test."""

    folder: Path
    variables: Mapping[str, str]
    within_s: float
    nursery: Nursery
    on_session: Callable[[str], None]
    _started: list[Child] = field(default_factory=list)

    def answer(self, program: str, *arguments: str, fresh: bool = False, **variables: str) -> Any:  # noqa: ANN401 - JSON
        """Return what a program answers that ends well."""
        ended = self.run(program, *arguments, fresh=fresh, **variables)
        assert ended.status == 0, f"the program failed: {ended}"
        return ended.answer

    def run(self, program: str, *arguments: str, fresh: bool = False, **variables: str) -> Ended:
        """Run a program to its end."""
        return self.start(program, *arguments, fresh=fresh, **variables).ended()

    def start(self, program: str, *arguments: str, fresh: bool = False, **variables: str) -> Child:
        """Start a program; the test goes on beside it. `fresh` starts Python anew: the SDK is imported by itself."""
        folder = self.folder / f"child-{len(self._started)}"
        folder.mkdir()
        script = folder / "program.py"
        script.write_text(_PRELUDE + textwrap.dedent(program), encoding="utf-8")
        environ = {**os.environ, **self.variables, **variables, _ANSWER: str(folder / "answer")}
        process: Process
        if _CAN_FORK and not fresh:
            process = self.nursery.fork(
                {"program": str(script), "argv": list(arguments), "environ": environ}
                | {"out": str(folder / "out"), "err": str(folder / "err")}
            )
        else:
            process = _spawn([sys.executable, str(script), *arguments], environ, folder)
        self._started.append(Child(process, folder, self.within_s, self.on_session))
        return self._started[-1]

    def close(self) -> None:
        """Kill what is still running."""
        for child in self._started:
            child.kill()


def _spawn(command: list[str], environ: Mapping[str, str], folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        return subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=out, stderr=err)


@contextlib.contextmanager
def nursery() -> Iterator[Nursery]:
    """Have a nursery, which starts when it is needed."""
    held = Nursery()
    try:
        yield held
    finally:
        held.close()
