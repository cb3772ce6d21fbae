"""The target: what the tests inside a cell are told. JSON without secrets; the keys stand in the environment."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

VARIABLE = "MATRIX_TARGET"
# In which variable a key of each kind stands, where there is one.
KEY_VARIABLES = {
    "project": "MATRIX_API_KEY",
    "ingestion": "MATRIX_INGESTION_API_KEY",
    "data_plane": "MATRIX_DATA_PLANE_API_KEY",
}
# What the name of everything that a test creates begins with; the run's id follows.
RUN_PREFIX = "hhm-"
# What a gateway keeps of a test's id.
LONGEST_TEST_ID = 2000


@dataclass(frozen=True)
class Project:
    """A project of the environment, and the variable in which the cell's processes find its key."""

    name: str
    key_variable: str

    @property
    def api_key(self) -> str:
        return os.environ[self.key_variable]


@dataclass(frozen=True)
class Control:
    """Where a service of the cell can be asked about itself, and the variable in which its token stands."""

    url: str
    token_variable: str

    @property
    def token(self) -> str:
        return os.environ[self.token_variable]


@dataclass(frozen=True)
class Target:
    """What a test may know of where it runs.

    `base_url` has no trailing slash; `timeout_s` is how long a test waits for the server to show what it was sent;
    `resolution` says how the dependencies were chosen; `capabilities` are words of the profile; `run_name` prefixes the
    name of everything that a test creates.
    """

    cell: str
    environment: str
    resolution: str
    base_url: str
    project: Project
    other_project: Project | None
    writable: bool
    capabilities: tuple[str, ...]
    timeout_s: float
    run_name: str
    ledger: str = field(repr=False)
    # The LLM service, without a trailing slash or `/v1`; None where the environment has none.
    llm_url: str | None = None
    # The embedded service's: mints projects and keys.
    control: Control | None = None
    # The gateway's: tells what a test cannot see of what is behind it.
    gateway: Control | None = None

    @property
    def api_key(self) -> str:
        return self.project.api_key

    def write(self, path: Path) -> None:
        """Write the file that VARIABLE names to the processes of a cell."""
        path.write_text(json.dumps(asdict(self), indent=2), encoding="utf-8")


def load() -> Target | None:
    """Return the target of this cell, or None in a process that belongs to none."""
    path = os.environ.get(VARIABLE)
    if path is None:
        return None
    written = json.loads(Path(path).read_text(encoding="utf-8"))
    other = written["other_project"]
    controls = {name: written[name] for name in ("control", "gateway")}
    return Target(
        **{
            **written,
            "project": Project(**written["project"]),
            "other_project": None if other is None else Project(**other),
            **{name: None if found is None else Control(**found) for name, found in controls.items()},
            "capabilities": tuple(written["capabilities"]),
        }
    )
