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
        | st.sampled_from(["POST /v1/events/export", "POST /opentelemetry/v1/traces"]),
        _JSON | st.dictionaries(_KEYS, _JSON),
    ),
    st.tuples(st.just("POST /events"), st.fixed_dictionaries({"event": _EVENT})),
    st.tuples(st.just("POST /session/start"), st.fixed_dictionaries({"session": _EVENT})),
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
        for path in (f"/v1/sessions/{event_id}", f"/v1/events/{event_id}"):
            assert service.http.get(path).status_code in {200, 404}


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="/"), min_size=1))
def test_any_id_in_a_path_is_answered(service: Service, event_id: str) -> None:
    url = f"/v1/events/{quote(event_id, safe='')}"
    for method in ("GET", "DELETE"):
        assert service.http.request(method, url).status_code in {200, 404, 405, 501}
