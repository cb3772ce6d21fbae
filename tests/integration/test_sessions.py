"""Sessions: started by a tracer or a client, enriched by either.

When a session cannot be started the SDK goes on with an id that it makes up. So no test believes the tracer's id
before the server has shown the session that it started.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from honeyhive import HoneyHive, HoneyHiveTracer

    from tests.support.cleanup import Cleanup
    from tests.support.server import Server
    from tests.support.tracers import Tracers


def test_a_new_tracer_has_the_session_that_the_server_issued(
    make_tracer: Tracers, server: Server, resource_name: str
) -> None:
    tracer = make_tracer(source="checkout", inputs={"user": "ada"})

    session = server.session(tracer.session_id)
    assert session["event_name"] == resource_name
    assert session["source"] == "checkout"
    assert session["inputs"] == {"user": "ada"}


def test_each_tracer_has_a_session_of_its_own(make_tracer: Tracers, server: Server) -> None:
    one, two = make_tracer(), make_tracer()

    assert server.session(one.session_id)["session_id"] != server.session(two.session_id)["session_id"]


def test_a_tracer_continues_the_session_whose_id_it_is_given(
    make_tracer: Tracers, start_session: Callable[..., str], server: Server
) -> None:
    session_id = start_session(inputs={"user": "ada"})

    tracer = make_tracer(session_id=session_id)
    with tracer.trace("continued"):
        pass
    tracer.flush()

    assert tracer.session_id == session_id
    assert server.event(session_id, "continued")["parent_id"] == session_id
    assert server.session(session_id)["inputs"] == {"user": "ada"}


def test_a_session_that_the_client_starts_is_on_the_server(
    start_session: Callable[..., str], server: Server, resource_name: str
) -> None:
    session_id = start_session(inputs={"question": "why?"}, metadata={"plan": "free"})

    session = server.session(session_id)
    assert session["event_name"] == resource_name
    assert session["inputs"] == {"question": "why?"}
    assert session["metadata"]["plan"] == "free"


def test_what_a_tracer_enriches_its_session_with_is_on_the_session(
    each_tracer: HoneyHiveTracer, server: Server
) -> None:
    each_tracer.enrich_session(
        metadata={"plan": "free"},
        outputs={"answer": 42},
        metrics={"score": 0.5},
        feedback={"rating": 5},
        user_properties={"user_id": "ada"},
    )

    session = server.session(each_tracer.session_id)
    assert session["metadata"]["plan"] == "free"
    assert session["outputs"] == {"answer": 42}
    assert session["metrics"] == {"score": 0.5}
    assert session["feedback"] == {"rating": 5}
    assert session["user_properties"] == {"user_id": "ada"}


def test_a_second_enrichment_adds_to_the_first(tracer: HoneyHiveTracer, server: Server) -> None:
    tracer.enrich_session(metadata={"first": 1, "both": "old"})
    tracer.enrich_session(metadata={"second": 2, "both": "new"})

    metadata = server.session(tracer.session_id)["metadata"]
    assert {name: metadata.get(name) for name in ("first", "second", "both")} == {
        "first": 1,
        "second": 2,
        "both": "new",
    }


def test_the_client_enriches_the_session_of_a_tracer(
    tracer: HoneyHiveTracer, client: HoneyHive, server: Server
) -> None:
    from honeyhive.models import UpdateEventRequest

    client.events.update(UpdateEventRequest(event_id=tracer.session_id, feedback={"rating": 1}, metrics={"cost": 2}))

    session = server.session(tracer.session_id)
    assert session["feedback"] == {"rating": 1}
    assert session["metrics"] == {"cost": 2}


def test_spans_inside_with_session_belong_to_the_new_session(
    tracer: HoneyHiveTracer, server: Server, cleanup: Cleanup, resource_name: str
) -> None:
    """A server that answers many users: one tracer, a session per request."""
    name = f"{resource_name}-request"
    with tracer.with_session(session_name=name, inputs={"path": "/"}) as session_id:
        cleanup.register(name, lambda: server.delete_session(str(session_id)))
        with tracer.trace("handle"):
            pass
    tracer.flush()

    assert session_id != tracer.session_id
    session = server.session(session_id)
    assert (session["event_name"], session["inputs"]) == (name, {"path": "/"})
    assert server.event(session_id, "handle")
    assert server.children(tracer.session_id) == []


def test_inside_with_session_an_enrichment_is_of_the_new_session(
    tracer: HoneyHiveTracer, server: Server, cleanup: Cleanup, resource_name: str
) -> None:
    name = f"{resource_name}-request"
    with tracer.with_session(session_name=name) as session_id:
        cleanup.register(name, lambda: server.delete_session(str(session_id)))
        tracer.enrich_session(metadata={"of": "the request"})

    assert server.session(session_id)["metadata"]["of"] == "the request"
    assert "of" not in server.session(tracer.session_id)["metadata"]


def test_a_session_id_of_the_users_own_is_kept(make_tracer: Tracers, server: Server, resource_name: str) -> None:
    chosen = str(uuid.uuid4())

    tracer = make_tracer(session_id=chosen)

    assert tracer.session_id == chosen
    assert server.session(chosen)["event_name"] == resource_name
