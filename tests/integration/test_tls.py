"""TLS: a server whose certificate is good, one whose certificate is not, and a name that no server has.

A private authority must be named twice: `SSL_CERT_FILE` for what the SDK asks by httpx, `REQUESTS_CA_BUNDLE` for what
it exports by requests. With one of them, half of the traffic is lost.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from environments.inside import fence
from tests.support.degradation.entries import observe
from tests.support.faults import Proxy, certificates
from tests.support.tracers import client_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from environments.inside.target import Target
    from tests.support.faults.certificates import Certificates
    from tests.support.server import Server
    from tests.support.tracers import Tracers

NOWHERE = "api.no-such-place.invalid"
BAD = ("unknown authority", "another name", "expired")
VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
# An exporter tries to connect four times, with pauses.
GIVES_UP_WITHIN_S = 6.0


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Make an authority, and certificates."""
    return certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def trusted(made: Certificates, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Trust the authority by these variables, as a user does."""

    def trust(*variables: str) -> None:
        for variable in variables:
            monkeypatch.setenv(variable, str(made.authority))

    return trust


def _stored(url: str, make_tracer: Tracers, server: Server) -> tuple[bool, bool]:
    """Trace to this URL, and return whether the session, and whether the span is stored."""
    tracer = make_tracer(server_url=url)
    with tracer.trace("secret"):
        pass
    tracer.flush()
    later = make_tracer()
    with later.trace("later"):
        pass
    later.flush()
    server.event(later.session_id, "later")  # sent last: what came before it is stored by now, or lost
    held = server.events(session_id=str(tracer.session_id))
    return "session" in {event["event_type"] for event in held}, "secret" in {event["event_name"] for event in held}


@pytest.mark.parametrize(
    ("variables", "is_session_stored", "is_span_stored"),
    [(VARIABLES, True, True), (VARIABLES[:1], True, False), (VARIABLES[1:], False, True), ((), False, False)],
    ids=["both", "httpx alone", "requests alone", "neither"],
)
def test_a_private_authority_must_be_named_to_both_http_libraries(
    made: Certificates,
    trusted: Callable[..., None],
    target: Target,
    make_tracer: Tracers,
    server: Server,
    variables: tuple[str, ...],
    *,
    is_session_stored: bool,
    is_span_stored: bool,
) -> None:
    trusted(*variables)
    with Proxy(target.base_url, made.good) as proxy:
        assert _stored(proxy.url, make_tracer, server) == (is_session_stored, is_span_stored)


def test_a_client_speaks_tls_with_a_server_that_it_trusts(
    made: Certificates, trusted: Callable[..., None], target: Target
) -> None:
    trusted(*VARIABLES)
    with Proxy(target.base_url, made.good) as proxy:
        client = client_of(target, target.project, base_url=proxy.url)

        assert isinstance(client.datasets.list().datasets, list)
        assert isinstance(asyncio.run(client.datasets.list_async()).datasets, list)
        assert client.events.export(filters=[], limit=1).events is not None
        assert (proxy.failed_handshakes, len(proxy.seen)) == (0, 3)


@pytest.mark.parametrize("what", BAD)
def test_nothing_is_said_to_a_server_with_a_bad_certificate(
    made: Certificates,
    trusted: Callable[..., None],
    target: Target,
    make_tracer: Tracers,
    server: Server,
    what: str,
) -> None:
    trusted(*VARIABLES)
    with Proxy(target.base_url, made.bad[what]) as proxy:
        client = client_of(target, target.project, base_url=proxy.url)

        assert _stored(proxy.url, make_tracer, server) == (False, False)
        assert observe(client.datasets.list).says == "raises httpx.ConnectError"
        assert observe(lambda: asyncio.run(client.datasets.list_async())).says == "raises httpx.ConnectError"

        assert proxy.seen == []
        assert proxy.failed_handshakes >= 4


def test_a_name_that_no_server_has_is_as_a_server_that_refuses(
    target: Target, make_tracer: Tracers, server: Server
) -> None:
    with fence.unresolvable(NOWHERE):
        url = f"http://{NOWHERE}"
        client = client_of(target, target.project, base_url=url)

        ending = observe(lambda: _stored(url, make_tracer, server))
        assert (ending.says, ending.took_s < GIVES_UP_WITHIN_S) == ("(False, False)", True)
        assert observe(client.datasets.list).says == "raises httpx.ConnectError"
        assert observe(lambda: asyncio.run(client.datasets.list_async())).says == "raises httpx.ConnectError"
