"""The parts that decide, without sockets: whatever arrives is judged, and what passes means one thing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from environments.services.gateway import operations, requests
from environments.services.gateway.placeholders import Kind, Placeholders
from environments.services.gateway.policy import Policy, admitted, forward
from environments.services.gateway.redaction import Redactor
from environments.services.honeyhive.routes import ROUTES
from tests.unit.services.honeyhive.running import perhaps_refused

if TYPE_CHECKING:
    from environments.services.gateway.requests import Forward

PIECES = st.sampled_from(
    [
        *("v1", "runs", "events", "export", "datasets", "projects", "charts", "metrics", "compare", "schema", "result"),
        *(".", "..", "", "%2e", "%2F", "%", "a%00", "{id}", "ä", "#", "?", ";", "..;x", "\\", " ", "a:b", "~", "-"),
    ]
)
PATHS = st.lists(PIECES | st.text(max_size=8), max_size=7).map(lambda pieces: "/" + "/".join(pieces))
METHODS = st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "CONNECT", "get", "X"])
NAMES = st.sampled_from(["content-length", "transfer-encoding", "content-type", "upgrade", "x-http-method", "accept"])
VALUES = st.sampled_from(["0", "2", "chunked", "application/json", "GET", "*/*"])
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=3)
SECRETS = ("hh_0123456789abcdef", 'odd"key/with+signs', "hh_0123456789abcdef_longer")
QUERIES = st.sampled_from(["", "name=a", "limit=1&page=2", "_method=DELETE", "a", "%ff", "=", "name=%0d%0a"])
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["is", "$set", "string"])
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["field", "operator", "value", "type", "$gte", "$set", "filters"]), inner)
    ),
    max_leaves=8,
)
BODIES = st.dictionaries(
    st.sampled_from(["filters", "limit", "page", "project", "dateRange", "projections", "event", "update"]), JSON
)


def scope(method: str, path: str, query: str, headers: list[tuple[str, str]]) -> dict[str, Any]:
    return {
        "method": method,
        "http_version": "1.1",
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }


@given(METHODS, PATHS, QUERIES, HEADERS, BODIES.map(json.dumps) | st.text())
def test_what_is_forwarded_read_only_is_a_read_that_every_reader_reads_alike(
    method: str, path: str, query: str, headers: list[tuple[str, str]], body: str
) -> None:
    with perhaps_refused(400, 403):
        chosen = admitted(Policy.READ_ONLY, requests.arrived(scope(method, path, query, headers)))
        sent = forward(Policy.READ_ONLY, chosen, body.encode("utf-8", "surrogatepass"))
        means_one_read(sent)


def means_one_read(sent: Forward) -> None:
    parts = urlsplit(f"https://host{sent.target}")
    operation = operations.find(sent.method, parts.path)
    assert operation is not None
    assert operation.read
    assert not parts.fragment
    assert {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)} <= operation.query
    assert (sent.method == "POST") == bool(sent.body)
    assert "$set" not in sent.body.decode() or "$set" in [*_texts(json.loads(sent.body))]


def _texts(value: object) -> list[str]:
    """Return the texts that are values: what a filter compares with may be any."""
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []


@given(METHODS, PATHS)
def test_a_template_holds_nothing_of_what_a_path_carries(method: str, path: str) -> None:
    for segment in operations.template_of(method, path).split("/"):
        assert segment in {"", "{}", "…"} or segment.isascii()
    assert "secret" not in operations.template_of(method, f"{path}/secret")


def test_every_operation_of_the_sdk_that_the_embedded_service_has_is_known_here() -> None:
    def shape(template: str) -> str:
        return "/".join("{}" if segment.startswith("{") else segment for segment in template.split("/"))

    served = {(method, shape(path)) for method, path in ROUTES}
    known = {(operation.method, shape(operation.template)) for operation in operations.OPERATIONS}
    assert known <= served


@given(st.text(min_size=1), st.text(min_size=1))
def test_placeholders_of_different_tests_differ(one: str, other: str) -> None:
    placeholders = Placeholders({Kind.PROJECT: "hh_real", Kind.INGESTION: "hh_ingst_real"})
    first, second = placeholders.mint(one), placeholders.mint(other)
    assert (first == second) == (one == other)
    for kind, key in first.items():
        holder = placeholders.holder(key)
        assert holder is not None
        assert (holder.test, holder.kind) == (one, kind)
        assert placeholders.holder(placeholders.wrong(key)) is None


@given(st.text(), st.text(), st.sampled_from(SECRETS))
def test_a_key_is_hidden_wherever_it_stands_and_nothing_else_changes(before: str, after: str, key: str) -> None:
    redactor = Redactor(SECRETS)
    shown = redactor(before + key + after)
    assert key not in shown
    assert redactor(before + after) == before + after or "[hidden]" in redactor(before + after)
    assert json.dumps(key)[1:-1] not in redactor(json.dumps({"k": before + key + after}))
