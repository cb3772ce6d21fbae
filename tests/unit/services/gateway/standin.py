"""A stand-in for staging or production: the embedded service behind TLS, recording every request that reaches it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import ssl
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trustme
import uvicorn
from starlette.responses import Response

from environments.services.honeyhive.app import create_app
from environments.services.honeyhive.storage.keys import Keys
from environments.services.honeyhive.storage.store import Store
from environments.services.http.serving import bound
from tests.unit.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

    Answers = Callable[["Reached"], Response | None]

PROJECT_KEY = "hh_5ec0de5ec0de5ec0de5ec0de5ec0de01"
INGESTION_KEY = "hh_ingst_" + "abcdefghijklmnopqrstuvwx" + "_" + "Real" * 16
DATA_PLANE_KEY = "hh_fgdp_" + "abcdefghijklmnopqrstuvwx" + "_" + "Data" * 16
KEYS = {"project": PROJECT_KEY, "ingestion": INGESTION_KEY, "data_plane": DATA_PLANE_KEY}


@dataclass(frozen=True)
class Reached:
    """A request that came through."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    at: float

    @property
    def key(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass
class Standin:
    """What reached it, and what it answers where `answers` returns something; else the embedded service does."""

    app: ASGIApp
    port: int = 0
    ca_file: Path | None = None
    folder: Path | None = None
    reached: list[Reached] = field(default_factory=list)
    answers: Answers = field(default=lambda _request: None)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def dump(self) -> str:
        """Return everything that it holds, as SQL."""
        assert self.folder is not None  # served from one
        with closing(sqlite3.connect(self.folder / "events.sqlite")) as database:
            return "\n".join(database.iterdump())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
        request = Reached(scope["method"], path, query, headers, time.monotonic())
        self.reached.append(request)
        answer = self.answers(request)
        await (answer or self.app)(scope, receive, send)

    @contextmanager
    def answering(self, answers: Answers) -> Iterator[None]:
        """Answer like this meanwhile."""
        self.answers = answers
        try:
            yield
        finally:
            self.answers = lambda _request: None

    @contextmanager
    def watched(self) -> Iterator[list[Reached]]:
        """Lend a list that holds, afterwards, what came meanwhile."""
        meanwhile: list[Reached] = []
        before = len(self.reached)
        yield meanwhile
        meanwhile += self.reached[before:]


def saying(status: int, body: object = None, **headers: str) -> Answers:
    """Answer everything with this."""
    return lambda _request: Response(json.dumps(body), status, headers, "application/json")


@contextmanager
def stand_in(folder: Path, host: str = "localhost") -> Iterator[Standin]:
    """Serve the embedded service over TLS, with a certificate for `host` of an authority of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    ca_file, certificate = folder / "ca.pem", folder / "server.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    authority.issue_cert(host).private_key_and_cert_chain_pem.write_to_path(str(certificate))
    store = Store(folder)
    try:
        keys = Keys(store.database, [("one", KEYS.values()), ("two", ["hh_other"])], time.time_ns())
        standin = Standin(create_app(store, keys), ca_file=ca_file, folder=folder)
        with served(standin, certificate) as port:
            standin.port = port
            yield standin
    finally:
        store.close()


@contextmanager
def served(app: ASGIApp, certificate: Path) -> Iterator[int]:
    """Serve an application over TLS from a thread; lend the port."""
    listener = bound(0)
    settings = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        ssl_certfile=certificate,
        ssl_version=ssl.PROTOCOL_TLS_SERVER,
        timeout_keep_alive=120,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(settings)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    try:
        wait_until(lambda: server.started or not thread.is_alive(), "the stand-in answers")
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
