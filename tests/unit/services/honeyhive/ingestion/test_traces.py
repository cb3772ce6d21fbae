from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from tests.unit.services.honeyhive.running import (
    Service,
    Value,
    answered,
    attribute,
    new_id,
    otlp,
    refused,
    span,
    where,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_TRACES = "/opentelemetry/v1/traces"
_PROTOBUF = {"Content-Type": "application/x-protobuf"}


def protobuf(*spans: Span) -> bytes:
    return ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])]
    ).SerializeToString()


def test_a_span_becomes_an_event_of_its_session(service: Service) -> None:
    session_id = service.start_session()["session_id"]
    sent = span(
        "a span",
        session_id,
        having={
            "honeyhive_event_type": "model",
            "honeyhive.source": "tests",
            "honeyhive_inputs.a": 1,
            "honeyhive_outputs.result": "done",
            "honeyhive_metrics.score": 0.5,
            "honeyhive_metadata.run_id": "r",
            "my.attribute": True,
        },
    )
    answered(service.send(sent))
    event = service.events_of(session_id)["a span"]
    assert (event["session_id"], event["parent_id"]) == (session_id, session_id)
    assert (event["event_type"], event["source"], event["error"]) == ("model", "tests", None)
    assert (event["inputs"], event["outputs"], event["metrics"]) == ({"a": 1}, {"result": "done"}, {"score": 0.5})
    assert event["metadata"]["run_id"] == "r"
    assert event["metadata"]["my"] == {"attribute": True}
    assert event["metadata"]["span_id"] == sent["spanId"]
    assert (event["start_time"], event["end_time"], event["duration"]) == (1795339883064, 1795339883065, 1.5)


def test_a_child_names_its_parents_event_even_if_it_comes_first(service: Service) -> None:
    session_id = new_id()
    parent = span("parent", session_id)
    child = span("child", session_id, traceId=parent["traceId"], parentSpanId=parent["spanId"])
    answered(service.send(child))
    answered(service.send(parent))
    events = service.events_of(session_id)
    assert events["child"]["parent_id"] == events["parent"]["event_id"]


def test_a_span_that_arrives_twice_is_one_event_and_keeps_its_updates(service: Service) -> None:
    session_id, sent = new_id(), span("twice", None)
    sent["attributes"].append(attribute("honeyhive.session_id", session_id))
    answered(service.send(sent, sent))
    [event] = service.export(where("session_id", session_id))["events"]
    answered(service.http.put("/events", json={"event_id": event["event_id"], "feedback": {"rating": 1}}))
    answered(service.send(sent))
    [event] = service.export(where("session_id", session_id))["events"]
    assert event["feedback"] == {"rating": 1}


@pytest.mark.parametrize("spans", [1, 49, 50, 51, 100, 101])
def test_a_batch_of_any_size_is_stored_once_however_often_it_is_sent(service: Service, spans: int) -> None:
    session_id = new_id()
    sent = [span(f"span {number}", session_id) for number in range(spans)]
    answered(service.send(*sent))
    answered(service.send(*reversed(sent)))
    exported = service.export(where("session_id", session_id))
    assert exported["totalEvents"] == spans
    assert {event["event_name"] for event in exported["events"]} == {each["name"] for each in sent}


@pytest.mark.parametrize("parent_first", [True, False])
def test_children_follow_a_span_that_chose_its_event_id(service: Service, parent_first: bool) -> None:  # noqa: FBT001
    session_id, chosen = new_id(), new_id()
    parent = span("parent", session_id, having={"honeyhive_event_id": chosen})
    child = span("child", session_id, traceId=parent["traceId"], parentSpanId=parent["spanId"])
    for sent in (parent, child) if parent_first else (child, parent):
        answered(service.send(sent))
    events = service.events_of(session_id)
    assert events["parent"]["event_id"] == chosen
    assert events["child"]["parent_id"] == chosen
    assert service.export(where("session_id", session_id), where("parent_id", chosen))["totalEvents"] == 1


def test_a_span_that_chose_the_id_of_an_event_is_laid_over_it(service: Service) -> None:
    event_id = service.create_event(metadata={"a": 1, "b": 1})
    answered(service.send(span("x", new_id(), having={"honeyhive_event_id": event_id, "honeyhive_metadata.b": 2})))
    metadata = answered(service.http.get(f"/v1/events/{event_id}"))["event"]["metadata"]
    assert (metadata["a"], metadata["b"]) == (1, 2)


def test_a_session_nobody_started_still_gets_its_events_but_no_session_event(service: Service) -> None:
    session_id = new_id()
    answered(service.send(span("orphan", session_id)))
    assert set(service.events_of(session_id)) == {"orphan"}


def test_a_span_can_ask_for_its_session_to_be_created(service: Service) -> None:
    session_id = new_id()
    wish: dict[str, Value] = {"honeyhive.session_auto_create": True, "honeyhive.session_name": "wished"}
    for name in ("a", "b"):
        answered(service.send(span(name, session_id, having=wish)))
    events = service.events_of(session_id)
    assert set(events) == {"wished", "a", "b"}
    assert (events["wished"]["event_type"], events["wished"]["event_id"]) == ("session", session_id)


def test_a_trace_without_a_session_is_one(service: Service) -> None:
    one = span("one")
    two = span("two", traceId=one["traceId"])
    answered(service.send(one, two))
    [event] = service.export(where("metadata.span_id", one["spanId"]))["events"]
    found = service.export(where("session_id", event["session_id"]))["events"]
    assert [event["event_type"] for event in found].count("session") == 1
    assert len(found) == 3


def test_json_is_answered_with_json_and_protobuf_with_protobuf(service: Service) -> None:
    assert service.send().json() == {}
    response = service.http.post(_TRACES, content=b"", headers=_PROTOBUF)
    assert (response.status_code, response.headers["content-type"]) == (200, "application/x-protobuf")
    assert ExportTraceServiceResponse.FromString(response.content) == ExportTraceServiceResponse()


@pytest.mark.parametrize("numbers", ["as numbers", "as strings"])
def test_both_dialects_of_the_sdk_come_to_the_same_event(service: Service, numbers: str) -> None:
    as_sent: Callable[[int], int | str] = int if numbers == "as numbers" else str
    session_id = new_id()
    sent = span("x", session_id, startTimeUnixNano=as_sent(10**18), endTimeUnixNano=as_sent(10**18 + 5_000_000))
    sent["attributes"].append({"key": "honeyhive_inputs.a", "value": {"intValue": as_sent(7)}})
    sent["kind"], sent["status"] = (1, {"code": 2}) if numbers == "as numbers" else (sent["kind"], sent["status"])
    answered(service.send(sent))
    event = service.events_of(session_id)["x"]
    assert (event["start_time"], event["end_time"], event["duration"]) == (10**12, 10**12 + 5, 5)
    assert event["inputs"] == {"a": 7}


@pytest.mark.parametrize(("encoding", "encode"), [("gzip", gzip.compress), ("deflate", zlib.compress), (None, bytes)])
def test_opentelemetrys_own_exporters_encoding_is_understood(
    service: Service, encoding: str | None, encode: Callable[[bytes], bytes]
) -> None:
    session_id = new_id()
    values = ArrayValue(values=[AnyValue(int_value=1), AnyValue(double_value=float("nan")), AnyValue(bool_value=True)])
    pairs = KeyValueList(values=[KeyValue(key="k", value=AnyValue(bytes_value=b"\xff"))])
    sent = Span(
        trace_id=b"\x01" * 16,
        span_id=session_id.encode()[:8],
        name="protobuf",
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=10**18,
        end_time_unix_nano=10**18 + 1_500_000,
        status=Status(code=Status.STATUS_CODE_ERROR, message="it broke"),
        attributes=[
            KeyValue(key="honeyhive.session_id", value=AnyValue(string_value=session_id)),
            KeyValue(key="gen_ai.operation.name", value=AnyValue(string_value="chat")),
            KeyValue(key="honeyhive.inputs.list", value=AnyValue(array_value=values)),
            KeyValue(key="honeyhive.inputs.map", value=AnyValue(kvlist_value=pairs)),
            KeyValue(key="honeyhive.inputs.nothing", value=AnyValue()),
        ],
    )
    headers = {**_PROTOBUF, **({"Content-Encoding": encoding} if encoding else {})}
    response = service.http.post(_TRACES, content=encode(protobuf(sent)), headers=headers)
    assert response.status_code == 200
    event = service.events_of(session_id)["protobuf"]
    assert (event["event_type"], event["error"], event["duration"]) == ("model", "it broke", 1.5)
    assert event["inputs"] == {"list": [1, "nan", True], "map": {"k": "/w=="}}


def test_a_chunked_request_is_understood(service: Service) -> None:
    session_id = new_id()
    body = httpx.Request("POST", "http://x", json=otlp(span("chunked", session_id))).content
    pieces = iter([body[:10], body[10:]])
    answered(service.http.post(_TRACES, content=pieces, headers={"Content-Type": "application/json"}))
    assert set(service.events_of(session_id)) == {"chunked"}


@pytest.mark.parametrize("body", [b"\xff", b"\x0a\xff\xff\xff\xff", b'{"resourceSpans": []}'])
def test_what_is_no_protobuf_is_a_bad_request(service: Service, body: bytes) -> None:
    assert refused(service.http.post(_TRACES, content=body, headers=_PROTOBUF))[0] == 400


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"resourceSpans": {}},
        {"resourceSpans": [1]},
        otlp({"name": 1}),
        otlp(span("x", startTimeUnixNano="soon")),
        otlp(span("x", startTimeUnixNano=True)),
        otlp(span("x", attributes=[{"key": "k", "value": {"intValue": "one"}}])),
        otlp(span("x", attributes=[{"key": "k", "value": {"boolValue": "true"}}])),
        otlp(span("x", attributes=[{"key": "k", "value": "text"}])),
        otlp(span("x", attributes=[{"key": 1, "value": {"stringValue": "text"}}])),
    ],
)
def test_json_that_is_no_trace_request_is_a_bad_request(service: Service, body: object) -> None:
    assert refused(service.post(_TRACES, body))[0] == 400


def test_a_request_with_one_malformed_span_stores_none(service: Service) -> None:
    session_id = new_id()
    assert service.send(span("good", session_id), span("bad", session_id, attributes=7)).status_code == 400
    assert service.export(where("session_id", session_id))["totalEvents"] == 0


def test_spans_without_usable_ids_are_counted_as_otlp_defines_it(service: Service) -> None:
    session_id = new_id()
    bad = [span("no id", session_id, spanId=given) for given in ("", "0" * 16, "xyz")]
    answer = answered(service.send(span("good", session_id), *bad, span("zero trace", session_id, traceId="0" * 32)))
    assert answer["partialSuccess"]["rejectedSpans"] == "4"
    assert "no valid" in answer["partialSuccess"]["errorMessage"]
    assert set(service.events_of(session_id)) == {"good"}
    response = service.http.post(_TRACES, content=protobuf(Span(name="no ids")), headers=_PROTOBUF)
    assert ExportTraceServiceResponse.FromString(response.content).partial_success.rejected_spans == 1


def test_two_projects_may_receive_the_same_span(service: Service, stranger: httpx.Client) -> None:
    session_id = new_id()
    sent = span("shared", session_id)
    for client in (service.http, stranger):
        answered(client.post(_TRACES, json=otlp(sent)))
    for client in (service.http, stranger):
        export = {"filters": [where("session_id", session_id)]}
        assert answered(client.post("/v1/events/export", json=export))["totalEvents"] == 1
