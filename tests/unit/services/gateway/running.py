"""The real gateway, started as a supervisor does, and what its tests say to it."""

from __future__ import annotations

import json
import socket
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from tests.unit.services.gateway.standin import KEYS, Standin
from tests.unit.services.programs import WITHIN_S, first_line, started

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

CONTROL_TOKEN = "gateway-control-token"  # noqa: S105 - made up


@dataclass(frozen=True)
class Gateway:
    """A running gateway, a client of its control endpoint, and one that holds the placeholder of the test `a-test`."""

    url: str
    process: subprocess.Popen[str]
    audit_file: Path
    control: httpx.Client
    http: httpx.Client

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        assert parts.hostname
        assert parts.port
        return parts.hostname, parts.port

    def keys(self, test: str = "a-test") -> dict[str, str]:
        """Return a test's placeholders."""
        response = self.control.post("/keys", json={"test": test})
        assert response.status_code == 200, response.text
        keys: dict[str, str] = response.json()["keys"]
        return keys

    def counts(self) -> dict[str, int]:
        counts: dict[str, int] = self.control.get("/counts").json()
        return counts

    def audit(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.audit_file.read_text(encoding="utf-8").splitlines()]

    def raw(self, request: bytes, *, within_s: float = WITHIN_S) -> bytes:
        """Send these bytes, and return everything that comes until the gateway closes or falls silent."""
        with socket.create_connection(self.address, timeout=within_s) as connection:
            connection.sendall(request)
            return received(connection)


def received(connection: socket.socket) -> bytes:
    """Return what comes until the other side closes."""
    pieces = []
    try:
        while piece := connection.recv(65536):
            pieces.append(piece)
    except ConnectionResetError:
        pass  # it closed on bytes that it did not want to read
    return b"".join(pieces)


def config(standin: Standin, folder: Path, **given: object) -> str:
    """Return the line of configuration of a gateway to this stand-in."""
    return json.dumps(
        {
            "upstream": standin.url,
            "policy": "read-only",
            "keys": KEYS,
            "audit": str(folder / "audit.jsonl"),
            "control": {"token": CONTROL_TOKEN},
            "ca_file": str(standin.ca_file),
            "pacing_folder": str(folder / "pacing"),
            **given,
        }
    )


@contextmanager
def supervised(standin: Standin, folder: Path, **given: object) -> Iterator[Gateway]:
    """Start a gateway to this stand-in."""
    folder.mkdir(parents=True, exist_ok=True)
    with started("gateway", "--config", "-", stdin=config(standin, folder, **given)) as process:
        told = json.loads(first_line(process))
        control = httpx.Client(
            base_url=told["control_url"], headers={"Authorization": f"Bearer {CONTROL_TOKEN}"}, timeout=WITHIN_S
        )
        with control, httpx.Client(base_url=told["url"], timeout=WITHIN_S) as http:
            gateway = Gateway(told["url"], process, folder / "audit.jsonl", control, http)
            http.headers["Authorization"] = f"Bearer {next(iter(gateway.keys().values()))}"
            yield gateway
