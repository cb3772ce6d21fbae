"""Documents: everything a project stores that is no event. The only way in is `ProjectDocuments`, of one project.

A document is JSON under a kind and an id. Datasets and datapoints are joined by links of their own, so that either
side tells the same: no document holds a copy of the other's ids.
"""

from __future__ import annotations

import json
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from environments.services.http.errors import bad_request, not_found
from environments.services.http.json_types import Json, JsonObject, dump

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence

    from environments.services.honeyhive.storage.database import Database
    from environments.services.honeyhive.storage.keys import Project

T = TypeVar("T")

SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    seq INTEGER PRIMARY KEY,
    project_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT GENERATED ALWAYS AS (json_extract(body, '$.name')) VIRTUAL,
    created_ns INTEGER NOT NULL,
    updated_ns INTEGER,
    body TEXT NOT NULL,
    UNIQUE (project_id, kind, id)
) STRICT;
CREATE INDEX IF NOT EXISTS documents_in_order ON documents (project_id, kind, seq);
CREATE INDEX IF NOT EXISTS documents_by_name ON documents (project_id, kind, name, seq);
CREATE TABLE IF NOT EXISTS links (
    seq INTEGER PRIMARY KEY,
    project_id TEXT NOT NULL,
    dataset_id TEXT NOT NULL,
    datapoint_id TEXT NOT NULL,
    UNIQUE (project_id, dataset_id, datapoint_id)
) STRICT;
CREATE INDEX IF NOT EXISTS links_in_order ON links (project_id, dataset_id, seq);
CREATE INDEX IF NOT EXISTS links_by_datapoint ON links (project_id, datapoint_id, seq);
"""

_NS_PER_S = 1_000_000_000
_COLUMNS = "id, created_ns, updated_ns, body"
_MINE = "project_id = ? AND kind = ?"
_AMONG = "id IN (SELECT value FROM json_each(?))"


@dataclass(frozen=True, slots=True)
class Document:
    """One document: its id, when it was created and changed (nanoseconds since 1970), and what it says."""

    id: str
    created_ns: int
    updated_ns: int | None
    body: JsonObject

    @property
    def created_at(self) -> str:
        """When it was created, as the API writes times."""
        return written(self.created_ns)

    @property
    def updated_at(self) -> str | None:
        """When it was changed last, as the API writes times; None for never."""
        return None if self.updated_ns is None else written(self.updated_ns)

    @property
    def told(self) -> dict[str, Json]:
        """The document as clients get it: what it says, and what this service knows of it."""
        return {**self.body, "id": self.id, "created_at": self.created_at, "updated_at": self.updated_at}

    @property
    def told_as_changed(self) -> dict[str, Json]:
        """The same, where the API knows no document that never changed: then that was when it was created."""
        return {**self.told, "updated_at": self.updated_at or self.created_at}


def written(time_ns: int) -> str:
    """Write a time as the API does: ISO 8601, UTC, milliseconds, `Z`."""
    text = datetime.fromtimestamp(time_ns // 1_000_000 / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def new_id(now_ns: int) -> str:
    """Make an id of the form that the public API shows for stored things: the seconds, then chance; 24 hex digits."""
    return f"{now_ns // _NS_PER_S & 0xFFFFFFFF:08x}{secrets.token_hex(8)}"


@dataclass(frozen=True, slots=True)
class ProjectDocuments:
    """What one project sees, and all it can change: each call is one transaction."""

    _database: Database
    _project: Project

    @contextmanager
    def reading(self) -> Iterator[Documents]:
        """Lend the documents as they are at this moment."""
        with self._database.reading() as connection:
            yield Documents(connection, self._project.id)

    def write(self, run: Callable[[Documents], T]) -> T:
        """Change documents, all as `run` does or not at all, and return when that is durable."""
        return self._database.write(lambda connection: run(Documents(connection, self._project.id)))

    # ---- One document, one transaction: see `Documents` ----------------------------------------------

    def get(self, kind: str, document_id: str) -> Document:
        """Return one document, or raise 404."""
        with self.reading() as documents:
            return documents.get(kind, document_id)

    def all(self, kind: str, *, name: str | None = None) -> list[Document]:
        """Return the documents of a kind, the oldest first."""
        with self.reading() as documents:
            return documents.all(kind, name=name)

    def add(self, kind: str, body: JsonObject, now_ns: int) -> Document:
        """Store a new document."""
        return self.write(lambda documents: documents.add(kind, body, now_ns))

    def change(self, kind: str, document_id: str, changes: JsonObject, now_ns: int) -> Document:
        """Lay changes over a document, key by key, or raise 404."""
        return self.write(lambda documents: documents.change(kind, document_id, changes, now_ns))

    def delete(self, kind: str, document_id: str) -> None:
        """Delete a document and its links, or raise 404."""
        self.write(lambda documents: documents.delete(kind, document_id))


@dataclass(frozen=True, slots=True)
class Documents:
    """The documents and links of one project, in one transaction."""

    _connection: sqlite3.Connection
    _project_id: str

    def find(self, kind: str, document_id: str) -> Document | None:
        """Return one document."""
        found = self.among(kind, [document_id])
        return found[0] if found else None

    def get(self, kind: str, document_id: str) -> Document:
        """Return one document, or raise 404."""
        document = self.find(kind, document_id)
        if document is None:
            raise not_found(f"{kind} {document_id!r}")
        return document

    def among(self, kind: str, ids: Sequence[str]) -> list[Document]:
        """Return those of these ids that exist, the oldest first."""
        return self._select(f"{_MINE} AND {_AMONG}", (self._project_id, kind, dump(list(ids))))

    def check_known(self, kind: str, ids: Sequence[str], sent_as: str) -> None:
        """Raise 400 for an id that no document of this kind has; `sent_as` is where the client sent it."""
        known = {each.id for each in self.among(kind, ids)}
        unknown = next((each for each in ids if each not in known), None)
        if unknown is not None:
            raise bad_request(f"{sent_as} names {unknown!r}, which is no {kind} of this project")

    def all(self, kind: str, *, name: str | None = None) -> list[Document]:
        """Return the documents of a kind, the oldest first."""
        if name is None:
            return self._select(_MINE, (self._project_id, kind))
        return self._select(f"{_MINE} AND name = ?", (self._project_id, kind, name))

    def add(self, kind: str, body: JsonObject, now_ns: int) -> Document:
        """Store a new document."""
        document = Document(new_id(now_ns), now_ns, None, body)
        self._connection.execute(
            "INSERT INTO documents (project_id, kind, id, created_ns, body) VALUES (?, ?, ?, ?, ?)",
            (self._project_id, kind, document.id, now_ns, dump(body)),
        )
        return document

    def change(self, kind: str, document_id: str, changes: JsonObject, now_ns: int) -> Document:
        """Lay changes over a document, key by key, or raise 404."""
        known = self.get(kind, document_id)
        document = Document(document_id, known.created_ns, now_ns, {**known.body, **changes})
        self._connection.execute(
            f"UPDATE documents SET body = ?, updated_ns = ? WHERE {_MINE} AND id = ?",  # noqa: S608
            (dump(document.body), now_ns, self._project_id, kind, document_id),
        )
        return document

    def delete(self, kind: str, document_id: str) -> None:
        """Delete a document and its links, or raise 404."""
        self.get(kind, document_id)
        mine = (self._project_id, kind, document_id)
        self._connection.execute(f"DELETE FROM documents WHERE {_MINE} AND id = ?", mine)  # noqa: S608
        self._connection.execute(
            "DELETE FROM links WHERE project_id = ? AND (dataset_id = ? OR datapoint_id = ?)",
            (self._project_id, document_id, document_id),
        )

    # ---- Links between datasets and datapoints -------------------------------------------------------

    def linked_to(self, dataset_id: str) -> list[Json]:
        """Return the ids of a dataset's datapoints, in the order in which they came to it."""
        query = "SELECT datapoint_id FROM links WHERE project_id = ? AND dataset_id = ? ORDER BY seq"
        return [row[0] for row in self._connection.execute(query, (self._project_id, dataset_id))]

    def linking(self, datapoint_id: str) -> list[Json]:
        """Return the ids of the datasets that a datapoint is in."""
        query = "SELECT dataset_id FROM links WHERE project_id = ? AND datapoint_id = ? ORDER BY seq"
        return [row[0] for row in self._connection.execute(query, (self._project_id, datapoint_id))]

    def link(self, dataset_id: str, datapoint_id: str) -> None:
        """Put a datapoint into a dataset; one that is there already stays where it is."""
        self._connection.execute(
            "INSERT INTO links (project_id, dataset_id, datapoint_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (self._project_id, dataset_id, datapoint_id),
        )

    def unlink(self, *, dataset_id: str | None = None, datapoint_id: str | None = None) -> int:
        """Take a datapoint out of a dataset; without one of the two, out of all. Return how many links that ended."""
        ends = {"dataset_id": dataset_id, "datapoint_id": datapoint_id}
        named = {column: end for column, end in ends.items() if end is not None}
        where = "".join(f" AND {column} = ?" for column in named)
        query = f"DELETE FROM links WHERE project_id = ?{where}"  # noqa: S608
        return self._connection.execute(query, (self._project_id, *named.values())).rowcount

    def _select(self, where: str, parameters: tuple[str, ...]) -> list[Document]:
        query = f"SELECT {_COLUMNS} FROM documents WHERE {where} ORDER BY seq"  # noqa: S608
        return [
            Document(document_id, created_ns, updated_ns, json.loads(body))
            for document_id, created_ns, updated_ns, body in self._connection.execute(query, parameters)
        ]
