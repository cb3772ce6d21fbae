"""Projects, and which key opens which of them: configured, minted while running, revoked, expired.

What is minted or revoked is stored, keys by their digest alone, and holds after a restart. Known: the shapes of the
two typed keys, and which requests of the SDK carry which key. Inferred: a key of the wrong kind gets 403.
"""

from __future__ import annotations

import functools
import hashlib
import json
import secrets
import string
import threading
import uuid
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, cast

from environments.services.http.errors import ApiError, not_found
from environments.services.http.json_types import JsonObject, dump

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from environments.services.honeyhive.storage.database import Database

_NAMESPACE = uuid.UUID("6f1b7a52-6d0b-5c0e-9d5e-3c8a5b1d2e4f")
_SCHEME = "bearer"
_ALPHANUMERIC = string.ascii_letters + string.digits

SCHEMA = """
CREATE TABLE IF NOT EXISTS projects (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    parent_id TEXT,
    created_ns INTEGER NOT NULL,
    updated_ns INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS keys (
    digest TEXT PRIMARY KEY,
    key_id TEXT NOT NULL UNIQUE,
    project_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    expires_ns INTEGER,
    revoked INTEGER NOT NULL DEFAULT 0
) STRICT;
"""
_WITH_PROJECT_ID = """
SELECT m.name FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c
WHERE m.type = 'table' AND c.name = 'project_id'
"""


class Kind(StrEnum):
    """What a key is for."""

    PROJECT = "project"  # everything but what a data plane key is for
    INGESTION = "ingestion"  # sending sessions, events and spans
    DATA_PLANE = "data_plane"  # what stands under /v1/projects/{project_id}


PROJECT_ONLY = frozenset({Kind.PROJECT})
# The SDK sends sessions, events and spans with an ingestion key, where it has one.
SENDING = frozenset({Kind.PROJECT, Kind.INGESTION})
_PREFIXES = {Kind.INGESTION: "hh_ingst_", Kind.DATA_PLANE: "hh_fgdp_"}


def kind_of(key: str) -> Kind:
    """Tell a key's kind by its prefix. A project's key has no shape of its own."""
    return next((kind for kind, prefix in _PREFIXES.items() if key.startswith(prefix)), Kind.PROJECT)


def new_key(kind: Kind) -> str:
    """Make a key, of the shape that the SDK insists on (from 1.6 on) for the typed kinds."""
    if kind is Kind.PROJECT:
        return f"hh_{secrets.token_hex(16)}"
    letters = "".join(secrets.choice(_ALPHANUMERIC) for _ in range(24))
    return f"{_PREFIXES[kind]}{letters}_{secrets.token_urlsafe(48)}"


@dataclass(frozen=True, slots=True)
class Project:
    """One tenant. Without an id of its own it has one that follows from its name, so it is the same after a restart."""

    name: str
    id: str = ""

    def __post_init__(self) -> None:
        if not self.id:
            object.__setattr__(self, "id", str(uuid.uuid5(_NAMESPACE, f"project:{self.name}")))

    @property
    def org_id(self) -> str:
        """The organisation's id: this service has one organisation."""
        return _id("organisation")

    @property
    def workspace_id(self) -> str:
        """The workspace's id: this service has one workspace."""
        return _id("workspace")


@functools.lru_cache(1024)  # every event carries three of them
def _id(name: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, name))


@dataclass(frozen=True, slots=True)
class Registered:
    """A project as it is registered: who made it, when, and what else is said of it."""

    project: Project
    parent_id: str | None
    created_ns: int
    updated_ns: int
    body: JsonObject


@dataclass(frozen=True, slots=True)
class Minted:
    """A new key. Its value is shown once, to whoever asked for it."""

    value: str = field(repr=False)
    key_id: str


@dataclass(frozen=True, slots=True)
class _Grant:
    project_id: str
    kind: Kind
    expires_ns: int | None = None


class Keys:
    """The projects and the keys that are accepted. They never show in a repr.

    Every request asks, so they are held in memory; one lock keeps what is held and what is stored the same.
    """

    def __init__(self, database: Database, configured: Iterable[tuple[str, Iterable[str]]], now_ns: int) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._registered: dict[str, Registered] = {}
        self._grants: dict[str, _Grant] = {}
        self._load()
        for name, keys in configured:
            known = self._named(name) or self._register(Registered(Project(name), None, now_ns, now_ns, {}))
            for key in keys:
                self._grants.setdefault(_digest(key), _Grant(known.project.id, kind_of(key)))
        with database.reading() as connection:
            for (digest,) in connection.execute("SELECT digest FROM keys WHERE revoked"):
                self._grants.pop(digest, None)

    def projects(self) -> tuple[Project, ...]:
        """Return the projects that are registered, by name."""
        with self._lock:
            registered = [each.project for each in self._registered.values()]
        return tuple(sorted(registered, key=lambda project: project.name))

    def project_of(
        self, authorization: str | None, accepted: frozenset[Kind] = PROJECT_ONLY, now_ns: int = 0
    ) -> Project:
        """Return the project that an `Authorization` header opens, or raise the API's 401 or 403."""
        if not authorization:
            raise ApiError(401, "missing API key: send it as 'Authorization: Bearer <key>'")
        scheme, _, key = authorization.partition(" ")
        grant = self._grants.get(_digest(key.strip())) if scheme.lower() == _SCHEME else None
        registered = self._registered.get(grant.project_id) if grant else None
        if grant is None or registered is None:
            raise ApiError(401, "invalid API key")
        if grant.expires_ns is not None and grant.expires_ns <= now_ns:
            raise ApiError(401, "invalid API key: it has expired")
        if grant.kind not in accepted:
            wanted = " or ".join(sorted(kind.replace("_", " ") for kind in accepted))
            raise ApiError(403, f"this needs a key of another kind: {wanted}")
        return registered.project

    # ---- Projects ------------------------------------------------------------------------------------

    def seen_by(self, project: Project) -> list[Registered]:
        """Return the projects that a project's key manages: its own, and those that were created with it."""
        known = list(self._registered.values())
        return [each for each in known if project.id in (each.project.id, each.parent_id)]

    def known(self, project_id: str) -> Registered | None:
        """Return the project of an id."""
        return self._registered.get(project_id)

    def create(self, name: str, body: JsonObject, now_ns: int, parent: Project | None = None) -> Registered:
        """Create a project, or raise 409 where there is one of that name."""
        with self._lock:
            self._check_free(name)
            project = Project(name, str(uuid.uuid4()))
            return self._register(Registered(project, parent.id if parent else None, now_ns, now_ns, body))

    def change(self, known: Registered, name: str, body: JsonObject, now_ns: int) -> Registered:
        """Rename or describe a project. Its id, its keys and what is stored in it stay."""
        with self._lock:
            if name != known.project.name:
                self._check_free(name)
            project = Project(name, known.project.id)
            return self._register(Registered(project, known.parent_id, known.created_ns, now_ns, body))

    def delete(self, known: Registered) -> None:
        """Delete a project with all that is stored in it, and its keys."""
        project_id = known.project.id

        def run(connection: sqlite3.Connection) -> None:
            for (table,) in connection.execute(_WITH_PROJECT_ID).fetchall():
                connection.execute(f"DELETE FROM {table} WHERE project_id = ?", (project_id,))  # noqa: S608
            connection.execute("DELETE FROM projects WHERE id = ?", (project_id,))

        with self._lock:
            self._database.write(run)
            self._registered.pop(project_id, None)
            self._grants = {digest: grant for digest, grant in self._grants.items() if grant.project_id != project_id}

    # ---- Keys ----------------------------------------------------------------------------------------

    def mint(self, project: Project, kind: Kind, expires_ns: int | None = None) -> Minted:
        """Make a key to a project. It is accepted at once, and after a restart."""
        minted = Minted(new_key(kind), str(uuid.uuid4()))
        self._store_key(_digest(minted.value), minted.key_id, _Grant(project.id, kind, expires_ns), revoked=False)
        return minted

    def revoke(self, key: str) -> None:
        """Accept a key, or the one with this id, no more; raise 404 where there is none."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT digest FROM keys WHERE key_id = ?", (key,)).fetchone()
        digest = cast("str", row[0]) if row else _digest(key)
        grant = self._grants.get(digest)
        if grant is None:
            raise not_found("key")
        self._store_key(digest, str(uuid.uuid4()), grant, revoked=True)

    # ---- What is held is what is stored --------------------------------------------------------------

    def _store_key(self, digest: str, key_id: str, grant: _Grant, *, revoked: bool) -> None:
        row = (digest, key_id, grant.project_id, grant.kind, grant.expires_ns, revoked)
        query = (
            "INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (digest) DO UPDATE SET revoked = excluded.revoked"
        )
        with self._lock:
            self._database.write(lambda connection: connection.execute(query, row).rowcount)
            if revoked:
                self._grants.pop(digest, None)
            else:
                self._grants[digest] = grant

    def _register(self, new: Registered) -> Registered:
        row = (new.project.id, new.project.name, new.parent_id, new.created_ns, new.updated_ns, dump(new.body))
        query = (
            "INSERT INTO projects VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE"
            " SET name = excluded.name, updated_ns = excluded.updated_ns, body = excluded.body"
        )
        self._database.write(lambda connection: connection.execute(query, row).rowcount)
        self._registered[new.project.id] = new
        return new

    def _load(self) -> None:
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT id, name, parent_id, created_ns, updated_ns, body FROM projects"
            ).fetchall()
            keys = connection.execute("SELECT digest, project_id, kind, expires_ns FROM keys").fetchall()
        for project_id, name, parent_id, created_ns, updated_ns, body in rows:
            project = Project(name, project_id)
            self._registered[project_id] = Registered(project, parent_id, created_ns, updated_ns, json.loads(body))
        for digest, project_id, kind, expires_ns in keys:
            self._grants[digest] = _Grant(project_id, Kind(kind), expires_ns)

    def _named(self, name: str) -> Registered | None:
        return next((each for each in self._registered.values() if each.project.name == name), None)

    def _check_free(self, name: str) -> None:
        if self._named(name) is not None:
            raise ApiError(409, f"there is a project {name!r} already")


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
