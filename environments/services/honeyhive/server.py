"""What one serving process holds: the folder, which is ours alone, the port, the store."""

from __future__ import annotations

import gc
import logging
import sqlite3
import sys
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from environments.errors import ServiceFailed
from environments.services.honeyhive.app import create_app, router
from environments.services.honeyhive.control import Control
from environments.services.honeyhive.evaluation.evaluators import Evaluators
from environments.services.honeyhive.evaluation.scoring import Scoring
from environments.services.honeyhive.storage.keys import Keys
from environments.services.honeyhive.storage.store import Store
from environments.services.honeyhive.storage.visibility import DEFAULT_LAG_MS, Visibility
from environments.services.http import bodies
from environments.services.http.serving import HOST, bound, serve_on

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp


@dataclass(frozen=True, slots=True)
class Config:
    """What to serve: where, from which folder (None: one that is gone afterwards), which projects and their keys."""

    projects: tuple[tuple[str, tuple[str, ...]], ...] = field(repr=False)
    port: int = 0
    data_dir: Path | None = None
    body_limit: int = bodies.DEFAULT_LIMIT
    lag_ms: int = DEFAULT_LAG_MS
    # What opens the control endpoint; without one there is none.
    control_token: str = field(default="", repr=False)
    # Where the LLM service is served beside it; None: nowhere.
    llm_port: int | None = None
    # Where LLM metrics ask, an OpenAI-compatible base URL; None: the LLM service beside it, if there is one.
    llm_url: str | None = None
    # The page shows every project without a key: see `page`.
    with_page: bool = False


@dataclass(frozen=True, slots=True)
class Ready:
    """Where it answers; what is not served has no address."""

    url: str
    control_url: str = ""
    llm_url: str = ""


def serve(config: Config, ready: Callable[[Ready], None]) -> None:
    """Serve until a signal says stop. `ready` is called once it answers.

    The control endpoint and the LLM service are further sockets of this process: one start, one end, and every port is
    known to be free before anything is said.
    """
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    with ExitStack() as stack:
        folder = stack.enter_context(_folder(config.data_dir))
        sites: dict[str, tuple[socket.socket, ASGIApp]] = {}
        listener = stack.enter_context(closing(bound(config.port)))
        llm_url = config.llm_url
        if config.llm_port is not None:
            from environments.services.llm.app import create_app as create_llm_app

            beside = stack.enter_context(closing(bound(config.llm_port, "--llm-port")))
            sites["llm_url"] = (beside, create_llm_app())
            llm_url = llm_url or f"http://{HOST}:{beside.getsockname()[1]}/v1"
        store = stack.enter_context(closing(_opened(folder, config.lag_ms)))
        evaluators = Evaluators(llm_url)
        scoring = stack.enter_context(closing(Scoring(store, evaluators)))
        keys = _keys(store, config, folder)
        scoring.resume(keys.projects())
        app = create_app(store, keys, body_limit=config.body_limit, evaluators=evaluators, with_page=config.with_page)
        sites["url"] = (listener, app)
        if config.control_token:
            control = router(Control(config.control_token, keys, store.visibility).routes())
            sites["control_url"] = (stack.enter_context(closing(bound(0))), control)
        _spare_the_collector()
        serve_on(dict(sites.values()), lambda urls: ready(Ready(**dict(zip(sites, urls, strict=True)))))


def _spare_the_collector() -> None:
    """Keep the garbage collector from what stays anyway, and from looking after every few spans: little is cyclic."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


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


def _opened(folder: Path, lag_ms: int) -> Store:
    try:
        return Store(folder, Visibility(lag_ms))
    except sqlite3.Error as error:
        raise _unusable(folder, error) from None


def _keys(store: Store, config: Config, folder: Path) -> Keys:
    try:
        return Keys(store.database, config.projects, time.time_ns())
    except sqlite3.Error as error:
        raise _unusable(folder, error) from None


def _unusable(folder: Path, error: sqlite3.Error) -> ServiceFailed:
    return ServiceFailed(
        f"cannot open the database in {folder}: {error}",
        remedy="choose another folder with --data-dir, or delete the database",
    )
