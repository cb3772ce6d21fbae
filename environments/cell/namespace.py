"""A cell's network namespace: a network of its own, in which nothing exists but what listens for this cell.

A listening socket stays in the namespace that it was made in, whoever accepts on it. So a holder makes the namespace
and the sockets in it, hands the sockets out and stays; the gateway, outside, accepts on them; pytest runs inside,
where any program, Python or not, finds no other way out. Linux only, and not everywhere: containers and hardened
kernels may forbid user namespaces.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import shutil
import socket
import struct
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from environments import project
from environments.inside import lifeline
from environments.services import process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

_LOOPBACK = "127.0.0.1"
_MADE_WITHIN_S = 10
# linux/sockios.h and linux/if.h
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1
_TOOLS = ("unshare", "nsenter")


class NamespaceUnavailable(Exception):
    """This system does not let this user have a network namespace. The text says why."""


@dataclass(frozen=True)
class Namespace:
    """A namespace that is held open, and the sockets that were bound in it."""

    listeners: tuple[socket.socket, ...]
    holder: int

    def entering(self, command: Sequence[str]) -> list[str]:
        """Return the command line that runs `command` inside: the same process, no more rights than before."""
        return [
            _found("nsenter"),
            "--user",
            "--net",
            "--preserve-credentials",
            "--target",
            str(self.holder),
            "--",
            *command,
        ]


@contextlib.asynccontextmanager
async def held(listeners: int, lifeline_path: Path) -> AsyncIterator[Namespace]:
    """Make a namespace with so many sockets bound to free ports of its loopback; at the end close them and leave it.

    Raises NamespaceUnavailable.
    """
    for tool in _TOOLS:
        _found(tool)
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            holder = await asyncio.create_subprocess_exec(
                # The caps to bring the loopback up last until the holder ends, and are worth nothing outside.
                *("unshare", "--user", "--map-current-user", "--keep-caps", "--net", "--"),
                *(sys.executable, "-m", __name__, str(theirs.fileno()), str(listeners)),
                cwd=project.ROOT,
                # Whoever is inside may be able to read it: no key is in it.
                env={**process.plain_environment(), lifeline.VARIABLE: str(lifeline_path)},
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        try:
            bound = await _received(ours, listeners, holder)
            with contextlib.ExitStack() as closing:
                for one in bound:
                    closing.enter_context(one)
                yield Namespace(bound, holder.pid)
        finally:
            with contextlib.suppress(ProcessLookupError):
                holder.kill()
            await holder.wait()


def _found(tool: str) -> str:
    path = shutil.which(tool)
    if path is None:
        raise NamespaceUnavailable(f"{tool} (of util-linux) not found")
    return path


async def _received(
    ours: socket.socket, listeners: int, holder: asyncio.subprocess.Process
) -> tuple[socket.socket, ...]:
    ours.settimeout(_MADE_WITHIN_S)
    try:
        _, descriptors, _, _ = await asyncio.to_thread(socket.recv_fds, ours, 1, listeners)
    except TimeoutError:
        raise NamespaceUnavailable(f"not made within {_MADE_WITHIN_S} s") from None
    if len(descriptors) != listeners:
        assert holder.stderr is not None  # a pipe, as asked
        told = (await holder.stderr.read()).decode(errors="replace").strip()
        raise NamespaceUnavailable(told.splitlines()[-1] if told else "the process that makes it ended")
    return tuple(socket.socket(fileno=descriptor) for descriptor in descriptors)


def _bring_up_loopback() -> None:
    """Bring the loopback up: a new namespace has it, but down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 0)
        _, flags = struct.unpack("16sH14x", fcntl.ioctl(any_socket, _SIOCGIFFLAGS, request))
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


def _hold(door: socket.socket, listeners: int) -> None:
    """Make what the other end of the door waits for, and stay until that end closes."""
    _bring_up_loopback()
    with contextlib.ExitStack() as closing:
        bound = []
        for _ in range(listeners):
            one = closing.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP))
            one.bind((_LOOPBACK, 0))
            bound.append(one.fileno())
        socket.send_fds(door, [b"!"], bound)
    door.recv(1)


if __name__ == "__main__":
    lifeline.follow_from_environment()
    _hold(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
