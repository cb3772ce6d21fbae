"""What a span can carry: any text, a lot of it, many attributes, and types that JSON has no word for."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.eventually import eventually

if TYPE_CHECKING:
    from honeyhive import HoneyHive, HoneyHiveTracer

    from tests.support.server import Event, Server
    from tests.support.tracers import Tracers

# Long enough for what was flushed, and short for what a defect keeps from coming.
_SOON_S = 2.0
TEXTS = {
    "umlauts": "Grüße, Zoë — naïve façade",
    "chinese": "你好世界",
    "arabic": "مرحبا بالعالم",
    "emoji": "👩‍👩‍👧‍👦 🏳️‍🌈 🕒",
    "combining": "e\u0301 and é",
    "beyond the BMP": "𓀀 𓁹 𒀀",
    "controls": "tab\tline\nreturn\rbell\x07",
    "quotes": "\"double\" 'single' \\back\\ </script>",
    "direction": "abc\u202edef\u202c",
    "braces": "{{not}} a {template} %s ${HOME}",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_text_arrives_as_it_was_written_wherever_it_stands(
    tracer: HoneyHiveTracer, server: Server, text: str
) -> None:
    with tracer.trace("text") as span:
        span.set_attribute("honeyhive_metadata.plain", text)
        tracer.enrich_span(inputs={"text": text}, outputs={"list": [text, text]})
    tracer.enrich_session(metadata={"text": text})
    tracer.flush()

    event = server.event(tracer.session_id, "text")
    assert event["inputs"]["text"] == text
    assert event["outputs"]["list"] == [text, text]
    assert event["metadata"]["plain"] == text
    assert server.session(tracer.session_id)["metadata"]["text"] == text


@pytest.mark.parametrize("name", ["größe 🕒", "with spaces", "a/b?c#d", "x" * 500])
def test_a_span_may_have_any_name(tracer: HoneyHiveTracer, server: Server, name: str) -> None:
    with tracer.trace(name):
        pass
    tracer.flush()

    assert server.event(tracer.session_id, name)


def test_a_session_may_have_any_name(make_tracer: Tracers, server: Server, resource_name: str) -> None:
    tracer = make_tracer(session_name=f"{resource_name} größe 🕒")

    assert server.session(tracer.session_id)["event_name"] == f"{resource_name} größe 🕒"


# ---- Much of it --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [10_000, 1_000_000])
def test_a_large_input_arrives_whole(tracer: HoneyHiveTracer, server: Server, size: int) -> None:
    text = "".join(f"{number:07d} " for number in range(size // 8))
    with tracer.trace("large"):
        tracer.enrich_span(inputs={"text": text})
    tracer.flush()

    assert server.event(tracer.session_id, "large")["inputs"]["text"] == text


def test_a_large_result_of_a_traced_function_arrives_whole(tracer: HoneyHiveTracer, server: Server) -> None:
    from honeyhive import trace

    @trace(tracer=tracer, event_name="large")  # type: ignore[untyped-decorator]  # the SDK isn't installed here
    def document() -> str:
        return "word " * 20_000

    document()
    tracer.flush()

    assert server.event(tracer.session_id, "large")["outputs"]["result"] == "word " * 20_000


def _counted(tracer: HoneyHiveTracer, rows: list[Any]) -> None:
    from honeyhive import trace

    @trace(tracer=tracer, event_name="large")  # type: ignore[untyped-decorator]  # the SDK isn't installed here
    def count(rows: list[Any]) -> int:
        return len(rows)

    count(rows)
    tracer.flush()


@pytest.mark.sdk(">=1.2")
def test_from_1_2_a_large_argument_of_a_traced_function_arrives_whole(tracer: HoneyHiveTracer, server: Server) -> None:
    given = [{"number": number} for number in range(500)]

    _counted(tracer, given)

    assert json.loads(server.event(tracer.session_id, "large")["inputs"]["rows"]) == given


@pytest.mark.sdk("<1.2")
def test_before_1_2_a_large_argument_of_a_traced_function_is_cut(tracer: HoneyHiveTracer, server: Server) -> None:
    _counted(tracer, [{"number": number} for number in range(500)])

    held = server.event(tracer.session_id, "large")["inputs"]["rows"]
    assert len(held) < 1100
    assert held.endswith("(truncated)")


def _with_attributes(tracer: HoneyHiveTracer, name: str, count: int) -> None:
    with tracer.trace(name, event_type="chain") as span:
        for number in range(count):
            span.set_attribute(f"honeyhive_metadata.key-{number}", number)
    tracer.flush()


def test_a_span_of_the_first_tracer_keeps_more_attributes_than_opentelemetry_does_by_default(
    first_tracer: HoneyHiveTracer, server: Server, resource_name: str
) -> None:
    """OpenTelemetry keeps 128: a long conversation has more."""
    _with_attributes(first_tracer, resource_name, 400)

    metadata = server.event(first_tracer.session_id, resource_name)["metadata"]
    assert [metadata.get(f"key-{number}") for number in range(400)] == list(range(400))


def test_a_span_of_a_later_tracer_keeps_as_many_attributes_as_one_of_the_first(
    tracer: HoneyHiveTracer, server: Server
) -> None:
    _with_attributes(tracer, "many", 400)

    def arrived() -> Event:
        held = server.children(tracer.session_id)
        assert held, "the span is not in its session"
        return held[0]

    assert eventually(arrived, within=_SOON_S)["metadata"]["key-0"] == 0


def test_a_span_with_more_attributes_than_it_may_keep_is_still_in_its_session(
    first_tracer: HoneyHiveTracer, server: Server, resource_name: str
) -> None:
    _with_attributes(first_tracer, resource_name, 1500)

    def arrived() -> Event:
        found = server.events(session_id=str(first_tracer.session_id), event_name=resource_name)
        assert found, "the span is not in its session"
        return found[0]

    held = eventually(arrived, within=_SOON_S)
    assert (held["event_type"], held["metadata"]["key-1499"]) == ("chain", 1499)


def test_deeply_nested_values_arrive_as_they_are(tracer: HoneyHiveTracer, server: Server) -> None:
    value: dict[str, Any] = {"leaf": [1, 2.5, True, "x"]}
    for level in range(8):
        value = {f"level-{level}": value}
    with tracer.trace("deep"):
        tracer.enrich_span(metadata={"deep": value})
    tracer.flush()

    assert server.event(tracer.session_id, "deep")["metadata"]["deep"] == value


# ---- Types -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", [0, -1, 2**53 + 1, 2**63 - 1, 0.1, -1e300, True, False, "", "0"], ids=lambda value: repr(value)[:12]
)
def test_a_scalar_arrives_with_its_type(tracer: HoneyHiveTracer, server: Server, value: object) -> None:
    with tracer.trace("typed"):
        tracer.enrich_span(metadata={"value": value})
    tracer.flush()

    held = server.event(tracer.session_id, "typed")["metadata"]["value"]
    assert held == value
    assert isinstance(held, bool) is isinstance(value, bool)


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), 2**70, b"\x00\xff", {1, 2}, dt.date(2026, 1, 2), object()],
    ids=["nan", "infinity", "large integer", "bytes", "set", "date", "object"],
)
def test_a_value_that_json_does_not_know_costs_neither_its_span_nor_the_batch(
    tracer: HoneyHiveTracer, server: Server, value: object
) -> None:
    with tracer.trace("odd"):
        tracer.enrich_span(metadata={"odd": value, "kept": 1})
    with tracer.trace("beside"):
        pass
    tracer.flush()

    assert server.event(tracer.session_id, "beside")
    assert server.event(tracer.session_id, "odd")["metadata"]["kept"] == 1


def test_none_is_no_value(tracer: HoneyHiveTracer, server: Server) -> None:
    with tracer.trace("none"):
        tracer.enrich_span(metadata={"none": None, "kept": 1}, inputs=None)
    tracer.flush()

    event = server.event(tracer.session_id, "none")
    assert event["metadata"].get("none") is None
    assert event["metadata"]["kept"] == 1


def test_what_opentelemetry_sets_on_a_span_is_on_the_event(tracer: HoneyHiveTracer, server: Server) -> None:
    from opentelemetry.trace import Status, StatusCode

    with tracer.trace("plain") as span:
        span.set_attributes({"honeyhive_metadata.one": 1, "honeyhive_metadata.names": ["a", "b"]})
        span.update_name("renamed")
        span.set_status(Status(StatusCode.ERROR, "out of stock"))
    tracer.flush()

    event = server.event(tracer.session_id, "renamed")
    assert event["metadata"]["one"] == 1
    assert event["metadata"]["names"] in (["a", "b"], json.dumps(["a", "b"]))
    assert event["error"] == "out of stock"


def test_the_client_sends_any_text_and_reads_it_back(client: HoneyHive, resource_name: str) -> None:
    from honeyhive.models import CreateDatapointRequest

    created = client.datapoints.create(CreateDatapointRequest(inputs=TEXTS, metadata={"name": resource_name}))
    (datapoint_id,) = created.result.insertedIds
    try:
        (datapoint,) = client.datapoints.get(datapoint_id).datapoint
    finally:
        client.datapoints.delete(datapoint_id)

    assert datapoint.inputs == TEXTS
