from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from environments.cell import namespace
from environments.inside import lifeline

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

_WITHIN_S = 20


@contextlib.asynccontextmanager
async def _held(folder: Path) -> AsyncIterator[namespace.Namespace]:
    held = lifeline.hold(folder / "lifeline")
    try:
        async with namespace.held(1, folder / "lifeline") as made:
            yield made
    finally:
        os.close(held)


def _run(space: namespace.Namespace, *command: str) -> subprocess.CompletedProcess[str]:
    line = space.entering(command)
    return subprocess.run(line, capture_output=True, text=True, timeout=_WITHIN_S, check=False)


def _answer_once(listener: socket.socket) -> None:
    listener.listen()
    with listener.accept()[0] as connection:
        connection.sendall(b"in")


def test_a_program_inside_reaches_a_socket_that_is_served_outside(tmp_path: Path) -> None:
    async def scene() -> subprocess.CompletedProcess[str]:
        async with _held(tmp_path) as space:
            listener = space.listeners[0]
            threading.Thread(target=_answer_once, args=(listener,), daemon=True).start()
            ask = f"import socket; print(socket.create_connection(('127.0.0.1', {listener.getsockname()[1]})).recv(9))"
            return await asyncio.to_thread(_run, space, sys.executable, "-c", ask)

    assert asyncio.run(scene()).stdout == "b'in'\n"


def test_a_program_inside_does_not_reach_the_loopback_outside(tmp_path: Path) -> None:
    async def scene(port: int) -> subprocess.CompletedProcess[str]:
        async with _held(tmp_path) as space:
            return await asyncio.to_thread(_run, space, "bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}")

    with socket.create_server(("127.0.0.1", 0)) as outside:
        ended = asyncio.run(scene(outside.getsockname()[1]))
    assert ended.returncode != 0
    assert "Connection refused" in ended.stderr


def test_a_program_inside_finds_no_network_but_the_loopback(tmp_path: Path) -> None:
    async def scene() -> subprocess.CompletedProcess[str]:
        async with _held(tmp_path) as space:
            return await asyncio.to_thread(_run, space, "cat", "/proc/net/dev", "/proc/net/route")

    told = asyncio.run(scene()).stdout.splitlines()
    assert [line.split(":")[0].strip() for line in told if ":" in line] == ["lo"]


def test_a_program_inside_is_the_same_user_as_before(tmp_path: Path) -> None:
    async def scene() -> subprocess.CompletedProcess[str]:
        async with _held(tmp_path) as space:
            return await asyncio.to_thread(_run, space, "id", "-u")

    assert asyncio.run(scene()).stdout == f"{os.getuid()}\n"


def test_the_namespace_goes_with_its_lifeline(tmp_path: Path) -> None:
    async def scene() -> int:
        held = lifeline.hold(tmp_path / "lifeline")
        async with namespace.held(1, tmp_path / "lifeline") as space:
            os.close(held)
            watched = os.pidfd_open(space.holder)
            await asyncio.get_running_loop().run_in_executor(None, _wait_for, watched)
            return space.holder

    assert asyncio.run(scene()) > 0


def _wait_for(pidfd: int) -> None:
    import select

    assert select.select([pidfd], [], [], _WITHIN_S)[0]
    os.close(pidfd)


def test_where_a_tool_is_missing_the_reason_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    async def scene() -> None:
        async with _held(tmp_path):
            pass

    with pytest.raises(namespace.NamespaceUnavailable, match=r"^unshare \(of util-linux\) not found$"):
        asyncio.run(scene())
