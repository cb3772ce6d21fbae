"""Events written and read by the client, by the tracer without a span, and by an exporter without the SDK."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.support.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from honeyhive import HoneyHive, HoneyHiveTracer

    from environments.inside.target import Target
    from tests.support.cleanup import Cleanup
    from tests.support.server import Server


def _tool(name: str, session_id: str, **fields: object) -> dict[str, object]:
    return {"event_type": "tool", "event_name": name, "session_id": session_id, "inputs": {}, **fields}


def test_an_event_that_the_client_creates_is_on_the_server(
    client: HoneyHive, start_session: Callable[..., str], server: Server
) -> None:
    from honeyhive.models import PostEventRequest

    session_id = start_session()
    created = client.events.create(
        PostEventRequest(
            event={
                "event_type": "model",
                "event_name": "completion",
                "source": "test",
                "session_id": session_id,
                "inputs": {"prompt": "hello"},
                "outputs": {"text": "world"},
                "metadata": {"tokens": 3},
                "metrics": {"score": 1.0},
                "config": {"model": "small"},
                "duration": 12.5,
            }
        )
    )

    event = server.event(session_id, "completion")
    assert event["event_id"] == created.event_id
    assert event["event_type"] == "model"
    assert event["inputs"] == {"prompt": "hello"}
    assert event["outputs"] == {"text": "world"}
    assert event["metadata"]["tokens"] == 3
    assert event["metrics"] == {"score": 1.0}
    assert event["config"] == {"model": "small"}
    assert event["duration"] == 12.5


def test_an_update_through_the_client_changes_the_event_and_nothing_else_of_it(
    client: HoneyHive, start_session: Callable[..., str], server: Server
) -> None:
    from honeyhive.models import PostEventRequest, UpdateEventRequest

    session_id = start_session()
    created = client.events.create(PostEventRequest(event=_tool("rated", session_id, inputs={"a": 1})))

    client.events.update(UpdateEventRequest(event_id=created.event_id, outputs={"b": 2}, feedback={"rating": 5}))

    event = server.event(session_id, "rated")
    assert (event["inputs"], event["outputs"], event["feedback"]) == ({"a": 1}, {"b": 2}, {"rating": 5})


def test_a_batch_through_the_client_becomes_one_event_each(
    client: HoneyHive, start_session: Callable[..., str], server: Server
) -> None:
    from honeyhive.models import PostEventBatchRequest

    session_id = start_session()
    created = client.events.create_batch(
        PostEventBatchRequest(
            events=[_tool(name, session_id, inputs={"name": name}) for name in ("one", "two", "three")]
        )
    )

    stored = [server.event(session_id, name) for name in ("one", "two", "three")]
    assert [event["event_id"] for event in stored] == created.event_ids
    assert [event["inputs"]["name"] for event in stored] == ["one", "two", "three"]


def test_the_async_client_writes_and_reads_the_same_events(
    client: HoneyHive, start_session: Callable[..., str], server: Server
) -> None:
    from honeyhive.models import PostEventRequest

    session_id = start_session()

    async def write() -> None:
        for name in ("one", "two"):
            await client.events.create_async(PostEventRequest(event=_tool(name, session_id)))

    asyncio.run(write())
    stored = [server.event(session_id, name)["event_id"] for name in ("one", "two")]

    only_two = [
        {"field": "session_id", "operator": "is", "value": session_id, "type": "string"},
        {"field": "event_name", "operator": "is", "value": "two", "type": "string"},
    ]
    found = asyncio.run(client.events.export_async(filters=only_two))
    assert [event.event_id for event in found.events] == stored[1:]


def test_an_export_finds_what_its_filters_say_page_by_page(
    client: HoneyHive, start_session: Callable[..., str], server: Server
) -> None:
    from honeyhive.models import EventFilter, PostEventRequest

    session_id = start_session()
    for number in range(4):
        client.events.create(PostEventRequest(event=_tool(f"event-{number}", session_id, metrics={"score": number})))
    for number in range(4):
        server.event(session_id, f"event-{number}")

    above_zero = [
        EventFilter(field="session_id", operator="is", value=session_id, type="string"),
        EventFilter(field="metrics.score", operator="greater than", value="0", type="number"),
    ]
    pages = [client.events.export(filters=above_zero, limit=2, page=page) for page in (1, 2)]

    assert [page.total_events for page in pages] == [3, 3]
    assert [len(page.events) for page in pages] == [2, 1]
    assert {event.event_name for page in pages for event in page.events} == {"event-1", "event-2", "event-3"}


def test_an_event_that_the_tracer_creates_without_a_span_is_in_its_session(
    tracer: HoneyHiveTracer, server: Server
) -> None:
    event_id = tracer.create_event(
        "import", event_type="tool", inputs={"rows": 3}, outputs={"ok": True}, metrics={"seconds": 1.5}
    )

    event = server.event(tracer.session_id, "import")
    assert event["event_id"] == event_id
    assert (event["inputs"], event["outputs"], event["metrics"]) == ({"rows": 3}, {"ok": True}, {"seconds": 1.5})


def test_the_tracer_enriches_an_event_that_is_stored_already(tracer: HoneyHiveTracer, server: Server) -> None:
    """Feedback comes when the span is long gone."""
    with tracer.trace("answer"):
        pass
    tracer.flush()
    stored = server.event(tracer.session_id, "answer")

    tracer.enrich_span(event_id=stored["event_id"], feedback={"rating": 5})

    assert server.event(tracer.session_id, "answer")["feedback"] == {"rating": 5}


def test_an_update_of_an_event_that_does_not_exist_is_an_error_of_the_client(client: HoneyHive) -> None:
    from honeyhive._generated.api_config import HTTPException
    from honeyhive.models import UpdateEventRequest

    with pytest.raises(HTTPException) as raised:
        client.events.update(UpdateEventRequest(event_id=str(uuid.uuid4()), metrics={"score": 1}))

    assert raised.value.status_code == 404


def test_a_session_has_the_sums_of_its_events(
    client: HoneyHive, start_session: Callable[..., str], server: Server
) -> None:
    from honeyhive.models import PostEventRequest

    session_id = start_session()
    tokens = {"cost": 0.25, "prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    for name in ("one", "two"):
        event = {**_tool(name, session_id, metadata=tokens), "event_type": "model"}
        client.events.create(PostEventRequest(event=event))
    client.events.create(PostEventRequest(event=_tool("three", session_id, feedback={"rating": 1})))

    def summed() -> dict[str, object]:
        metadata = server.session(session_id)["metadata"]
        assert metadata.get("num_events") == 3, f"the session's metadata: {metadata}"
        return dict(metadata)

    metadata = eventually(summed)
    assert (metadata["num_model_events"], metadata["cost"], metadata["total_tokens"]) == (2, 0.5, 14)
    assert metadata["has_feedback"] is True


@pytest.mark.parametrize("compressed", [False, True])
def test_opentelemetrys_own_exporter_becomes_a_model_event(
    target: Target, server: Server, cleanup: Cleanup, resource_name: str, *, compressed: bool
) -> None:
    """Whoever has OpenTelemetry already needs no SDK: protobuf, and the GenAI conventions."""
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    exporter = OTLPSpanExporter(
        endpoint=f"{target.base_url}/opentelemetry/v1/traces",
        headers={"Authorization": f"Bearer {server.project.api_key}"},
        compression=Compression.Gzip if compressed else Compression.NoCompression,
    )
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    session_id = str(uuid.uuid4())
    cleanup.register(f"{resource_name} {session_id}", lambda: server.delete_session(session_id))
    attributes = {
        "honeyhive.session_id": session_id,
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]',
        "gen_ai.output.messages": '[{"role": "assistant", "parts": [{"type": "text", "content": "Hello"}]}]',
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 4,
    }
    with provider.get_tracer("plain").start_as_current_span("chat gpt-4o", attributes=attributes):
        pass
    provider.shutdown()

    event = server.event(session_id, "chat gpt-4o")
    assert event["event_type"] == "model"
    assert (event["config"]["model"], event["config"]["provider"]) == ("gpt-4o", "openai")
    assert event["inputs"]["chat_history"] == [{"role": "user", "content": "Hi"}]
    assert event["metadata"]["total_tokens"] == 7
