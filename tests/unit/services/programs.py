"""A service's real program, started as its users start it."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from environments.inside import lifeline

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
WITHIN_S = 20


def command(service: str) -> tuple[str, ...]:
    """Return the command line that starts a service of `environments.services`."""
    return (sys.executable, "-m", f"environments.services.{service}")


@contextmanager
def started(service: str, *arguments: str, stdin: str = "") -> Iterator[subprocess.Popen[str]]:
    """Start the program, and see that it ends."""
    pipe = subprocess.PIPE
    line = [*command(service), *arguments]
    process = subprocess.Popen(line, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    with process:
        try:
            assert process.stdin is not None
            process.stdin.write(stdin + "\n")
            process.stdin.flush()
            yield process
        finally:
            process.terminate()
            try:
                process.wait(WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    assert process.stderr is not None
    line = process.stdout.readline()
    assert line, process.stderr.read()
    return line


def end_without_supervisor(service: str, line: str, folder: Path) -> int:
    """Start the program as a supervisor does, let the supervisor be gone, and return the program's status."""
    held = lifeline.hold(folder / "lifeline")
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [*command(service), "--config", "-"],
        cwd=ROOT,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        text=True,
        env={**os.environ, lifeline.VARIABLE: str(folder / "lifeline")},
        start_new_session=True,
    )
    with process:
        assert process.stdin is not None
        process.stdin.write(line + "\n")
        process.stdin.flush()
        first_line(process)
        os.close(held)
        return process.wait(WITHIN_S)
