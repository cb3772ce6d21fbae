"""A key that the server refuses: a tracer never tells, a client does, and nothing is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.tracers import UNKNOWN_KEY, client_of

if TYPE_CHECKING:
    from environments.inside.target import Target
    from tests.support.projects import Mint, MintedProject
    from tests.support.server import Server
    from tests.support.tracers import Tracers


@pytest.mark.usefixtures("first_tracer")
def test_a_tracer_with_an_unknown_key_raises_nothing_and_stores_nothing(
    target: Target, make_tracer: Tracers, server: Server, resource_name: str
) -> None:
    from honeyhive import HoneyHiveTracer

    unknown = HoneyHiveTracer.init(
        api_key=UNKNOWN_KEY, server_url=target.base_url, project=target.project.name, session_name=resource_name
    )
    with unknown.trace("lost"):
        unknown.enrich_span(metadata={"lost": True})
    unknown.enrich_session(metadata={"lost": True})
    unknown.flush()
    known = make_tracer(session_name=f"{resource_name}-known")
    with known.trace("kept"):
        pass
    known.flush()

    server.event(known.session_id, "kept")  # sent last: what came before it is either stored by now, or lost
    assert server.events(event_name=resource_name) == []
    assert server.events(session_id=unknown.session_id) == []


def test_a_client_with_an_unknown_key_is_told_so(target: Target) -> None:
    from honeyhive._generated.api_config import HTTPException

    client = client_of(target, target.project, api_key=UNKNOWN_KEY)

    with pytest.raises(HTTPException) as raised:
        client.sessions.start({"session": {"session_name": "refused", "source": "test"}})

    assert raised.value.status_code == 401


def test_an_export_with_an_unknown_key_is_told_so(target: Target) -> None:
    from honeyhive.utils.error_handler import APIError

    client = client_of(target, target.project, api_key=UNKNOWN_KEY)

    with pytest.raises(APIError) as raised:
        client.events.export(filters=[])

    assert raised.value.error_response.status_code == 401


@pytest.mark.sdk(">=1.7")
def test_from_1_7_a_client_without_a_key_says_which_key_is_missing(target: Target) -> None:
    from honeyhive import MissingApiKeyError

    client = client_of(target, target.project, api_key=None)

    with pytest.raises(MissingApiKeyError):
        client.sessions.start({"session": {"session_name": "keyless", "source": "test"}})


@pytest.mark.sdk("<1.7")
def test_before_1_7_a_client_without_a_key_fails_on_an_illegal_header(target: Target) -> None:
    import httpx

    client = client_of(target, target.project, api_key=None)

    with pytest.raises(httpx.LocalProtocolError):
        client.sessions.start({"session": {"session_name": "keyless", "source": "test"}})


# ---- Keys of a project of the test's own -------------------------------------------------------------


@pytest.mark.needs("mint-project")
def test_a_key_that_is_revoked_is_refused_from_then_on(
    target: Target, mint: Mint, minted_project: MintedProject
) -> None:
    from honeyhive._generated.api_config import HTTPException

    revoked = mint.key(minted_project, "project")
    client = client_of(target, minted_project, api_key=revoked)
    assert client.datasets.list().datasets == []
    mint.revoke(revoked)

    with pytest.raises(HTTPException) as raised:
        client.datasets.list()

    assert raised.value.status_code == 401


@pytest.mark.needs("mint-project")
@pytest.mark.usefixtures("first_tracer")
def test_what_is_traced_after_the_key_is_revoked_is_lost_without_a_word(
    make_other_tracer: Tracers, other_server: Server, mint: Mint, minted_project: MintedProject, resource_name: str
) -> None:
    key = mint.key(minted_project, "project")
    tracer = make_other_tracer(api_key=key, session_name=resource_name)
    with tracer.trace("kept"):
        pass
    tracer.flush()
    other_server.event(tracer.session_id, "kept")
    mint.revoke(key)

    with tracer.trace("lost"):
        pass
    assert tracer.flush() is not False

    known = make_other_tracer(session_name=f"{resource_name}-known")
    with known.trace("kept-too"):
        pass
    known.flush()
    other_server.event(known.session_id, "kept-too")  # sent last: what came before it is stored by now, or lost
    assert {event["event_name"] for event in other_server.children(tracer.session_id)} == {"kept"}


@pytest.mark.sdk(">=1.6")
@pytest.mark.needs("mint-project")
def test_an_ingestion_key_sends_and_does_not_read(target: Target, minted_project: MintedProject) -> None:
    from honeyhive._generated.api_config import HTTPException

    both = client_of(target, minted_project, ingestion_api_key=minted_project.ingestion_api_key)
    ingestion_alone = client_of(target, minted_project, api_key=minted_project.ingestion_api_key)

    assert both.sessions.start({"session": {"session_name": "sent", "source": "test"}}).session_id
    with pytest.raises(HTTPException) as raised:
        ingestion_alone.datasets.list()
    assert raised.value.status_code == 403
