"""One serving process: the folder is ours alone, the port is bound before anything is said, signals end it cleanly."""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import socket
import sqlite3
import sys
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import uvicorn
from filelock import FileLock, Timeout

from environments.errors import ServiceFailed
from environments.services.honeyhive import bodies
from environments.services.honeyhive.app import create_app
from environments.services.honeyhive.keys import Keys
from environments.services.honeyhive.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOST = "127.0.0.1"
# The SDK's exporter sends every 5 s over a kept connection and does not try again: never close it in between.
_KEEP_ALIVE_S = 120
_GRACE_S = 1


@dataclass(frozen=True, slots=True)
class Config:
    """What to serve: where, from which folder (None: one that is gone afterwards), which projects and their keys."""

    projects: tuple[tuple[str, tuple[str, ...]], ...] = field(repr=False)
    port: int = 0
    data_dir: Path | None = None
    body_limit: int = bodies.DEFAULT_LIMIT
    # The page shows every project without a key: see `page`.
    with_page: bool = False


def serve(config: Config, ready: Callable[[str], None]) -> None:
    """Serve until a signal says stop. `ready` is called with the URL once it answers."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    with ExitStack() as stack:
        folder = stack.enter_context(_folder(config.data_dir))
        listener = stack.enter_context(closing(_bound(config.port)))
        store = stack.enter_context(closing(_opened(folder)))
        app = create_app(store, Keys.of(config.projects), body_limit=config.body_limit, with_page=config.with_page)
        settings = uvicorn.Config(
            app,
            http="h11",
            loop="asyncio",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_GRACE_S,
        )
        url = f"http://{HOST}:{listener.getsockname()[1]}"
        asyncio.run(_Server(settings, lambda: ready(url)).serve(sockets=[listener]))


class _Server(uvicorn.Server):
    """uvicorn, with a word when it answers, and signals that end it with success rather than by the signal."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


@contextmanager
def _folder(wanted: Path | None) -> Iterator[Path]:
    """Lend the data folder, locked."""
    if wanted is None:
        with TemporaryDirectory(prefix="honeyhive-", ignore_cleanup_errors=True) as temporary:
            yield Path(temporary)
        return
    try:
        wanted.mkdir(parents=True, exist_ok=True)
        with FileLock(wanted / "lock", timeout=0):
            yield wanted
    except Timeout:
        raise ServiceFailed(
            f"another process serves the data folder {wanted}",
            remedy="stop that process, or choose another folder with --data-dir",
        ) from None
    except OSError as error:
        raise ServiceFailed(
            f"cannot use the data folder {wanted}: {error.strerror}",
            remedy="choose a folder that can be written to with --data-dir",
        ) from None


def _opened(folder: Path) -> Store:
    try:
        return Store(folder)
    except sqlite3.Error as error:
        raise ServiceFailed(
            f"cannot open the database in {folder}: {error}",
            remedy="choose another folder with --data-dir, or delete the database",
        ) from None


def _bound(port: int) -> socket.socket:
    # asyncio turns off Nagle's algorithm only on sockets that say they are TCP; with it an answer may take 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        busy = error.errno == errno.EADDRINUSE
        why = "it is in use" if busy else str(error.strerror)
        raise ServiceFailed(
            f"cannot listen on {HOST}:{port}: {why}",
            remedy="choose another port with --port, or 0 for a free one",
        ) from None
    return listener
