from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.unit.services.honeyhive.running import Event, Service

_HEADERS = {"Content-Type": "application/json"}

_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["tool", "session", "is", "string", "2024-01-01", "metadata.a"])
)
_KEYS = st.sampled_from(
    [
        *("session", "event", "events", "filters", "dateRange", "limit", "page", "projections"),
        *("event_id", "session_id", "event_type", "inputs", "metadata", "start_time", "duration", "children_ids"),
        *("field", "operator", "value", "type", "$gte", "resourceSpans", "scopeSpans", "spans", "attributes"),
        *("model_event", "model_events", "messages", "usage", "logs", "evaluation_id", "run_id", "status", "name"),
        *("criteria", "threshold", "child_metrics", "filterArray", "passing_ranges", "event_ids", "metric", "content"),
    ]
)
_JSON = st.recursive(_LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4))
_EVENT = st.fixed_dictionaries(
    {"event_type": st.sampled_from(["tool", "session"]), "inputs": st.dictionaries(st.text(), _JSON)},
    optional={
        "event_id": st.sampled_from(["a", "b", "c"]),
        "session_id": st.sampled_from(["a", "b", "c"]),
        "parent_id": st.sampled_from(["a", "b", "c"]),
        "metadata": st.dictionaries(st.text(), _JSON),
        "start_time": st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    },
)
_REQUESTS = st.one_of(
    st.tuples(
        st.sampled_from(["POST /session/start", "POST /events", "PUT /events", "POST /events/batch"])
        | st.sampled_from(["POST /v1/events/export", "POST /opentelemetry/v1/traces", "POST /v1/events/search"])
        | st.sampled_from(["POST /events/model", "POST /events/model/batch", "POST /session/a/traces"])
        | st.sampled_from(["POST /v1/events", "PUT /v1/events/a", "POST /v1/sessions", "POST /v1/runs"])
        | st.sampled_from(["PUT /v1/runs/a", "POST /v1/metrics", "PUT /v1/metrics", "POST /v1/metrics/run_metric"])
        | st.sampled_from(["POST /v1/metrics/a/versions"]),
        _JSON | st.dictionaries(_KEYS, _JSON),
    ),
    st.tuples(st.just("POST /events"), st.fixed_dictionaries({"event": _EVENT})),
    st.tuples(st.just("POST /session/start"), st.fixed_dictionaries({"session": _EVENT})),
    st.tuples(
        st.sampled_from(["POST /v1/runs", "PUT /v1/runs/a"]),
        st.fixed_dictionaries(
            {"run_id": st.sampled_from(["a", "b"]), "event_ids": st.lists(st.sampled_from(["a", "b", "c"]))},
            optional={"passing_ranges": st.dictionaries(st.sampled_from(["m", "n"]), st.just({"min": 0.5}))},
        ),
    ),
    st.tuples(
        st.just("POST /events"),
        st.fixed_dictionaries(
            {
                "event": st.fixed_dictionaries(
                    {
                        "event_type": st.just("model"),
                        "inputs": st.just({}),
                        "session_id": st.sampled_from(["a", "b", "c"]),
                        "metrics": st.dictionaries(st.sampled_from(["m", "n"]), _JSON),
                        "metadata": st.dictionaries(st.sampled_from(["run_id", "datapoint_id", "cost"]), _JSON),
                        "feedback": st.dictionaries(st.sampled_from(["ground_truth"]), _JSON),
                    }
                )
            }
        ),
    ),
    st.tuples(st.just("POST /events/batch"), st.fixed_dictionaries({"events": st.lists(_EVENT)})),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_REQUESTS, min_size=1, max_size=4))
def test_no_requests_make_an_internal_error_and_what_is_stored_reads_back(
    service: Service, requests: list[tuple[str, Event]]
) -> None:
    for line, body in requests:
        method, path = line.split()
        response = service.http.request(method, path, content=json.dumps(body), headers=_HEADERS)
        assert response.status_code in {200, 400, 404}, response.text
    assert service.export(limit=10)["totalEvents"] >= 0
    for event_id in "abc":
        for path in (f"/v1/sessions/{event_id}", f"/v1/events/{event_id}", f"/v1/runs/{event_id}/result"):
            assert service.http.get(path).status_code in {200, 404}
    for path in ("/v1/events/schema", "/v1/runs", "/v1/metrics", "/v1/runs/a/compare-with/b", "/v1/runs/a/metrics"):
        assert service.http.get(path).status_code in {200, 404}


_QUERIES = st.dictionaries(
    st.sampled_from(
        [
            *("filters", "filters[]", "filter", "dateRange", "projections[]", "limit", "page", "evaluation_id"),
            *("run_ids[]", "name", "status", "sort_by", "sort_order", "aggregate_function", "run_id_1", "run_id_2"),
            *("event_type", "event_name", "type", "id"),
        ]
    ),
    st.text() | _JSON.map(repr) | _JSON.map(json.dumps) | st.sampled_from(["a", "1", "asc", "name", "max"]),
)


@settings(max_examples=100, deadline=None)
@given(_QUERIES)
def test_any_query_is_answered_or_a_bad_request(service: Service, query: dict[str, str]) -> None:
    service.post("/v1/runs", {"run_id": "a", "event_ids": ["a"]})
    for path in (
        *("/events", "/v1/events/schema", "/v1/runs", "/v1/runs/schema", "/v1/runs/a/result", "/v1/runs/a/metrics"),
        *("/v1/runs/a/compare-with/a", "/v1/runs/compare/events", "/v1/metrics"),
    ):
        assert service.http.get(path, params=query).status_code in {200, 400, 404}


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="/"), min_size=1))
def test_any_id_in_a_path_is_answered(service: Service, event_id: str) -> None:
    url = f"/v1/events/{quote(event_id, safe='')}"
    for method in ("GET", "DELETE"):
        assert service.http.request(method, url).status_code in {200, 404, 405, 501}
