"""A service as a process: start it, wait until it answers, stop it. It dies with whoever started it.

A service is `python -m <module> --config -`: it reads one JSON line from stdin, binds a free port, answers, and only
then writes one JSON line with its `url`, and those of what else it was asked to serve. It follows the
lifeline of its starter (see `environments.inside.lifeline`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from environments import project
from environments.errors import ServiceFailed
from environments.inside import lifeline

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping
    from pathlib import Path

_READY_WITHIN_S = 20
_STOP_WITHIN_S = 2
# What a service may know of the environment that its starter runs in: no key of any profile.
_KEPT = ("PATH", "HOME", "TMPDIR", "LANG", "VIRTUAL_ENV")


@dataclass(frozen=True)
class ServiceSpec:
    """What to start: a name for people, the module to run, and the line of configuration it reads."""

    name: str
    module: str
    config: Mapping[str, Any] = field(repr=False)
    # What it is to listen on, where that was bound for it: the configuration gets their descriptors as `sockets`.
    sockets: tuple[socket.socket, ...] = ()

    @property
    def line(self) -> bytes:
        """The line that the service reads."""
        sockets = {"sockets": [each.fileno() for each in self.sockets]} if self.sockets else {}
        return json.dumps({**self.config, **sockets}).encode() + b"\n"


@dataclass(frozen=True)
class RunningService:
    """A service that answers."""

    spec: ServiceSpec
    process: asyncio.subprocess.Process
    # As the service told them: `url`, and what else it was asked to serve.
    urls: Mapping[str, str]

    @property
    def url(self) -> str:
        return self.urls["url"]

    async def died(self) -> str:
        """Wait until the process ends by itself, and say how."""
        return f"the service {self.spec.name} {_how(await self.process.wait())}"

    async def stop(self) -> None:
        """Stop it: SIGTERM, and SIGKILL to its whole group where that doesn't do."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.process.wait(), _STOP_WITHIN_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


def plain_environment() -> dict[str, str]:
    """Return what a process of ours needs of this one's environment: no setting and no key is in it."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ}


async def start(spec: ServiceSpec, lifeline_path: Path, log: Path) -> RunningService:
    """Start a service and wait until it answers; its stderr goes to `log`. Raises ServiceFailed."""
    with log.open("ab") as stderr:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", spec.module, "--config", "-"),
            cwd=project.ROOT,
            env={**plain_environment(), lifeline.VARIABLE: str(lifeline_path)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            pass_fds=[each.fileno() for each in spec.sockets],
            start_new_session=True,
        )
    try:
        urls = await asyncio.wait_for(_ready(process, spec), _READY_WITHIN_S)
    except BaseException as error:  # being cancelled included: whatever the reason, it must not go on alone
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        if isinstance(error, TimeoutError | ValueError | OSError):
            raise _failed(spec, process, log, error) from None
        raise
    return RunningService(spec, process, urls)


async def _ready(process: asyncio.subprocess.Process, spec: ServiceSpec) -> Mapping[str, str]:
    assert process.stdin is not None  # both are pipes, as asked
    assert process.stdout is not None
    process.stdin.write(spec.line)
    await process.stdin.drain()
    process.stdin.close()
    urls: Mapping[str, str] = json.loads(await process.stdout.readline())
    return urls


def _failed(spec: ServiceSpec, process: asyncio.subprocess.Process, log: Path, error: Exception) -> ServiceFailed:
    told = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:]
    what = "did not answer in time" if isinstance(error, TimeoutError) else f"did not start ({process.returncode})"
    return ServiceFailed(
        f"the service {spec.name} {what}" + "".join(f"\n    {line}" for line in told),
        expected=f"an answer within {_READY_WITHIN_S} s",
        remedy="run the cell again; if it persists, start the service by hand with `nox -s serve`",
    )


def _how(status: int) -> str:
    return f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with {status}"
