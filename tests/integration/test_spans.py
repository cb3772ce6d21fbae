"""A span becomes an event."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.eventually import eventually

if TYPE_CHECKING:
    from honeyhive import HoneyHive, HoneyHiveTracer

    from tests.support.server import Server
    from tests.support.tracers import Tracers


def test_a_span_becomes_an_event_with_everything_it_was_enriched_with(
    each_tracer: HoneyHiveTracer, server: Server, resource_name: str
) -> None:
    tracer = each_tracer
    with tracer.trace(resource_name, event_type="model"):
        tracer.enrich_span(
            inputs={"question": "¿Qué hora es? 🕒"},
            outputs={"answer": "12:00", "choices": ["12:00", "noon"]},
            metadata={"user": {"plan": "free"}},
            metrics={"score": 0.75, "tokens": 42},
            feedback={"rating": 5},
            config={"temperature": 0.5},
        )
    tracer.flush()

    event = server.event(tracer.session_id, resource_name)
    assert event["event_type"] == "model"
    assert event["inputs"]["question"] == "¿Qué hora es? 🕒"
    assert event["outputs"] == {"answer": "12:00", "choices": ["12:00", "noon"]}
    assert event["metadata"]["user"] == {"plan": "free"}
    assert event["metrics"] == {"score": 0.75, "tokens": 42}
    assert event["feedback"] == {"rating": 5}
    assert event["config"]["temperature"] == 0.5


def test_the_client_finds_the_event_of_a_span(tracer: HoneyHiveTracer, client: HoneyHive, server: Server) -> None:
    with tracer.trace("look-up", event_type="tool"):
        tracer.enrich_span(inputs={"id": 7})
    tracer.flush()
    stored = server.event(tracer.session_id, "look-up")

    exported = client.events.export(
        filters=[
            {"field": "session_id", "operator": "is", "value": tracer.session_id, "type": "string"},
            {"field": "event_name", "operator": "is", "value": "look-up", "type": "string"},
        ]
    )

    assert exported.total_events == 1
    (event,) = exported.events
    assert event.event_id == stored["event_id"]
    assert event.event_type == "tool"
    assert event.inputs == {"id": 7}


def test_nested_spans_become_a_tree_below_the_session(
    each_tracer: HoneyHiveTracer, server: Server, resource_name: str
) -> None:
    tracer = each_tracer
    parent, child, grandchild, sibling = (f"{resource_name}-{name}" for name in ("parent", "child", "grand", "sibling"))
    with tracer.trace(parent):
        with tracer.trace(child), tracer.trace(grandchild):
            pass
        with tracer.trace(sibling):
            pass
    tracer.flush()

    events = {name: server.event(tracer.session_id, name) for name in (parent, child, grandchild, sibling)}
    assert events[parent]["parent_id"] == tracer.session_id
    assert events[child]["parent_id"] == events[parent]["event_id"]
    assert events[grandchild]["parent_id"] == events[child]["event_id"]
    assert events[sibling]["parent_id"] == events[parent]["event_id"]
    in_tree = next(node for node in server.tree(tracer.session_id)["children"] if node["event_name"] == parent)
    assert [node["event_name"] for node in in_tree["children"]] == [child, sibling]


def test_a_span_that_raises_becomes_an_event_with_the_error_and_the_exception_reaches_the_caller(
    tracer: HoneyHiveTracer, server: Server
) -> None:
    with pytest.raises(ZeroDivisionError), tracer.trace("divide"):
        1 / 0  # noqa: B018 - it raises
    tracer.flush()

    event = server.event(tracer.session_id, "divide")
    assert "division by zero" in event["error"]


def test_a_span_that_ends_well_becomes_an_event_without_an_error(tracer: HoneyHiveTracer, server: Server) -> None:
    with tracer.trace("fine"):
        pass
    tracer.flush()

    assert server.event(tracer.session_id, "fine")["error"] is None


@pytest.mark.parametrize("event_type", ["model", "tool", "chain"])
def test_the_event_has_the_type_that_the_span_was_given(
    tracer: HoneyHiveTracer, server: Server, event_type: str
) -> None:
    with tracer.trace("typed", event_type=event_type):
        pass
    tracer.flush()

    assert server.event(tracer.session_id, "typed")["event_type"] == event_type


def test_a_span_without_a_type_becomes_a_tool_event(tracer: HoneyHiveTracer, server: Server) -> None:
    with tracer.trace("untyped"):
        pass
    tracer.flush()

    assert server.event(tracer.session_id, "untyped")["event_type"] == "tool"


def test_without_batching_a_span_is_sent_when_it_ends(make_tracer: Tracers, server: Server) -> None:
    tracer = make_tracer(disable_batch=True)
    with tracer.trace("at-once"):
        pass

    # A batch would wait for five seconds.
    assert eventually(lambda: server.children(tracer.session_id), within=3)


def test_spans_of_other_libraries_go_to_the_first_tracer_alone(
    first_tracer: HoneyHiveTracer, tracer: HoneyHiveTracer, server: Server, resource_name: str
) -> None:
    """What an instrumentor without a provider does: it asks OpenTelemetry for the global one."""
    from opentelemetry.trace import get_tracer

    with get_tracer("some.library").start_as_current_span(resource_name):
        pass
    with tracer.trace("its-own"):
        pass
    first_tracer.flush()
    tracer.flush()

    assert server.event(first_tracer.session_id, resource_name)
    server.event(tracer.session_id, "its-own")
    assert [event["event_name"] for event in server.children(tracer.session_id)] == ["its-own"]
