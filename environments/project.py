"""Where this project's files are, and what its declarations say: pyproject.toml and releases.json."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from environments.declaration import parse
from environments.errors import MatrixConfigError, ResultsUnwritable
from environments.matrix import Matrix, Release

ROOT = Path(__file__).resolve().parent.parent
RELEASES = ROOT / "environments" / "releases.json"
LOCKS = ROOT / "environments" / "locks"
# Another folder for the results of this process's cells: this project's own tests leave yours alone.
RESULTS_VARIABLE = "MATRIX_RESULTS"
RESULTS = Path(os.environ.get(RESULTS_VARIABLE) or ROOT / "results")
SUITE = ROOT / "tests" / "integration"
# Beside what nox itself keeps, so that removing .nox starts from nothing.
VENVS = ROOT / ".nox" / "cells"
CANDIDATES = ROOT / ".nox" / "candidates"


def unwritable(path: Path, error: OSError) -> ResultsUnwritable:
    """Return the error of results that cannot be written."""
    return ResultsUnwritable(
        f"{path} cannot be written: {error.strerror or error}",
        remedy=f"make room or give permission there, or name another folder with {RESULTS_VARIABLE}",
    )


def load_pyproject() -> dict[str, Any]:
    """Read pyproject.toml. Raises MatrixConfigError where it is no TOML."""
    try:
        return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    except OSError as error:
        raise MatrixConfigError(
            f"pyproject.toml cannot be read: {error}", remedy="restore it from version control"
        ) from None
    except ValueError as error:  # no TOML, or no UTF-8
        raise MatrixConfigError(f"pyproject.toml is no TOML: {error}", remedy="correct it") from None


def load_releases() -> tuple[Release, ...]:
    """Read the releases of the SDK. Raises MatrixConfigError where the file is not as `nox -s releases` writes it."""
    try:
        releases = tuple(Release(**entry) for entry in json.loads(RELEASES.read_text(encoding="utf-8")))
        for release in releases:
            Version(release.version)
            SpecifierSet(release.requires_python)
    except (OSError, ValueError, TypeError) as error:
        raise MatrixConfigError(
            f"environments/releases.json cannot be read: {error}",
            remedy="restore it from version control, or run `nox -s releases`",
        ) from None
    return releases


def load_matrix() -> Matrix:
    """Read the declaration of the matrix."""
    return parse(load_pyproject().get("tool", {}).get("matrix", {}), load_releases())
