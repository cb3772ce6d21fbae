"""What one gateway process holds: its ports, the keys, the way to the upstream, the audit."""

from __future__ import annotations

import logging
import socket
import ssl
import sys
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from environments.errors import ServiceFailed
from environments.profiles import addresses
from environments.services.gateway import pacing
from environments.services.gateway.app import ARRIVES_WITHIN_S, Gateway
from environments.services.gateway.audit import Audit
from environments.services.gateway.control import Control
from environments.services.gateway.placeholders import Placeholders
from environments.services.gateway.policy import Policy
from environments.services.gateway.protocol import guarded
from environments.services.gateway.redaction import RedactingFormatter, Redactor
from environments.services.gateway.upstream import Upstream, tls_context
from environments.services.http.serving import bound, serve_on

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from environments.profiles.addresses import Address
    from environments.services.gateway.placeholders import Kind


@dataclass(frozen=True, slots=True)
class Config:
    """One door: where it leads, by which policy, with which keys, and who may ask it for placeholders."""

    upstream: Address
    policy: Policy
    keys: Mapping[Kind, str] = field(repr=False)
    audit: Path
    control_token: str = field(repr=False)
    port: int = 0
    # Descriptors of sockets that were bound elsewhere, in a cell's network namespace: of the door and of control.
    sockets: tuple[int, int] | None = None
    # The authority that the upstream's certificate is verified by; None: those of the system.
    ca_file: Path | None = None
    requests_per_second: float | None = None
    # Where the bucket is shared; None: with everything on this machine that talks to this upstream.
    pacing_folder: Path | None = None
    # A request's head, and again its body.
    arrives_within_s: float = ARRIVES_WITHIN_S


@dataclass(frozen=True, slots=True)
class Ready:
    """Where it answers."""

    url: str
    control_url: str


def serve(config: Config, ready: Callable[[Ready], None]) -> None:
    """Serve until a signal says stop. `ready` is called once it answers."""
    redactor = Redactor(config.keys.values())
    _log_without_keys(redactor)
    _refuse_production_for_writers(config)
    with ExitStack() as stack:
        door, control = (stack.enter_context(closing(listener)) for listener in _listeners(config))
        audit = stack.enter_context(closing(_audit(config, redactor)))
        folder = config.pacing_folder or pacing.folder_of(config.upstream.host, config.upstream.port)
        gateway = Gateway(
            config.policy,
            Placeholders(config.keys),
            Upstream(config.upstream, _verified(config.ca_file), redactor),
            pacing.Pace(folder, config.requests_per_second),
            audit,
            config.arrives_within_s,
        )
        serve_on(
            {door: gateway, control: Control(config.control_token, gateway)},
            lambda urls: ready(Ready(*urls)),
            guarded(audit, config.arrives_within_s),
        )


def _listeners(config: Config) -> tuple[socket.socket, socket.socket]:
    if config.sockets is None:
        return bound(config.port), bound(0)
    door, control = config.sockets
    return socket.socket(fileno=door), socket.socket(fileno=control)


def _log_without_keys(redactor: Redactor) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter(redactor))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # What is no HTTP has its line in the audit; a hostile client must not fill the log with another.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    # The client's own log quotes headers at its lower levels.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _refuse_production_for_writers(config: Config) -> None:
    """Raise ServiceFailed. The profiles refuse it too, and know of more hosts; this holds whoever starts a gateway."""
    if config.policy is not Policy.READ_ONLY and addresses.is_production(config.upstream, ()):
        raise ServiceFailed(
            f"the upstream {config.upstream} is production, and the policy {config.policy} forwards writes",
            expected=f"the policy {Policy.READ_ONLY} for production",
            remedy="correct the base URL of the profile",
        )


def _verified(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return tls_context(ca_file)
    except (OSError, ssl.SSLError):
        raise ServiceFailed(
            f"cannot read certificates from {ca_file}",
            expected="a file of PEM certificates of the authority that signed the upstream's",
            remedy="correct the profile's private authority",
        ) from None


def _audit(config: Config, redactor: Redactor) -> Audit:
    try:
        return Audit(config.audit, redactor)
    except OSError as error:
        raise ServiceFailed(
            f"cannot write the audit to {config.audit}: {error.strerror}",
            remedy="choose a place that can be written to: without an audit nothing is forwarded",
        ) from None
