"""What is stored: events, by project, beside what `documents` and `keys` keep in the same file.

The only way in is `Store.of(project)`; every query it makes names the project. An event is its document, as clients get
it, beside the columns that are filtered and sorted by.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar, cast

from environments.services.honeyhive.events.event import BUCKETS, Event, laid_over
from environments.services.honeyhive.events.rollups import AGGREGATES, SUMS, Rollup
from environments.services.honeyhive.storage import documents, keys, metrics, runs, waiting
from environments.services.honeyhive.storage.database import Database
from environments.services.honeyhive.storage.metrics import MetricStore
from environments.services.honeyhive.storage.runs import RunStore
from environments.services.honeyhive.storage.visibility import Visibility
from environments.services.http.errors import not_found
from environments.services.http.json_types import JsonObject, dump

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import TypeAlias

    from environments.services.honeyhive.events.filters import Condition, Page
    from environments.services.honeyhive.ingestion.mapping import Mapped
    from environments.services.honeyhive.storage.keys import Project
    from environments.services.honeyhive.storage.waiting import Waiting

    # What is called after a write of events that wait to be scored.
    Told: TypeAlias = Callable[[Project, Waiting], None]

T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY,
    project_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    parent_id TEXT,
    event_type TEXT NOT NULL,
    event_name TEXT NOT NULL,
    source TEXT NOT NULL,
    error TEXT,
    start_time REAL NOT NULL,
    end_time REAL NOT NULL,
    duration REAL NOT NULL,
    start_ns INTEGER NOT NULL,
    span_id TEXT NOT NULL,
    run_id TEXT,
    body TEXT NOT NULL,
    UNIQUE (project_id, event_id)
) STRICT;
CREATE INDEX IF NOT EXISTS events_by_session ON events (project_id, session_id, start_ns);
-- The type has no index of its own, which each write would pay for: this one tells it without the event.
CREATE INDEX IF NOT EXISTS events_by_time ON events (project_id, start_ns, event_type);
CREATE INDEX IF NOT EXISTS events_by_name ON events (project_id, event_name, start_ns);
CREATE INDEX IF NOT EXISTS events_of_run ON events (project_id, run_id) WHERE run_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS events_with_error ON events (project_id, session_id) WHERE error IS NOT NULL;
-- A span that chose its event id, and the id that its children know it by.
CREATE TABLE IF NOT EXISTS aliases (
    project_id TEXT NOT NULL,
    alias TEXT NOT NULL,
    event_id TEXT NOT NULL,
    PRIMARY KEY (project_id, alias)
) STRICT, WITHOUT ROWID;
"""


class _Row(NamedTuple):
    project_id: str
    event_id: str
    session_id: str
    parent_id: str | None
    event_type: str
    event_name: str
    source: str
    error: str | None
    start_time: float
    end_time: float
    duration: float
    start_ns: int
    span_id: str
    run_id: str | None
    body: str


_COLUMNS = _Row._fields
_COLUMNS_OF_EVENT = operator.attrgetter(*_COLUMNS[1:-3])
_PLACES = f"({', '.join('?' * len(_COLUMNS))})"
_INSERT = f"INSERT INTO events ({', '.join(_COLUMNS)}) VALUES {_PLACES}"  # noqa: S608
_KEEP = " ON CONFLICT (project_id, event_id) DO NOTHING"
# Whoever stored it first decides which span it is.
_REPLACED = [f"{column} = excluded.{column}" for column in _COLUMNS if column not in {"event_id", "span_id"}]
# So many rows in one statement: with one row each, the interpreter would change threads after every row.
_CHUNK = 50
_INSERT_CHUNK = _INSERT + f", {_PLACES}" * (_CHUNK - 1)
_REPLACE = f" ON CONFLICT (project_id, event_id) DO UPDATE SET {', '.join(_REPLACED)}"

# A schema is read from so many events at most: it is a help in choosing filters, not a census.
_SCHEMA_EVENTS = 5_000

_ROLLUPS = f"""
    SELECT session_id, {", ".join(AGGREGATES.values())} FROM events
    WHERE project_id = ? AND session_id IN (SELECT value FROM json_each(?)) AND event_id <> session_id
    GROUP BY session_id
"""  # noqa: S608


class Store:
    """Every project's events, in one file of a data folder."""

    def __init__(self, folder: Path, visibility: Visibility | None = None) -> None:
        self.visibility = visibility or Visibility(0)
        schema = _SCHEMA + documents.SCHEMA + keys.SCHEMA + runs.SCHEMA + metrics.SCHEMA + waiting.SCHEMA
        self.database = Database(folder / "events.sqlite", schema, self.visibility)
        self._told: list[Told] = []

    def of(self, project: Project) -> ProjectStore:
        """Return what one project sees."""
        return ProjectStore(self.database, project, self._told)

    def tell(self, told: Told) -> None:
        """Have a function called after a write of events that wait to be scored, in the thread that wrote them."""
        self._told.append(told)

    def waiting(self) -> tuple[Waiting, ...]:
        """Return all that waits to be scored, the oldest first."""
        return self.database.write(waiting.noted)

    def forget(self, done: Waiting) -> None:
        """Note that something was scored."""
        self.database.write(lambda connection: waiting.forget(connection, done))

    def close(self) -> None:
        """Finish what was asked for, and close."""
        self.database.close()


@dataclass(frozen=True, slots=True)
class Found:
    """A page of matches, each a document in JSON, and how many there are in all."""

    documents: tuple[str, ...]
    total: int


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """A session in a list. Without a name nobody started it: its events came first."""

    session_id: str
    start_ns: int
    name: str | None
    source: str
    events: int
    errors: int


@dataclass(frozen=True, slots=True)
class Sessions:
    """A page of sessions, and how many there are in all."""

    summaries: tuple[SessionSummary, ...]
    total: int


# From one session to the next by the index, so that listing costs by the session and not by the event.
_SESSIONS = """
WITH RECURSIVE each_session (id) AS (
    SELECT min(session_id) FROM events WHERE project_id = :project
    UNION ALL
    SELECT (SELECT min(session_id) FROM events WHERE project_id = :project AND session_id > id)
    FROM each_session WHERE id IS NOT NULL
)
SELECT id, (SELECT min(start_ns) FROM events WHERE project_id = :project AND session_id = id) AS start_ns,
    count(*) OVER () FROM each_session WHERE id IS NOT NULL ORDER BY start_ns DESC, id LIMIT :limit OFFSET :offset
"""
_SUMMARY = """
SELECT
    (SELECT event_name FROM events WHERE project_id = :project AND event_id = :session),
    (SELECT source FROM events WHERE project_id = :project AND session_id = :session ORDER BY start_ns LIMIT 1),
    (SELECT count(*) FROM events WHERE project_id = :project AND session_id = :session),
    (SELECT count(*) FROM events WHERE project_id = :project AND session_id = :session AND error IS NOT NULL),
    EXISTS (SELECT 1 FROM events WHERE project_id = :project AND event_id = :session)
"""


@dataclass(frozen=True, slots=True)
class ProjectStore:
    """What one project sees, and all it can change."""

    _database: Database
    _project: Project
    _told: Sequence[Told]

    @property
    def runs(self) -> RunStore:
        """The project's experiment runs."""
        return RunStore(self._database, self._project)

    @property
    def metrics(self) -> MetricStore:
        """The project's metrics."""
        return MetricStore(self._database, self._project)

    @property
    def documents(self) -> documents.ProjectDocuments:
        """What the project stores beside its events."""
        return documents.ProjectDocuments(self._database, self._project)

    def put(self, new: Sequence[Event]) -> None:
        """Store events, all or none. One that exists is replaced."""
        rows = [self._row(event) for event in new]

        def run(connection: sqlite3.Connection) -> None:
            connection.executemany(_INSERT + _REPLACE, rows)

        self._written(run, [event.event_id for event in new])

    def change(self, event_id: str, change: Callable[[Event], Event], *, absent: Event | None = None) -> Event:
        """Change one event; where it does not exist store `absent`, or raise 404 without one."""

        def run(connection: sqlite3.Connection) -> Event:
            event = self._get(connection, event_id)
            if event is None and absent is None:
                raise not_found(f"event {event_id!r}")
            changed = cast("Event", absent) if event is None else change(event)
            connection.execute(_INSERT + _REPLACE, self._row(changed))
            return changed

        return self._written(run, [event_id])

    def scored(self, event_id: str, metrics: JsonObject, metadata: JsonObject) -> None:
        """Lay a score on an event, if that is still there. Nobody is told: a score is no reason to score again."""

        def run(connection: sqlite3.Connection) -> None:
            event = self._get(connection, event_id)
            if event is not None:
                laid = dataclasses.replace(event.merged({"metrics": metrics}), metadata={**event.metadata, **metadata})
                self._replace(connection, laid)

        self._database.write(run)

    def ingest(self, batch: Iterable[Mapped]) -> None:
        """Store what spans came to, all or none; a span that is known already changes nothing."""
        rows: list[_Row] = []
        sessions: list[_Row] = []
        aliased: list[Mapped] = []
        # Before it is our turn to write, because most of the work is here; and each span from its first byte to its
        # row before the next is begun, while it is in the processor's cache.
        for mapped in batch:
            rows.append(self._row(mapped.event, mapped.span_id))
            if mapped.session:
                sessions.append(self._row(mapped.session))
            if mapped.alias:
                aliased.append(mapped)
        if not rows:
            return

        def run(connection: sqlite3.Connection) -> None:
            _insert_new(connection, sessions)
            for mapped in aliased:
                self._learn(connection, mapped)
            aliases = self._aliases_among(connection, {row.parent_id for row in rows})
            _insert_new(connection, list(self._reparented(rows, aliases)) if aliases else rows)
            for mapped in aliased:
                self._lay_over(connection, mapped)

        self._written(run, [row.event_id for row in rows])

    def delete_session(self, session_id: str) -> int:
        """Delete a session and all its events; return how many there were."""

        def run(connection: sqlite3.Connection) -> int:
            query = "SELECT event_id FROM events WHERE project_id = ? AND session_id = ?"
            ids = [event_id for (event_id,) in connection.execute(query, (self._project.id, session_id))]
            return self._delete(connection, ids)

        return self._database.write(run)

    def delete_event(self, event_id: str) -> int:
        """Delete one event; return how many there were."""
        return self._database.write(lambda connection: self._delete(connection, [event_id]))

    def document(self, event_id: str) -> str | None:
        """Return the document of an event."""
        with self._database.reading() as connection:
            query = "SELECT body FROM events WHERE project_id = ? AND event_id = ?"
            row = connection.execute(query, (self._project.id, event_id)).fetchone()
        return row[0] if row else None

    def session(self, session_id: str) -> tuple[JsonObject, ...]:
        """Return the documents of a session's events, in the order in which they started."""
        with self._database.reading() as connection:
            query = "SELECT body FROM events WHERE project_id = ? AND session_id = ? ORDER BY start_ns, seq"
            rows = connection.execute(query, (self._project.id, session_id)).fetchall()
        return tuple(json.loads(body) for (body,) in rows)

    def sessions(self, limit: int, offset: int) -> Sessions:
        """Return a page of the sessions, newest first."""
        page = {"project": self._project.id, "limit": limit, "offset": offset}
        with self._database.reading() as connection:
            found = connection.execute(_SESSIONS, page).fetchall()
            summaries = [self._summary(connection, session_id, start_ns) for session_id, start_ns, _ in found]
        return Sessions(tuple(summaries), found[0][2] if found else 0)

    def find(self, condition: Condition, page: Page) -> Found:
        """Return a page of the events that meet a condition, newest first."""
        where = f"FROM events WHERE project_id = :project AND {condition.sql}"
        parameters = {**condition.parameters, "project": self._project.id}
        with self._database.reading() as connection:
            total = connection.execute(f"SELECT count(*) {where}", parameters).fetchone()[0]
            rows = connection.execute(
                f"SELECT body, event_id, event_type = 'session' {where} "
                "ORDER BY start_ns DESC, seq DESC LIMIT :limit OFFSET :offset",
                {**parameters, "limit": page.limit, "offset": page.offset},
            ).fetchall()
            rollups = self._rollups(connection, [event_id for _, event_id, is_session in rows if is_session])
        return Found(tuple(_rolled_up(body, rollups.get(event_id)) for body, event_id, _ in rows), total)

    def each(self, condition: Condition) -> tuple[JsonObject, ...]:
        """Return the documents of all events that meet a condition, in the order in which they started."""
        with self._database.reading() as connection:
            return self._each(connection, condition)

    def stored(self, condition: Condition) -> tuple[JsonObject, ...]:
        """Do as `each`, but through the writer, who sees what was just written whatever readers are shown."""
        return self._database.write(lambda connection: self._each(connection, condition))

    def _each(self, connection: sqlite3.Connection, condition: Condition) -> tuple[JsonObject, ...]:
        # For conditions that say `seq IN (...)`: the `+` keeps SQLite from reading all events of the project instead.
        where = f"WHERE +project_id = :project AND {condition.sql}"
        query = f"SELECT body FROM events {where} ORDER BY +start_ns, seq"  # noqa: S608
        rows = connection.execute(query, {**condition.parameters, "project": self._project.id}).fetchall()
        return tuple(json.loads(body) for (body,) in rows)

    def schema(self, condition: Condition) -> tuple[tuple[str, str], ...]:
        """Return (field, event type) for every key of every bucket of the newest events that meet a condition."""
        query = f"""
            SELECT DISTINCT bucket.key || '.' || inner.key AS name, newest.event_type
            FROM (SELECT event_type, body FROM events WHERE project_id = :project AND {condition.sql}
                  ORDER BY start_ns DESC LIMIT {_SCHEMA_EVENTS}) AS newest,
                json_each(newest.body) AS bucket,
                json_each(CASE bucket.type WHEN 'object' THEN bucket.value ELSE '{{}}' END) AS inner
            WHERE bucket.type = 'object' AND bucket.key IN (SELECT value FROM json_each(:buckets))
            ORDER BY name, event_type
        """  # noqa: S608
        parameters = {**condition.parameters, "project": self._project.id, "buckets": dump(BUCKETS)}
        with self._database.reading() as connection:
            return tuple((name, kind) for name, kind in connection.execute(query, parameters).fetchall())

    def datasets(self, condition: Condition) -> tuple[str, ...]:
        """Return the ids of the datasets that events which meet a condition were evaluated on."""
        query = f"""
            SELECT DISTINCT json_extract(newest.body, '$.metadata.dataset_id') AS dataset
            FROM (SELECT body FROM events WHERE project_id = :project AND {condition.sql}
                  ORDER BY start_ns DESC LIMIT {_SCHEMA_EVENTS}) AS newest
            WHERE json_type(newest.body, '$.metadata.dataset_id') = 'text'
            ORDER BY dataset
        """  # noqa: S608
        with self._database.reading() as connection:
            rows = connection.execute(query, {**condition.parameters, "project": self._project.id}).fetchall()
        return tuple(dataset for (dataset,) in rows)

    def _rollups(self, connection: sqlite3.Connection, session_ids: Sequence[str]) -> Mapping[str, Rollup]:
        """Sum up sessions in one query. Every one that is asked for is in the answer."""
        if not session_ids:
            return {}
        rows = connection.execute(_ROLLUPS, (self._project.id, dump(session_ids))).fetchall()
        found = {
            session_id: Rollup(count, models, bool(feedback), dict(zip(SUMS, sums, strict=True)))
            for session_id, count, models, feedback, *sums in rows
        }
        return {session_id: found.get(session_id, Rollup()) for session_id in session_ids}

    def _written(self, run: Callable[[sqlite3.Connection], T], event_ids: Sequence[str]) -> T:
        """Write events, note with them that they wait to be scored, and say so once both are durable."""

        def write(connection: sqlite3.Connection) -> tuple[T, Waiting | None]:
            return run(connection), waiting.note(connection, self._project.id, event_ids)

        result, note = self._database.write(write)
        if note is not None:
            for told in self._told:
                told(self._project, note)
        return result

    def _summary(self, connection: sqlite3.Connection, session_id: str, start_ns: int) -> SessionSummary:
        about = {"project": self._project.id, "session": session_id}
        name, source, events, errors, started = connection.execute(_SUMMARY, about).fetchone()
        return SessionSummary(session_id, start_ns, name, source, events - started, errors)

    def _row(self, event: Event, span_id: str = "") -> _Row:
        run_id = event.metadata.get("run_id")
        known_run = run_id if isinstance(run_id, str) else None
        body = dump(event.document(self._project))
        return _Row._make((self._project.id, *_COLUMNS_OF_EVENT(event), span_id, known_run, body))

    def _get(self, connection: sqlite3.Connection, event_id: str) -> Event | None:
        query = "SELECT body, start_ns FROM events WHERE project_id = ? AND event_id = ?"
        row = connection.execute(query, (self._project.id, event_id)).fetchone()
        return Event.from_document(json.loads(row[0]), row[1]) if row else None

    def _delete(self, connection: sqlite3.Connection, ids: Sequence[str]) -> int:
        keys = (self._project.id, dump(ids))
        matching = "WHERE project_id = ? AND event_id IN (SELECT value FROM json_each(?))"
        connection.execute(f"DELETE FROM aliases {matching}", keys)  # noqa: S608
        return connection.execute(f"DELETE FROM events {matching}", keys).rowcount  # noqa: S608

    def _learn(self, connection: sqlite3.Connection, mapped: Mapped) -> None:
        """Remember the id that a span chose, and correct the children that came before it."""
        event_id, session_id = mapped.event.event_id, mapped.event.session_id
        query = "INSERT INTO aliases VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
        connection.execute(query, (self._project.id, mapped.alias, event_id))
        query = "SELECT body, start_ns FROM events WHERE project_id = ? AND session_id = ? AND parent_id = ?"
        for body, start_ns in connection.execute(query, (self._project.id, session_id, mapped.alias)).fetchall():
            child = Event.from_document(json.loads(body), start_ns)
            self._replace(connection, dataclasses.replace(child, parent_id=event_id))

    def _aliases_among(self, connection: sqlite3.Connection, ids: Iterable[str | None]) -> Mapping[str, str]:
        query = "SELECT alias, event_id FROM aliases WHERE project_id = ? AND alias IN (SELECT value FROM json_each(?))"
        return dict(connection.execute(query, (self._project.id, dump(list(ids)))).fetchall())

    def _reparented(self, rows: Iterable[_Row], aliases: Mapping[str, str]) -> Iterable[_Row]:
        """Correct the rows whose parent goes by another id."""
        for row in rows:
            parent_id = aliases.get(row.parent_id or "")
            if parent_id:
                event = Event.from_document(json.loads(row.body), row.start_ns)
                yield self._row(dataclasses.replace(event, parent_id=parent_id), row.span_id)
            else:
                yield row

    def _lay_over(self, connection: sqlite3.Connection, mapped: Mapped) -> None:
        """Lay a span over the event that it chose the id of, where that is not this very span."""
        query = "SELECT span_id FROM events WHERE project_id = ? AND event_id = ?"
        (span_id,) = connection.execute(query, (self._project.id, mapped.event.event_id)).fetchone()
        event = self._get(connection, mapped.event.event_id)
        if span_id != mapped.span_id and event is not None:
            self._replace(connection, laid_over(event, mapped.event))

    def _replace(self, connection: sqlite3.Connection, event: Event) -> None:
        connection.execute(_INSERT + _REPLACE, self._row(event))


def _insert_new(connection: sqlite3.Connection, rows: Sequence[_Row]) -> None:
    """Store those of these events that are not stored yet."""
    whole = len(rows) - len(rows) % _CHUNK
    chunks = (tuple(itertools.chain.from_iterable(rows[start : start + _CHUNK])) for start in range(0, whole, _CHUNK))
    if whole:
        connection.executemany(_INSERT_CHUNK + _KEEP, chunks)
    if whole < len(rows):
        connection.executemany(_INSERT + _KEEP, rows[whole:])


def _rolled_up(body: str, rollup: Rollup | None) -> str:
    return dump(rollup.on(json.loads(body))) if rollup else body


def rows_in_json(documents: Iterable[str]) -> str:
    """Join documents into a JSON list without reading them."""
    return f"[{','.join(documents)}]"
