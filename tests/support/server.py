"""What the server holds: asked over plain HTTP, so that no word of the SDK under test is taken for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from tests.support.eventually import eventually

if TYPE_CHECKING:
    from tests.support.projects import Tenant

Event = dict[str, Any]


class Server:
    """One project of the server, read with that project's key.

    `events` tells what is held at this moment; `event` and `session` wait for it, because ingestion may lag.
    """

    def __init__(self, base_url: str, project: Tenant, timeout_s: float) -> None:
        self.project = project
        self._http = httpx.Client(
            base_url=base_url,
            auth=self._authorized,
            timeout=timeout_s,
            # A connection that stayed open would look like one that the test has left.
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    def _authorized(self, request: httpx.Request) -> httpx.Request:
        # With the key as it is now: behind the gateway each test has one of its own, and this outlives tests.
        request.headers["Authorization"] = f"Bearer {self.project.api_key}"
        return request

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # ---- At this moment ------------------------------------------------------------------------------

    def events(self, **fields: str) -> list[Event]:
        """Return the events whose fields have these values, in order of their start."""
        filters = [
            {"field": name, "operator": "is", "value": value, "type": "string"} for name, value in fields.items()
        ]
        asked = {"project": self.project.name, "filters": filters, "limit": 1000, "page": 1}
        answer = self._http.post("/v1/events/export", json=asked).raise_for_status().json()
        return sorted(answer["events"], key=lambda event: (event["start_time"], event["end_time"]))

    def count(self, filters: list[dict[str, str]]) -> int:
        """Return how many events match, however many these are."""
        asked = {"project": self.project.name, "filters": filters, "limit": 1, "page": 1}
        answer = self._http.post("/v1/events/export", json=asked).raise_for_status().json()
        return int(answer["totalEvents"])

    def children(self, session_id: str) -> list[Event]:
        """Return the events of a session, without the session's own."""
        return [event for event in self.events(session_id=session_id) if event["event_id"] != session_id]

    def tree(self, session_id: str) -> Event:
        """Return a session with its events under `children`, as the server itself nests them."""
        answer: Event = self._http.get(f"/v1/sessions/{session_id}").raise_for_status().json()
        return answer

    def get(self, path: str, **query: str) -> Event:
        """Return what the server answers to a path of its API."""
        answer: Event = self._http.get(path, params=query).raise_for_status().json()
        return answer

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Make something without the SDK, and return what the server answers."""
        answer: dict[str, Any] = self._http.post(path, json=body).raise_for_status().json()
        return answer

    def status(self, path: str) -> int:
        """Return the status that the server answers a path of its API with."""
        return self._http.get(path).status_code

    # ---- As soon as it is there ----------------------------------------------------------------------

    def event(self, session_id: str | None, name: str) -> Event:
        """Return the one event of this name in a session."""
        __tracebackhide__ = True

        def found() -> Event:
            held = self.children(str(session_id))
            named = [event for event in held if event["event_name"] == name]
            others = ", ".join(f"{event['event_name']} ({event['event_type']})" for event in held) or "nothing"
            assert named, f"session {session_id} has no event {name!r}; it has: {others}"
            assert len(named) == 1, f"session {session_id} has {len(named)} events {name!r}, not one; it has: {others}"
            return named[0]

        return eventually(found)

    def session(self, session_id: str | None) -> Event:
        """Return the event of a session that was started on this server; one that spans merely name is none."""
        __tracebackhide__ = True

        def found() -> Event:
            held = self.events(event_id=str(session_id), event_type="session")
            assert held, (
                f"project {self.project.name} has no session {session_id}: the SDK makes an id up when it could not "
                "start a session"
            )
            return held[0]

        return eventually(found)

    # ---- Clean-up ------------------------------------------------------------------------------------

    def delete(self, path: str) -> None:
        """Delete what a path of the API names."""
        self._http.delete(path).raise_for_status()

    def delete_session(self, session_id: str) -> None:
        """Delete a session with all its events."""
        self.delete(f"/v1/sessions/{session_id}")

    def delete_run(self, run_id: str) -> None:
        """Delete an experiment run with the sessions that it names."""
        for session_id in self.get(f"/v1/runs/{run_id}")["evaluation"]["event_ids"]:
            self.delete_session(session_id)
        self.delete(f"/v1/runs/{run_id}")

    def delete_metric(self, metric_id: str) -> None:
        """Delete a metric."""
        self.delete(f"/v1/metrics?metric_id={metric_id}")
