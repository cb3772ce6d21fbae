"""A small matrix, made up: what tests of the plan, the board and the candidates start from."""

from __future__ import annotations

import hashlib
from typing import Any

from environments.declaration import parse
from environments.matrix import Matrix, Release

RELEASES = ("1.0.0", "1.0.2", "1.1.0", "1.2.1")


def release(version: str, *, requires_python: str = ">=3.11", yanked: bool = False) -> Release:
    """Return a release whose hash is its version's."""
    return Release(
        version, requires_python, "2026-05-05T00:00:00Z", yanked, hashlib.sha256(version.encode()).hexdigest()
    )


def table(**changes: object) -> dict[str, Any]:
    """Return `[tool.matrix]`, as TOML reads it, with these keys changed; None leaves one out."""
    declared: dict[str, Any] = {
        "pythons": ["3.11", "3.12", "3.13"],
        "oldest-line": "1.0",
        "environments": ["development", "staging", "production"],
        "cool-down-days": 3,
        "cell-time-limit-s": 900,
        "test-time-limit-s": 120,
        "sets": {"pr": {"sdk": ["oldest", "newest"], "environment": "development"}, "all": {}},
    }
    declared |= {name.replace("_", "-"): value for name, value in changes.items()}
    return {name: value for name, value in declared.items() if value is not None}


def matrix(*releases: Release, **changes: object) -> Matrix:
    """Return a matrix of these releases, or of RELEASES."""
    return parse(table(**changes), releases or [release(version) for version in RELEASES])
