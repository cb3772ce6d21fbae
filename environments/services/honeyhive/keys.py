"""Which key opens which project."""

from __future__ import annotations

import functools
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from environments.services.honeyhive.http_errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NAMESPACE = uuid.UUID("6f1b7a52-6d0b-5c0e-9d5e-3c8a5b1d2e4f")
_SCHEME = "bearer"


@dataclass(frozen=True, slots=True)
class Project:
    """One tenant. Its ids follow from its name, so they are the same after a restart."""

    name: str

    @property
    def id(self) -> str:
        """The project's id."""
        return _id(f"project:{self.name}")

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
class Keys:
    """The keys that are accepted. They never show in a repr."""

    _projects: Mapping[str, Project] = field(repr=False)

    @classmethod
    def of(cls, projects: Iterable[tuple[str, Iterable[str]]]) -> Keys:
        """Build from (project name, its keys)."""
        return cls({key: Project(name) for name, keys in projects for key in keys})

    def projects(self) -> tuple[Project, ...]:
        """Return the projects that any key opens, by name."""
        return tuple(sorted(set(self._projects.values()), key=lambda project: project.name))

    def project_of(self, authorization: str | None) -> Project:
        """Return the project that an `Authorization` header opens, or raise the API's 401."""
        if not authorization:
            raise ApiError(401, "missing API key: send it as 'Authorization: Bearer <key>'")
        scheme, _, key = authorization.partition(" ")
        project = self._projects.get(key.strip()) if scheme.lower() == _SCHEME else None
        if project is None:
            raise ApiError(401, "invalid API key")
        return project
