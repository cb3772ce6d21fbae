"""What one serving process holds: the folder, which is ours alone, the port, the store."""

from __future__ import annotations

import logging
import sqlite3
import sys
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from environments.errors import ServiceFailed
from environments.services.honeyhive import bodies
from environments.services.honeyhive.app import create_app
from environments.services.honeyhive.keys import Keys
from environments.services.honeyhive.store import Store
from environments.services.serving import bound, serve_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, slots=True)
class Config:
    """What to serve: where, from which folder (None: one that is gone afterwards), which projects and their keys."""

    projects: tuple[tuple[str, tuple[str, ...]], ...] = field(repr=False)
    port: int = 0
    data_dir: Path | None = None
    body_limit: int = bodies.DEFAULT_LIMIT
    # Where the LLM service is served beside it; None: nowhere.
    llm_port: int | None = None


def serve(config: Config, ready: Callable[[tuple[str, ...]], None]) -> None:
    """Serve until a signal says stop. `ready` is called with the URL, and the LLM service's, once they answer.

    The LLM service is a second socket of this process: one start, one end, and both ports are known to be free before
    anything is said. A cell, which needs them independent of one another, has a process for each.
    """
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    with ExitStack() as stack:
        folder = stack.enter_context(_folder(config.data_dir))
        listener = stack.enter_context(closing(bound(config.port)))
        store = stack.enter_context(closing(_opened(folder)))
        app = create_app(store, Keys.of(config.projects), body_limit=config.body_limit)
        sites = {listener: app}
        if config.llm_port is not None:
            from environments.services.llm.app import create_app as create_llm_app

            sites[stack.enter_context(closing(bound(config.llm_port, "--llm-port")))] = create_llm_app()
        serve_on(sites, ready)


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
