"""The key decides the project: whatever a tracer or a client writes lands there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from honeyhive import HoneyHive, HoneyHiveTracer

    from environments.inside.target import Target
    from tests.support.server import Server
    from tests.support.tracers import Tracers


def test_everything_of_a_tracer_and_a_client_lands_in_the_project_of_the_key(
    tracer: HoneyHiveTracer, client: HoneyHive, start_session: Callable[..., str], server: Server, target: Target
) -> None:
    from honeyhive.models import PostEventRequest

    started = start_session()
    client.events.create(
        PostEventRequest(event={"event_type": "tool", "event_name": "by-client", "session_id": started, "inputs": {}})
    )
    with tracer.trace("by-span"):
        pass
    tracer.create_event("by-tracer", event_type="tool")
    tracer.flush()

    written = [
        server.session(tracer.session_id),
        server.event(tracer.session_id, "by-span"),
        server.event(tracer.session_id, "by-tracer"),
        server.session(started),
        server.event(started, "by-client"),
    ]
    assert tracer.project == target.project.name
    assert len({event["project_id"] for event in written}) == 1


def test_a_tracer_without_a_project_writes_to_the_project_of_its_key(make_tracer: Tracers, server: Server) -> None:
    tracer = make_tracer(project=None)
    with tracer.trace("span"):
        pass
    tracer.enrich_session(metadata={"enriched": True})
    tracer.flush()

    assert server.event(tracer.session_id, "span")
    metadata = server.session(tracer.session_id)["metadata"]
    assert metadata.get("enriched") is True, "the enrichment is lost"
