"""One tracer, many sessions: how long each lasts, and what is said of which."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from tests.support.tracers import fresh_context

if TYPE_CHECKING:
    from collections.abc import Callable

    from honeyhive import HoneyHiveTracer

    from tests.support.server import Server
    from tests.support.tracers import Tracers


def _span(tracer: HoneyHiveTracer, name: str) -> None:
    with tracer.trace(name):
        pass
    tracer.flush()


def test_a_created_session_has_everything_that_it_was_created_with(
    tracer: HoneyHiveTracer, server: Server, resource_name: str, delete_session: Callable[[str], None]
) -> None:
    session_id = str(
        tracer.create_session(
            session_name=f"{resource_name}-created",
            inputs={"question": "why?"},
            metadata={"plan": "free"},
            user_properties={"user_id": "ada"},
            source="checkout",
        )
    )
    delete_session(session_id)

    session = server.session(session_id)
    assert (session["event_name"], session["source"]) == (f"{resource_name}-created", "checkout")
    assert (session["inputs"], session["metadata"]["plan"]) == ({"question": "why?"}, "free")
    assert session["user_properties"] == {"user_id": "ada"}


def test_a_created_session_leaves_the_tracers_own_as_it_was(
    tracer: HoneyHiveTracer, server: Server, delete_session: Callable[[str], None], resource_name: str
) -> None:
    own = tracer.session_id
    with fresh_context():
        delete_session(str(tracer.create_session(session_name=f"{resource_name}-request")))
        _span(tracer, "in-the-request")
    _span(tracer, "in-the-program")

    assert tracer.session_id == own
    assert server.event(own, "in-the-program")
    assert [event["event_name"] for event in server.children(str(own))] == ["in-the-program"]


def test_a_created_session_may_have_an_id_of_the_users_own(
    tracer: HoneyHiveTracer, server: Server, delete_session: Callable[[str], None], resource_name: str
) -> None:
    chosen = str(uuid.uuid4())

    assert tracer.create_session(session_name=f"{resource_name}-request", session_id=chosen) == chosen
    delete_session(chosen)
    _span(tracer, "in-the-request")

    assert server.session(chosen)["event_name"] == f"{resource_name}-request"
    assert server.event(chosen, "in-the-request")


def test_a_session_that_another_process_started_is_joined_without_a_request(
    tracer: HoneyHiveTracer, server: Server, start_session: Callable[..., str], resource_name: str
) -> None:
    started = start_session(inputs={"a": 1})

    assert tracer.create_session(session_name="not-this", session_id=started, skip_api_call=True) == started
    _span(tracer, "joined")

    assert server.event(started, "joined")
    session = server.session(started)
    assert (session["event_name"], session["inputs"]) == (resource_name, {"a": 1})


def test_inside_with_session_the_enrichment_is_of_that_session(
    tracer: HoneyHiveTracer, server: Server, delete_session: Callable[[str], None], resource_name: str
) -> None:
    with tracer.with_session(session_name=f"{resource_name}-request") as session_id:
        delete_session(str(session_id))
        tracer.enrich_session(metadata={"of": "the request"})

    assert server.session(session_id)["metadata"]["of"] == "the request"
    assert "of" not in server.session(tracer.session_id)["metadata"]


def test_sessions_one_after_the_other_each_hold_their_own_spans(
    tracer: HoneyHiveTracer, server: Server, delete_session: Callable[[str], None], resource_name: str
) -> None:
    sessions = []
    for number in range(3):
        with fresh_context(), tracer.with_session(session_name=f"{resource_name}-{number}") as session_id:
            delete_session(str(session_id))
            _span(tracer, f"span-{number}")
        sessions.append(str(session_id))

    for number, session_id in enumerate(sessions):
        assert server.event(session_id, f"span-{number}")
        assert len(server.children(session_id)) == 1


def test_a_session_is_enriched_by_its_id_from_anywhere(
    tracer: HoneyHiveTracer, start_session: Callable[..., str], server: Server
) -> None:
    other = start_session()

    tracer.enrich_session(session_id=other, metadata={"found": True})

    assert server.session(other)["metadata"]["found"] is True
    assert "found" not in server.session(tracer.session_id)["metadata"]


def test_the_enrich_session_function_takes_the_session_first(tracer: HoneyHiveTracer, server: Server) -> None:
    from honeyhive import enrich_session

    enrich_session(tracer.session_id, {"by": "function"}, tracer=tracer)

    assert server.session(tracer.session_id)["metadata"]["by"] == "function"


def test_an_enrichment_with_nothing_changes_nothing(tracer: HoneyHiveTracer, server: Server) -> None:
    before = server.session(tracer.session_id)

    tracer.enrich_session()
    tracer.enrich_session(metadata={"after": 1})

    after = server.session(tracer.session_id)
    assert after["metadata"].pop("after") == 1
    assert (after["inputs"], after["outputs"], after["metadata"]) == (
        before["inputs"],
        before["outputs"],
        before["metadata"],
    )


def test_an_enrichment_of_a_session_that_does_not_exist_raises_nothing(tracer: HoneyHiveTracer, server: Server) -> None:
    unknown = str(uuid.uuid4())

    tracer.enrich_session(session_id=unknown, metadata={"a": 1})

    assert server.events(event_id=unknown) == []


def test_words_that_an_enrichment_does_not_know_become_metadata(tracer: HoneyHiveTracer, server: Server) -> None:
    tracer.enrich_session(metadata={"known": 1}, customer="ada")

    metadata = server.session(tracer.session_id)["metadata"]
    assert (metadata["known"], metadata["customer"]) == (1, "ada")


def test_a_tracer_without_a_backend_session_loses_nothing_of_a_session_that_is_named_later(
    make_tracer: Tracers, server: Server, start_session: Callable[..., str]
) -> None:
    """A server that starts a session per request wants none for itself."""
    started = start_session()
    tracer = make_tracer(skip_backend_session_creation=True)
    with fresh_context():
        tracer.create_session(session_id=started, skip_api_call=True)
        _span(tracer, "in-the-request")

    assert server.event(started, "in-the-request")
