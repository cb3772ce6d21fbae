from __future__ import annotations

import json
import math
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments.services.honeyhive.events.event import EVENT_TYPES
from environments.services.honeyhive.ingestion import otlp
from environments.services.honeyhive.ingestion.mapping import event_type, mapped
from environments.services.honeyhive.ingestion.nesting import unflattened
from environments.services.honeyhive.storage.keys import Project
from environments.services.http.errors import ApiError
from environments.services.http.json_types import dump
from tests.unit.services.honeyhive import running

if TYPE_CHECKING:
    from collections.abc import Mapping

    from environments.services.honeyhive.events.event import Event
    from environments.services.honeyhive.ingestion.spans import Span
    from tests.unit.services.honeyhive.running import Value

_NONE: Mapping[str, Value] = {}


def event_of(having: Mapping[str, Value] = _NONE, **wire: object) -> Event:
    """Map a span with these attributes."""
    return mapped(span_of(having, **wire)).event


def span_of(having: Mapping[str, Value] = _NONE, **wire: object) -> Span:
    body = running.otlp(running.span("name", "session", having, **wire))
    [span] = otlp.decode(otlp.JSON, json.dumps(body).encode())
    return span


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"honeyhive_event_type": "model"}, "model"),
        ({"honeyhive.event_type": "chain"}, "chain"),
        ({"honeyhive_event_type": "tool", "honeyhive.event_type": "model"}, "tool"),
        ({"honeyhive_event_type": "session"}, "session"),
        ({"honeyhive_event_type": "something", "openinference.span.kind": "LLM"}, "model"),
        ({"openinference.span.kind": "AGENT"}, "chain"),
        ({"openinference.span.kind": "EMBEDDING"}, "tool"),
        ({"openinference.span.kind": "TOOL", "gen_ai.operation.name": "chat"}, "tool"),
        ({"gen_ai.operation.name": "chat"}, "model"),
        ({"gen_ai.operation.name": "invoke_agent"}, "chain"),
        ({"gen_ai.operation.name": "execute_tool"}, "tool"),
        ({"traceloop.span.kind": "workflow"}, "chain"),
        ({"llm.request.type": "completion"}, "model"),
        ({"honeyhive_event_type": 5}, "tool"),
        ({}, "tool"),
    ],
)
def test_the_event_type_follows_explicit_attributes_and_then_conventions(
    attributes: dict[str, Any], expected: str
) -> None:
    assert event_type(attributes) == expected


@pytest.mark.parametrize("spelling", ["honeyhive_{}.a.b", "honeyhive.{}.a.b"])
@pytest.mark.parametrize(
    "bucket", ["inputs", "outputs", "config", "metadata", "metrics", "feedback", "user_properties"]
)
def test_both_spellings_of_a_bucket_are_nested_into_it(spelling: str, bucket: str) -> None:
    event = event_of({spelling.format(bucket): 1})
    assert getattr(event, bucket)["a"] == {"b": 1}


def test_what_is_set_on_a_bucket_itself_goes_under_value() -> None:
    assert event_of({"honeyhive_outputs": "text"}).outputs == {"value": "text"}


def test_attributes_of_no_bucket_go_under_metadata_nested_by_their_dots() -> None:
    metadata = event_of({"http.method": "GET", "http.status": 200}).metadata
    assert metadata["http"] == {"method": "GET", "status": 200}


def test_what_a_field_says_is_not_repeated_in_the_metadata() -> None:
    event = event_of({"honeyhive.source": "s", "honeyhive.project": "p", "honeyhive_event_type": "tool"})
    assert event.source == "s"
    assert "honeyhive" not in event.metadata
    assert event.metadata["honeyhive_event_type"] == "tool"


def test_json_text_in_inputs_is_read_back_and_other_text_is_left_alone() -> None:
    event = event_of(
        {
            "honeyhive_inputs.json": '{"a": [1, 2]}',
            "honeyhive_inputs.text": "{not json",
            "honeyhive_inputs.number": "5",
            "honeyhive_inputs.infinite": '{"a": Infinity}',
            "honeyhive_metadata.json": '{"a": 1}',
        }
    )
    assert event.inputs == {
        "json": {"a": [1, 2]},
        "text": "{not json",
        "number": "5",
        "infinite": '{"a": Infinity}',
    }
    assert event.metadata["json"] == '{"a": 1}'


@pytest.mark.parametrize(
    ("flat", "nested"),
    [
        ({"a.b": 1, "a.c.d": 2}, {"a": {"b": 1, "c": {"d": 2}}}),
        ({"a.0": "x", "a.1": "y"}, {"a": ["x", "y"]}),
        ({"a.0.b": 1, "a.1.b": 2}, {"a": [{"b": 1}, {"b": 2}]}),
        ({"a.1": "y", "a.2": "z"}, {"a": {"1": "y", "2": "z"}}),
        ({"0": "x"}, {"0": "x"}),
        ({f"a.{index}": index for index in range(12)}, {"a": list(range(12))}),
        ({"a": 1, "a.b": 2}, {"a": 1, "a.b": 2}),
        ({"a": {"b": 1}, "a.c": 2}, {"a": {"b": 1, "c": 2}}),
        ({"a": {}}, {"a": {}}),
        ({"a": []}, {"a": []}),
        ({}, {}),
    ],
)
def test_dotted_keys_nest(flat: dict[str, Any], nested: dict[str, Any]) -> None:
    assert unflattened(flat) == nested


def test_an_error_is_what_the_span_says_first() -> None:
    failed = {"code": "STATUS_CODE_ERROR", "message": "status"}
    exception = {"name": "exception", "attributes": [running.attribute("exception.message", "exception")]}
    assert event_of({"honeyhive_error": "explicit"}, status=failed).error == "explicit"
    assert event_of(status=failed, events=[exception]).error == "status"
    assert event_of(status={"code": 2}, events=[exception]).error == "exception"
    assert event_of(status={"code": 2}).error == "error"
    assert event_of(status={"code": 1, "message": "fine"}, events=[exception]).error is None


def test_an_end_before_the_start_is_no_negative_duration() -> None:
    event = event_of(startTimeUnixNano="2000000", endTimeUnixNano="1000000")
    assert (event.start_time, event.end_time, event.duration) == (2, 2, 0)


def test_the_event_id_follows_from_the_span_and_the_parent_id_from_its_parent() -> None:
    parent = span_of(spanId="00000000000000aa", traceId="1" * 32)
    child = span_of(spanId="00000000000000bb", traceId="1" * 32, parentSpanId="00000000000000AA")
    assert mapped(parent).event.event_id == mapped(parent).event.event_id
    assert mapped(child).event.parent_id == mapped(parent).event.event_id
    assert mapped(parent).event.parent_id == "session"


def test_the_traceloop_spelling_of_the_session_counts_too() -> None:
    sent = running.otlp(running.span("x", having={"traceloop.association.properties.session_id": "other"}))
    [span] = otlp.decode(otlp.JSON, json.dumps(sent).encode())
    assert mapped(span).event.session_id == "other"


# ---- Any input ---------------------------------------------------------------------------------------

_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
_NAMES = st.text() | st.sampled_from(
    ["honeyhive_inputs.a", "honeyhive_inputs.a.b", "honeyhive.inputs.a.0", "a.b", "a", "honeyhive.session_id"]
)
_ANY_VALUE = st.recursive(
    st.fixed_dictionaries({"stringValue": st.text()})
    | st.fixed_dictionaries({"intValue": st.integers() | st.integers().map(str)})
    | st.fixed_dictionaries({"doubleValue": st.floats(allow_nan=False, allow_infinity=False)})
    | st.fixed_dictionaries({"boolValue": st.booleans()})
    | st.just({}),
    lambda inner: (
        st.fixed_dictionaries({"arrayValue": st.fixed_dictionaries({"values": st.lists(inner)})})
        | st.fixed_dictionaries(
            {
                "kvlistValue": st.fixed_dictionaries(
                    {"values": st.lists(st.fixed_dictionaries({"key": _NAMES, "value": inner}))}
                )
            }
        )
    ),
    max_leaves=8,
)
_ATTRIBUTES = st.lists(st.fixed_dictionaries({"key": _NAMES, "value": _ANY_VALUE}))
_JUNK = st.recursive(
    _LEAVES.filter(lambda leaf: not isinstance(leaf, float) or math.isfinite(leaf)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
_KEYS = ("traceId", "spanId", "parentSpanId", "name", "kind", "startTimeUnixNano", "attributes", "events", "status")


@given(_ATTRIBUTES)
def test_any_attributes_map_to_an_event_that_can_be_stored(attributes: list[dict[str, Any]]) -> None:
    mapping = mapped(span_of(attributes=attributes))
    dump(mapping.event.document(Project("p"))).encode()
    assert mapping.event.event_type in EVENT_TYPES


@given(st.dictionaries(st.sampled_from(_KEYS), _JUNK))
def test_any_span_decodes_or_is_a_bad_request(junk: dict[str, Any]) -> None:
    body = json.dumps(running.otlp({**running.span("x"), **junk})).encode()
    with running.perhaps_refused(400):
        for span in otlp.decode(otlp.JSON, body):
            dump(mapped(span).event.document(Project("p"))).encode()


@given(st.binary())
def test_any_protobuf_decodes_or_is_a_bad_request(body: bytes) -> None:
    with running.perhaps_refused(400):
        for span in otlp.decode(otlp.PROTOBUF, body):
            mapped(span)


@given(st.dictionaries(st.text(alphabet="ab01."), st.integers() | st.dictionaries(st.text(alphabet="a0."), st.none())))
def test_any_keys_nest(flat: dict[str, Any]) -> None:
    dump(unflattened(flat))


def test_deep_keys_and_values_stay_storable() -> None:
    value: Any = {"stringValue": "x"}
    for _ in range(20):
        value = {"kvlistValue": {"values": [{"key": "k", "value": value}]}}
    sent = [{"key": "honeyhive_inputs." + ".".join("a" * 1000), "value": value}]
    dump(mapped(span_of(attributes=sent)).event.document(Project("p")))
    for _ in range(20):
        value = {"arrayValue": {"values": [value]}}
    with pytest.raises(ApiError):
        span_of(attributes=[{"key": "k", "value": value}])


def test_spans_of_one_trace_have_ids_that_begin_alike_and_are_uuids_of_their_own() -> None:
    spans = [span_of(traceId="1" * 32, spanId=f"{number:016x}") for number in range(1, 50)]
    ids = {mapped(span).event.event_id for span in spans}
    assert len(ids) == len(spans)
    assert len({event_id[:13] for event_id in ids}) == 1
    assert {str(uuid.UUID(event_id)) for event_id in ids} == ids


def test_names_in_either_spelling_and_names_that_nobody_knows_are_read() -> None:
    sent = json.dumps(running.otlp(running.span("name", "session", {"a": 1})))
    expected = list(otlp.decode(otlp.JSON, sent.encode()))
    for written, other in (("resourceSpans", "resource_spans"), ("intValue", "int_value"), ("traceId", "trace_id")):
        assert list(otlp.decode(otlp.JSON, sent.replace(written, other).encode())) == expected
    newer = sent.replace('"spans":', '"unheardOf": [{"name": 5}], "spans":')
    assert newer != sent
    assert list(otlp.decode(otlp.JSON, newer.encode())) == expected
