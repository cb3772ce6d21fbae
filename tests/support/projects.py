"""Projects of a test's own, minted where the target can: nothing that another test does is in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import httpx

if TYPE_CHECKING:
    from environments.inside.target import Control


class Tenant(Protocol):
    """A project and its key, wherever they come from."""

    @property
    def name(self) -> str:
        """The project's name."""

    @property
    def api_key(self) -> str:
        """The project's key."""


@dataclass(frozen=True)
class MintedProject:
    """A project that a test had made, and a key of each kind to it."""

    id: str
    name: str
    api_key: str = field(repr=False)
    ingestion_api_key: str = field(repr=False)
    data_plane_api_key: str = field(repr=False)


class Mint:
    """Makes projects and keys through the control endpoint of the embedded service."""

    def __init__(self, control: Control, timeout_s: float) -> None:
        headers = {"Authorization": f"Bearer {control.token}"}
        # A connection that stayed open would look like one that the test has left.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._http = httpx.Client(base_url=control.url, headers=headers, timeout=timeout_s, limits=limits)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def project(self, name: str) -> MintedProject:
        """Make a project."""
        made = self._post("/projects", {"name": name})
        keys = made["keys"]
        return MintedProject(made["id"], made["name"], keys["project"], keys["ingestion"], keys["data_plane"])

    def delete(self, project: MintedProject) -> None:
        """Delete a project with all that is in it."""
        self._http.delete(f"/projects/{project.id}").raise_for_status()

    def key(self, project: MintedProject, kind: str) -> str:
        """Make one more key: `project`, `ingestion` or `data_plane`."""
        return str(self._post("/keys", {"project_id": project.id, "kind": kind})["key"])

    def revoke(self, key: str) -> None:
        """Have a key accepted no more."""
        self._post("/keys/revoke", {"key": key})

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._http.post(path, json=body).raise_for_status().json()
        return answer
