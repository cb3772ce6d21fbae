"""Metrics and their versions: what they are, and where they are stored.

The fields, their defaults and bounds are the public API's; versions are the SDK's (`MetricVersion`: immutable, one of
them deployed, oldest first). Inferred: a new metric is its version `v1`; an update makes another version and deploys
it, so that the deployed version always is the metric; two metrics may share a name.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from environments.services.honeyhive.events import filters
from environments.services.honeyhive.events.experiments import Definition
from environments.services.honeyhive.times import iso
from environments.services.http.errors import not_found
from environments.services.http.json_types import JsonObject, dump, present

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from environments.services.honeyhive.storage.database import Database
    from environments.services.honeyhive.storage.keys import Project

SCHEMA = """
CREATE TABLE IF NOT EXISTS metrics (
    seq INTEGER PRIMARY KEY,
    project_id TEXT NOT NULL,
    metric_id TEXT NOT NULL,
    type TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (project_id, metric_id)
) STRICT;
CREATE TABLE IF NOT EXISTS metric_versions (
    seq INTEGER PRIMARY KEY,
    project_id TEXT NOT NULL,
    metric_id TEXT NOT NULL,
    name TEXT NOT NULL,
    deployed INTEGER NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (project_id, metric_id, name)
) STRICT;
"""

PYTHON, LLM, HUMAN, COMPOSITE = TYPES = ("PYTHON", "LLM", "HUMAN", "COMPOSITE")
RUN_BY_SERVER = (PYTHON, LLM, COMPOSITE)
RETURN_TYPES = ("float", "boolean", "string", "categorical")

_DEFAULTS: JsonObject = {
    "description": "",
    "return_type": "float",
    "enabled_in_prod": False,
    "needs_ground_truth": False,
    "sampling_percentage": 100,
    "model_provider": None,
    "model_name": None,
    "scale": None,
    "threshold": None,
    "categories": None,
    "child_metrics": None,
    "filters": {"filterArray": []},
}
_FIELDS = ("name", "type", "criteria", *_DEFAULTS)


def created(sent: JsonObject) -> JsonObject:
    """Make the content of a new metric."""
    return changed(_DEFAULTS, sent)


def changed(content: JsonObject, sent: JsonObject) -> JsonObject:
    """Apply an update to a metric's content. Its filters must be some that the service can apply."""
    wanted = cast("JsonObject", sent.get("filters") or _DEFAULTS["filters"])
    filters.condition(wanted["filterArray"], None)
    return {**content, **present(sent, _FIELDS)}


@dataclass(frozen=True, slots=True)
class MetricStore:
    """One project's metrics."""

    _database: Database
    _project: Project

    def add(self, content: JsonObject, now_ns: int) -> str:
        """Store a new metric and return its id."""
        metric_id = str(uuid.uuid4())
        metric = {**content, "id": metric_id, "created_at": iso(now_ns), "updated_at": None}

        def write(connection: sqlite3.Connection) -> None:
            query = "INSERT INTO metrics (project_id, metric_id, type, body) VALUES (?, ?, ?, ?)"
            connection.execute(query, (self._project.id, metric_id, content["type"], dump(metric)))
            self._add_version(connection, metric_id, content, "created", now_ns)

        self._database.write(write)
        return metric_id

    def listed(self, *, kind: str | None = None, metric_id: str | None = None) -> tuple[JsonObject, ...]:
        """Return the metrics, the oldest first: of one type, or with one id, where one is given."""
        query = """
            SELECT body FROM metrics
            WHERE project_id = :project AND coalesce(type = :kind, 1) AND coalesce(metric_id = :id, 1) ORDER BY seq
        """
        with self._database.reading() as connection:
            rows = connection.execute(query, {"project": self._project.id, "kind": kind, "id": metric_id}).fetchall()
        return tuple(json.loads(body) for (body,) in rows)

    def definitions(self) -> Mapping[str, Definition]:
        """Return what is known of each metric, by its name; of two of one name the newer."""
        return {
            str(metric["name"]): Definition(str(metric["type"]), cast("JsonObject", metric["threshold"] or {}))
            for metric in self.listed()
        }

    def update(self, metric_id: str, sent: JsonObject, now_ns: int) -> None:
        """Apply an update to a metric, or raise 404."""

        def write(connection: sqlite3.Connection) -> None:
            content = changed(_content(self._get(connection, metric_id)), sent)
            self._add_version(connection, metric_id, content, "updated", now_ns)
            self._set(connection, metric_id, content, now_ns)

        self._database.write(write)

    def delete(self, metric_id: str) -> None:
        """Delete a metric with its versions, or raise 404."""

        def write(connection: sqlite3.Connection) -> None:
            self._get(connection, metric_id)
            for table in ("metrics", "metric_versions"):
                query = f"DELETE FROM {table} WHERE project_id = ? AND metric_id = ?"  # noqa: S608
                connection.execute(query, (self._project.id, metric_id))

        self._database.write(write)

    # ---- Versions ------------------------------------------------------------------------------------

    def versions(self, metric_id: str) -> tuple[JsonObject, ...]:
        """Return a metric's versions, the oldest first, or raise 404."""
        with self._database.reading() as connection:
            self._get(connection, metric_id)
            query = "SELECT body, deployed FROM metric_versions WHERE project_id = ? AND metric_id = ? ORDER BY seq"
            rows = connection.execute(query, (self._project.id, metric_id)).fetchall()
        return tuple({**json.loads(body), "deployed": bool(deployed)} for body, deployed in rows)

    def add_version(
        self, metric_id: str, content: JsonObject, message: str, now_ns: int, *, deploy: bool
    ) -> JsonObject:
        """Store another version of a metric, or raise 404."""

        def write(connection: sqlite3.Connection) -> JsonObject:
            self._get(connection, metric_id)
            version = self._add_version(connection, metric_id, content, message, now_ns, deploy=deploy)
            if deploy:
                self._set(connection, metric_id, content, now_ns)
            return version

        return self._database.write(write)

    def deploy(self, metric_id: str, name: str, now_ns: int) -> JsonObject:
        """Make a version what the metric is, or raise 404."""

        def write(connection: sqlite3.Connection) -> JsonObject:
            self._get(connection, metric_id)
            query = "SELECT body FROM metric_versions WHERE project_id = ? AND metric_id = ? AND name = ?"
            row = connection.execute(query, (self._project.id, metric_id, name)).fetchone()
            if row is None:
                raise not_found(f"version {name!r} of metric {metric_id!r}")
            version = json.loads(row[0])
            self._mark(connection, metric_id, name)
            self._set(connection, metric_id, version["content"], now_ns)
            return {**version, "deployed": True}

        return self._database.write(write)

    def _add_version(
        self,
        connection: sqlite3.Connection,
        metric_id: str,
        content: JsonObject,
        message: str,
        now_ns: int,
        *,
        deploy: bool = True,
    ) -> JsonObject:
        key = (self._project.id, metric_id)
        query = "SELECT count(*) FROM metric_versions WHERE project_id = ? AND metric_id = ?"
        (count,) = connection.execute(query, key).fetchone()
        name, date = f"v{count + 1}", iso(now_ns)
        sha = hashlib.sha256(dump([metric_id, name, message, date, content]).encode()).hexdigest()
        version: JsonObject = {"name": name, "full_sha": sha, "message": message, "date": date, "content": content}
        query = "INSERT INTO metric_versions (project_id, metric_id, name, deployed, body) VALUES (?, ?, ?, 0, ?)"
        connection.execute(query, (*key, name, dump(version)))
        if deploy:
            self._mark(connection, metric_id, name)
        return {**version, "deployed": deploy}

    def _mark(self, connection: sqlite3.Connection, metric_id: str, name: str) -> None:
        query = "UPDATE metric_versions SET deployed = (name = ?) WHERE project_id = ? AND metric_id = ?"
        connection.execute(query, (name, self._project.id, metric_id))

    def _set(self, connection: sqlite3.Connection, metric_id: str, content: JsonObject, now_ns: int) -> None:
        metric = {**self._get(connection, metric_id), **content, "updated_at": iso(now_ns)}
        query = "UPDATE metrics SET type = ?, body = ? WHERE project_id = ? AND metric_id = ?"
        connection.execute(query, (content["type"], dump(metric), self._project.id, metric_id))

    def _get(self, connection: sqlite3.Connection, metric_id: str) -> JsonObject:
        query = "SELECT body FROM metrics WHERE project_id = ? AND metric_id = ?"
        row = connection.execute(query, (self._project.id, metric_id)).fetchone()
        if row is None:
            raise not_found(f"metric {metric_id!r}")
        return cast("JsonObject", json.loads(row[0]))


def _content(metric: JsonObject) -> JsonObject:
    return {name: value for name, value in metric.items() if name not in {"id", "created_at", "updated_at"}}
