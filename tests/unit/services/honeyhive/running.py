"""The real program, started as its users start it, and what its tests say to it."""

from __future__ import annotations

import json
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx

from environments.services.http.errors import ApiError
from tests.unit.services import programs
from tests.unit.services.programs import command, first_line

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping

COMMAND = command("honeyhive")
started = partial(programs.started, "honeyhive")

BODY_LIMIT = 400_000
CONTROL_TOKEN = "control-token"  # noqa: S105 - made up
PROJECTS = [{"name": "one", "keys": ["key-one"]}, {"name": "two", "keys": ["key-two"]}]

Event: TypeAlias = dict[str, Any]
Value: TypeAlias = str | float | bool | None
_NONE: Mapping[str, Value] = {}


@dataclass(frozen=True)
class Service:
    """A running service, and a client that holds project one's key."""

    url: str
    process: subprocess.Popen[str]
    http: httpx.Client
    control: httpx.Client

    def mint(self, name: str | None = None) -> Event:
        """Mint a project: its id, its name, and a key of each kind under `keys`."""
        return answered(self.control.post("/projects", json={} if name is None else {"name": name}))

    def as_holder(self, key: str) -> httpx.Client:
        """Return a client that holds another key. Close it."""
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {key}"})

    def post(self, path: str, body: object) -> httpx.Response:
        """Send JSON."""
        return self.http.post(path, json=body)

    def start_session(self, **fields: object) -> Event:
        """Start a session and return its event."""
        return answered(self.post("/session/start", {"session": {"session_name": "s", **fields}}))

    def create_event(self, **fields: object) -> str:
        """Create an event and return its id."""
        event = {"event_type": "tool", "inputs": {}, **fields}
        return str(answered(self.post("/events", {"event": event}))["event_id"])

    def export(self, *filters: Event, **body: object) -> Event:
        """Export the events that match all filters."""
        return answered(self.post("/v1/events/export", {"filters": list(filters), **body}))

    def events_of(self, session_id: str) -> dict[str, Event]:
        """Return the events of a session by name."""
        events = self.export(where("session_id", session_id))["events"]
        return {event["event_name"]: event for event in events}

    def send(self, *spans: Event) -> httpx.Response:
        """Send spans as the SDK's JSON exporter does."""
        return self.post("/opentelemetry/v1/traces", otlp(*spans))


def answered(response: httpx.Response) -> Event:
    """Return the body of an answer that the SDK would accept."""
    assert response.status_code == 200, response.text
    body: Event = response.json()
    return body


@contextmanager
def perhaps_refused(*statuses: int) -> Iterator[None]:
    """Let a pure function refuse its input, with one of these statuses and no other exception."""
    try:
        yield
    except ApiError as error:
        if error.status not in statuses:
            raise


def refused(response: httpx.Response) -> tuple[int, str]:
    """Return status and message of an answer in the API's error shape."""
    body = response.json()
    assert set(body) == {"message", "errorCode"}
    assert isinstance(body["errorCode"], str)
    assert response.headers["content-type"] == "application/json"
    return response.status_code, body["message"]


def where(field: str, value: Value, operator: str = "is", kind: str = "string") -> Event:
    return {"field": field, "operator": operator, "value": value, "type": kind}


def new_id() -> str:
    return str(uuid.uuid4())


def otlp(*spans: Event) -> Event:
    scope = {"name": "scope", "version": "1"}
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": scope, "spans": list(spans)}]}]}


def attribute(key: str, value: Value) -> Event:
    kinds = {bool: "boolValue", int: "intValue", float: "doubleValue", str: "stringValue"}
    return {"key": key, "value": {kinds[type(value)]: value}}


def span(name: str, session_id: str | None = None, having: Mapping[str, Value] = _NONE, **given: object) -> Event:
    """Return a span as the SDK's JSON exporter writes it, with these attributes; keywords replace what it writes."""
    attributes = {**having, **({} if session_id is None else {"honeyhive.session_id": session_id})}
    written = {
        "traceId": uuid.uuid4().hex,
        "spanId": uuid.uuid4().hex[:16],
        "parentSpanId": None,
        "name": name,
        "kind": "SPAN_KIND_INTERNAL",
        "startTimeUnixNano": "1795339883064233729",
        "endTimeUnixNano": "1795339883065733729",
        "attributes": [attribute(key, value) for key, value in attributes.items()],
        "events": [],
        "status": {"code": "STATUS_CODE_UNSET"},
    }
    return {**written, **given}


def config(**given: object) -> str:
    return json.dumps({"projects": PROJECTS, "max_body_bytes": BODY_LIMIT, "ingestion_lag_ms": 0, **given})


@contextmanager
def supervised(**given: object) -> Iterator[Service]:
    """Start the service as a supervisor does."""
    with started("--config", "-", stdin=config(control={"token": CONTROL_TOKEN}, **given)) as process:
        told = json.loads(first_line(process))
        control = httpx.Client(base_url=told["control_url"], headers={"Authorization": f"Bearer {CONTROL_TOKEN}"})
        with control, httpx.Client(base_url=told["url"], headers={"Authorization": "Bearer key-one"}) as http:
            yield Service(told["url"], process, http, control)
