"""Experiment runs: what they are, and where they are stored.

The fields are those of the public API and of the SDK's `ExperimentRunObject`. Inferred: `id` is the run's id; an update
merges metadata, results and configuration key by key and replaces everything else that it names; deleting a run leaves
its events alone.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from environments.services.honeyhive.times import iso
from environments.services.http.errors import bad_request, not_found
from environments.services.http.json_types import Json, JsonObject, dump, present

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from environments.services.honeyhive.events.filters import Condition
    from environments.services.honeyhive.storage.database import Database
    from environments.services.honeyhive.storage.keys import Project

SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    seq INTEGER PRIMARY KEY,
    project_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    name TEXT,
    status TEXT NOT NULL,
    dataset_id TEXT,
    start_ns INTEGER NOT NULL,
    updated_ns INTEGER,
    body TEXT NOT NULL,
    UNIQUE (project_id, run_id)
) STRICT;
"""

STATUSES = ("pending", "completed", "failed", "cancelled", "running")
_MERGED = ("metadata", "results", "configuration")
_ID_LISTS = ("event_ids", "session_ids", "datapoint_ids")
_FIELDS = ("name", "description", "status", "evaluators", "passing_ranges", *_MERGED, *_ID_LISTS)
_SORTED_BY = {
    "created_at": "start_ns",
    "updated_at": "coalesce(updated_ns, start_ns)",
    "name": "name",
    "status": "status",
}
SORTABLE = tuple(_SORTED_BY)


@dataclass(frozen=True, slots=True)
class Listing:
    """Which runs are wanted, in which order, and which part of them."""

    where: Condition
    sort_by: str
    descending: bool
    limit: int
    page: int


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of runs, how many match in all, and how many there are."""

    runs: tuple[JsonObject, ...]
    total: int
    total_unfiltered: int


def created(sent: JsonObject, project: Project, now_ns: int) -> JsonObject:
    """Read a run to create."""
    given = present(sent, _FIELDS)
    run_id = sent.get("run_id") or str(uuid.uuid4())
    empty: dict[str, Json] = {**{name: {} for name in _MERGED}, **{name: [] for name in _ID_LISTS}}
    return {
        "name": None,
        "description": None,
        "status": "pending",
        "metrics": {},
        "evaluators": [],
        "passing_ranges": {},
        **empty,
        **given,
        "id": run_id,
        "run_id": run_id,
        "dataset_id": sent.get("dataset_id") or None,
        "dataset_name": None,
        "is_active": True,
        "created_at": iso(now_ns),
        "updated_at": None,
        "scope_type": "project",
        "scope_id": project.id,
    }


def updated(run: JsonObject, sent: JsonObject, now_ns: int) -> JsonObject:
    """Apply an update."""
    given = present(sent, _FIELDS)
    for name in _MERGED:
        if name in given:
            given[name] = {**cast("JsonObject", run[name]), **cast("JsonObject", given[name])}
    return {**run, **given, "updated_at": iso(now_ns)}


def sessions_of(run: JsonObject) -> list[str]:
    """Return the ids of the sessions that a run names itself: `evaluate()` puts them into `event_ids`."""
    return [*cast("list[str]", run["event_ids"]), *cast("list[str]", run["session_ids"])]


@dataclass(frozen=True, slots=True)
class RunStore:
    """One project's runs."""

    _database: Database
    _project: Project

    def add(self, run: JsonObject, now_ns: int) -> None:
        """Store a new run; its id must be new to the project."""

        def write(connection: sqlite3.Connection) -> None:
            if self._get(connection, str(run["run_id"])) is not None:
                raise bad_request(f"run {run['run_id']!r} exists already")
            values = (self._project.id, run["run_id"], run["name"], run["status"], run["dataset_id"], now_ns, dump(run))
            connection.execute(
                "INSERT INTO runs (project_id, run_id, name, status, dataset_id, start_ns, body)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                values,
            )

        self._database.write(write)

    def get(self, run_id: str) -> JsonObject:
        """Return a run, or raise 404."""
        with self._database.reading() as connection:
            run = self._get(connection, run_id)
        if run is None:
            raise not_found(f"run {run_id!r}")
        return run

    def update(self, run_id: str, sent: JsonObject, now_ns: int) -> JsonObject:
        """Apply an update to a run, or raise 404."""

        def write(connection: sqlite3.Connection) -> JsonObject:
            run = self._get(connection, run_id)
            if run is None:
                raise not_found(f"run {run_id!r}")
            changed = updated(run, sent, now_ns)
            connection.execute(
                "UPDATE runs SET name = ?, status = ?, updated_ns = ?, body = ? WHERE project_id = ? AND run_id = ?",
                (changed["name"], changed["status"], now_ns, dump(changed), self._project.id, run_id),
            )
            return changed

        return self._database.write(write)

    def delete(self, run_id: str) -> None:
        """Delete a run, or raise 404."""
        query = "DELETE FROM runs WHERE project_id = ? AND run_id = ?"
        if not self._database.write(lambda connection: connection.execute(query, (self._project.id, run_id)).rowcount):
            raise not_found(f"run {run_id!r}")

    def listed(self, listing: Listing) -> Listed:
        """Return a page of runs."""
        where = f"FROM runs WHERE project_id = :project AND {listing.where.sql}"
        direction = "DESC" if listing.descending else "ASC"
        order = f"ORDER BY {_SORTED_BY[listing.sort_by]} {direction}, seq {direction}"
        parameters = {**listing.where.parameters, "project": self._project.id}
        part = {"limit": listing.limit, "offset": listing.limit * (listing.page - 1)}
        with self._database.reading() as connection:
            (total,) = connection.execute(f"SELECT count(*) {where}", parameters).fetchone()
            query = "SELECT count(*) FROM runs WHERE project_id = ?"
            (unfiltered,) = connection.execute(query, (self._project.id,)).fetchone()
            query = f"SELECT body {where} {order} LIMIT :limit OFFSET :offset"
            rows = connection.execute(query, {**parameters, **part}).fetchall()
        return Listed(tuple(json.loads(body) for (body,) in rows), total, unfiltered)

    def metric_names(self, run_ids: Sequence[str]) -> tuple[str, ...]:
        """Return the names of the metrics on events of these runs."""
        query = """
            SELECT DISTINCT metric.key FROM events, json_each(events.body, '$.metrics') AS metric
            WHERE project_id = ? AND run_id IN (SELECT value FROM json_each(?))
                AND metric.type IN ('integer', 'real', 'true', 'false')
            ORDER BY metric.key
        """
        with self._database.reading() as connection:
            rows = connection.execute(query, (self._project.id, dump(run_ids))).fetchall()
        return tuple(name for (name,) in rows)

    def _get(self, connection: sqlite3.Connection, run_id: str) -> JsonObject | None:
        query = "SELECT body FROM runs WHERE project_id = ? AND run_id = ?"
        row = connection.execute(query, (self._project.id, run_id)).fetchone()
        return cast("JsonObject", json.loads(row[0])) if row else None
