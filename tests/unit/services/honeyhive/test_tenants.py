"""Whatever two projects do, neither sees, finds or changes anything of the other's."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, multiple, rule

from tests.unit.services.honeyhive.running import Service, answered, where

if TYPE_CHECKING:
    import httpx

    from tests.unit.services.honeyhive.running import Event

_WHO = st.sampled_from([0, 1])
_NAMES = st.sampled_from(["same", "other"])
_PARAMETERS = {"call_type": "chat", "model": "m"}


@dataclass(frozen=True)
class _Resource:
    """How a kind of thing is created, listed, changed and deleted."""

    create: tuple[str, Event]
    created: tuple[str, ...]
    listed: str
    items: str
    update: tuple[str, str, Event]
    delete: str
    get: str = ""
    named: bool = True
    extra: dict[str, str] = field(default_factory=dict)


_RESOURCES = {
    "dataset": _Resource(
        ("/v1/datasets", {}),
        ("result", "insertedId"),
        "/v1/datasets",
        "datasets",
        ("PUT", "/v1/datasets/{}", {"description": "changed"}),
        "/v1/datasets/{}",
        extra={"by_id": "/v1/datasets?dataset_id={}"},
    ),
    "datapoint": _Resource(
        ("/v1/datapoints", {"inputs": {}}),
        ("result", "insertedIds", "0"),
        "/v1/datapoints",
        "datapoints",
        ("PUT", "/v1/datapoints/{}", {"inputs": {"changed": 1}}),
        "/v1/datapoints/{}",
        "/v1/datapoints/{}",
        named=False,
        extra={"by_id": "/v1/datapoints?datapoint_ids[]={}"},
    ),
    "configuration": _Resource(
        ("/v1/configurations", {"provider": "p", "parameters": _PARAMETERS}),
        ("insertedId",),
        "/v1/configurations",
        "configurations",
        ("PUT", "/v1/configurations/{}", {"name": "same", "tags": ["changed"]}),
        "/v1/configurations/{}",
    ),
    "chart": _Resource(
        ("/v1/charts", {"metric": "m"}),
        ("data", "id"),
        "/v1/charts",
        "data",
        ("PUT", "/v1/charts/{}", {"func": "changed"}),
        "/v1/charts/{}",
        "/v1/charts/{}",
    ),
    "queue": _Resource(
        ("/v1/queues", {}),
        ("queue", "id"),
        "/v1/queues",
        "queues",
        ("PUT", "/v1/queues/{}", {"id": "{}", "description": "changed"}),
        "/v1/queues/{}",
        "/v1/queues/{}",
    ),
}
_KINDS = st.sampled_from(sorted(_RESOURCES))


class _TwoProjects(RuleBasedStateMachine):
    """Two holders of keys, what each has created, and what each must and must not find."""

    service: ClassVar[Service]
    things = Bundle("things")
    sessions = Bundle("sessions")

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.held: list[dict[str, set[str]]] = []
        self.http: list[httpx.Client] = []

    @initialize()
    def begin(self) -> None:
        for _ in range(2):
            project = self.service.mint()
            self.http.append(self.stack.enter_context(self.service.as_holder(project["keys"]["project"])))
            self.held.append({kind: set() for kind in (*_RESOURCES, "session")})

    @rule(target=things, who=_WHO, kind=_KINDS, name=_NAMES)
    def create(self, who: int, kind: str, name: str) -> tuple[int, str, str]:
        resource = _RESOURCES[kind]
        path, body = resource.create
        response = self.http[who].post(path, json={**body, **({"name": name} if resource.named else {})})
        assert response.is_success, response.text
        found = response.json()
        for step in resource.created:
            found = found[int(step) if step.isdigit() else step]
        self.held[who][kind].add(found)
        return who, kind, found

    @rule(thing=things, who=_WHO)
    def update(self, thing: tuple[int, str, str], who: int) -> None:
        owner, kind, thing_id = thing
        method, path, body = _RESOURCES[kind].update
        sent = {key: thing_id if value == "{}" else value for key, value in body.items()}
        response = self.http[who].request(method, path.format(thing_id), json=sent)
        assert response.status_code == (200 if self._holds(who, thing) else 404)
        assert who == owner or response.status_code == 404

    @rule(thing=things, who=_WHO)
    def delete(self, thing: tuple[int, str, str], who: int) -> None:
        _owner, kind, thing_id = thing
        response = self.http[who].delete(_RESOURCES[kind].delete.format(thing_id))
        assert response.status_code == (200 if self._holds(who, thing) else 404)
        self.held[who][kind].discard(thing_id)

    @rule(thing=things, who=_WHO)
    def read(self, thing: tuple[int, str, str], who: int) -> None:
        _owner, kind, thing_id = thing
        resource, holds = _RESOURCES[kind], self._holds(who, thing)
        if resource.get:
            assert self.http[who].get(resource.get.format(thing_id)).status_code == (200 if holds else 404)
        for path in resource.extra.values():
            found = answered(self.http[who].get(path.format(thing_id)))[resource.items]
            assert [each["id"] for each in found] == ([thing_id] if holds else [])

    @rule(who=_WHO, kind=_KINDS)
    def list_all(self, who: int, kind: str) -> None:
        found = answered(self.http[who].get(_RESOURCES[kind].listed))[_RESOURCES[kind].items]
        assert {each["id"] for each in found} == self.held[who][kind]

    @rule(one=things, other=things, who=_WHO)
    def link(self, one: tuple[int, str, str], other: tuple[int, str, str], who: int) -> None:
        """Put a datapoint into a dataset: both must be one's own."""
        body = {"datapoints": [other[2]]}
        response = self.http[who].put(f"/v1/datasets/{one[2]}", json=body)
        possible = one[1] == "dataset" and self._holds(who, one)
        allowed = possible and other[1] == "datapoint" and self._holds(who, other)
        assert response.status_code == (200 if allowed else 400 if possible else 404)

    # ---- Sessions and events -------------------------------------------------------------------------

    @rule(target=sessions, who=_WHO, session_id=st.sampled_from(["shared-1", "shared-2"]))
    def start(self, who: int, session_id: str) -> object:
        session = {"session_id": session_id, "session_name": f"of-{who}"}
        answered(self.http[who].post("/session/start", json={"session": session}))
        self.held[who]["session"].add(session_id)
        return multiple(session_id)

    @rule(session_id=sessions, who=_WHO)
    def find_session(self, session_id: str, who: int) -> None:
        filters = {"filters": [where("session_id", session_id)]}
        found = answered(self.http[who].post("/v1/events/export", json=filters))["events"]
        assert [each["event_name"] for each in found] == (
            [f"of-{who}"] if session_id in self.held[who]["session"] else []
        )

    @rule(session_id=sessions, who=_WHO)
    def delete_session(self, session_id: str, who: int) -> None:
        answered(self.http[who].delete(f"/v1/sessions/{session_id}"))
        self.held[who]["session"].discard(session_id)

    def teardown(self) -> None:
        self.stack.close()

    def _holds(self, who: int, thing: tuple[int, str, str]) -> bool:
        return thing[2] in self.held[who][thing[1]]


def test_one_project_never_sees_or_changes_anothers_data(service: Service) -> None:
    class Machine(_TwoProjects):
        pass

    Machine.service = service
    bounded = settings(max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(Machine, settings=bounded)
