from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from environments.services.gateway.operations import OPERATIONS
from tests.unit.services.gateway.standin import KEYS
from tests.unit.services.honeyhive.running import answered, refused, where

if TYPE_CHECKING:
    from environments.services.gateway.operations import Operation
    from tests.unit.services.gateway.running import Gateway
    from tests.unit.services.gateway.standin import Standin
    from tests.unit.services.honeyhive.running import Event

READS = [operation for operation in OPERATIONS if operation.read]
WRITES = [operation for operation in OPERATIONS if not operation.read]


def filled(template: str) -> str:
    return re.sub(r"\{\w+\}", "an-id", template)


def test_there_are_27_reads_and_51_other_operations() -> None:
    assert len(READS) == 27
    assert len(WRITES) == 51
    assert len({(operation.method, operation.template) for operation in OPERATIONS}) == 78


@pytest.mark.parametrize("read", READS, ids=lambda read: f"{read.method} {read.template}")
def test_a_read_goes_through_with_the_real_key(production: Gateway, standin: Standin, read: Operation) -> None:
    body: Event | None = None if read.check is None else {"filters": []}
    kind = "data_plane" if read.template.startswith("/v1/projects/") else "project"
    headers = {"Authorization": f"Bearer {production.keys()[kind]}"}
    with standin.watched() as reached:
        response = production.http.request(read.method, filled(read.template), json=body, headers=headers)
    assert response.status_code in {200, 400, 404}, response.text  # the upstream's: no such id, no such parameter
    (arrived,) = reached
    assert (arrived.method, arrived.path) == (read.method, filled(read.template))
    assert arrived.key == KEYS[kind]


@pytest.mark.parametrize("write", WRITES, ids=lambda write: f"{write.method} {write.template}")
def test_a_write_is_refused_by_name_and_the_connection_closed(
    production: Gateway, standin: Standin, write: Operation
) -> None:
    with standin.watched() as reached:
        response = production.http.request(write.method, filled(write.template), json={"event": {}})
    status, message = refused(response)
    assert status == 403
    assert f"{write.method} {write.template} is no read" in message
    assert response.headers["connection"] == "close"
    assert reached == []
    line = production.audit()[-1]
    assert (line["method"], line["path"], line["decision"]) == (write.method, write.template, "refused")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "SEARCH"])
def test_no_other_method_of_a_reads_path_goes_through(production: Gateway, standin: Standin, method: str) -> None:
    known = {(read.method, read.template) for read in READS}
    others = [read.template for read in READS if (method, read.template) not in known]
    with standin.watched() as reached:
        answers = [production.http.request(method, filled(template)) for template in others]
    # Two paths of reads with a body are the paths of reads by id, too.
    through = {"/v1/events/export", "/v1/events/search"} if method == "GET" else set()
    assert {str(answer.request.url.path) for answer in answers if answer.status_code != 403} == through
    assert {request.path for request in reached} == through


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/openapi.json", "/v1", "/v1/events", "/v1/runs/", "/V1/runs", "/v1/projects", "/v2/runs"]
)
def test_a_path_of_no_known_read_is_refused(production: Gateway, standin: Standin, path: str) -> None:
    with standin.watched() as reached:
        status, message = refused(production.http.get(path))
    assert status == 403
    assert "none of the reads" in message
    assert reached == []


@pytest.mark.parametrize("query", ["_method=DELETE", "method=PUT", "name=a&x=1", "page=1", "name=%00"])
def test_a_parameter_that_the_read_does_not_have_is_refused(production: Gateway, standin: Standin, query: str) -> None:
    with standin.watched() as reached:
        assert production.http.get(f"/v1/configurations?{query}").status_code == 403
    assert reached == []


def test_a_query_is_written_anew_with_the_same_meaning(production: Gateway, standin: Standin) -> None:
    with standin.watched() as reached:
        names = ["a b", "ä&=", "c;d"]
        answered(production.http.get("/v1/datapoints", params={"datapoint_ids[]": names}))
    (arrived,) = reached
    assert arrived.query == "&".join(f"datapoint_ids%5B%5D={value}" for value in ("a%20b", "%C3%A4%26%3D", "c%3Bd"))


def test_what_is_no_known_header_does_not_arrive(production: Gateway, standin: Standin) -> None:
    sent = {"hh-client-version": "1.7.0", "X-Secret": "s", "Cookie": "c=d", "X-Forwarded-For": "1.2.3.4", "TE": "gzip"}
    with standin.watched() as reached:
        answered(production.http.get("/v1/runs", headers=sent))
    (arrived,) = reached
    assert arrived.headers["hh-client-version"] == "1.7.0"
    assert arrived.headers["host"] == f"localhost:{standin.port}"
    assert arrived.headers.keys() <= {
        *("accept", "accept-encoding", "authorization", "hh-client-version", "host", "user-agent")
    }


def test_an_export_is_answered_as_the_upstream_answers(production: Gateway, staging: Gateway) -> None:
    session = {"session": {"session_name": "exported", "source": "test"}}
    session_id = answered(staging.http.post("/session/start", json=session))["session_id"]
    exported = {"project": "", "filters": [where("session_id", session_id)], "limit": 10, "page": 1}
    events = answered(production.http.post("/v1/events/export", json=exported))
    assert [event["event_name"] for event in events["events"]] == ["exported"]


@pytest.mark.parametrize("path", ["/v1/events/export", "/v1/events/search"])
@pytest.mark.parametrize(
    "body",
    [
        *({"event": {}}, {"filters": {}}, {"filters": ["a"]}, {"filters": [{"field": "a", "$set": 1}]}),
        *({"filters": [{"field": "a", "operator": "is", "value": {"$where": "1"}}]}, {"limit": "1"}, {"limit": True}),
        *({"filters": [{"field": "$where", "operator": "is", "value": "1"}]}, {"dateRange": {"$out": "a"}}),
        *({"filters": [{"field": "a", "operator": "$set", "value": 1}]}, {"update": {}}, {"filters": [[]]}),
    ],
)
def test_a_body_that_is_no_query_is_refused(
    production: Gateway, standin: Standin, path: str, body: dict[str, object]
) -> None:
    with standin.watched() as reached:
        status, message = refused(production.http.post(path, json=body))
    assert status == 403
    assert "the body is no query" in message
    assert reached == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"limit": NaN}', b"\xff", b'{"a":' * 200])
def test_a_body_that_is_no_json_object_is_a_bad_request(production: Gateway, standin: Standin, body: bytes) -> None:
    with standin.watched() as reached:
        response = production.http.post("/v1/events/export", content=body, headers={"Content-Type": "application/json"})
    assert refused(response)[0] == 400
    assert response.headers["connection"] == "close"
    assert reached == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        {},
    ],
)
def test_a_query_of_another_content_type_is_refused(
    production: Gateway, standin: Standin, headers: dict[str, str]
) -> None:
    with standin.watched() as reached:
        assert production.http.post("/v1/events/export", content=b"{}", headers=headers).status_code == 403
    assert reached == []


def test_a_query_larger_than_a_query_is_refused(production: Gateway, standin: Standin) -> None:
    with standin.watched() as reached:
        assert production.http.post("/v1/events/export", json={"project": "x" * 70_000}).status_code == 413
    assert reached == []


def test_of_a_field_sent_twice_the_one_that_was_judged_arrives(production: Gateway, standin: Standin) -> None:
    sent = b'{"limit": 1, "filters": [], "limit": 2, "page": 1}'
    with standin.watched() as reached:
        response = production.http.post("/v1/events/export", content=sent, headers={"Content-Type": "application/json"})
    answered(response)
    assert int(reached[0].headers["content-length"]) == len(json.dumps(json.loads(sent), separators=(",", ":")))
