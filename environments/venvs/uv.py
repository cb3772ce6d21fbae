"""The one place that runs uv: which binary, with what environment, and what its failure reads like."""

from __future__ import annotations

import functools
import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# An installer runs other people's code (build backends): it gets what it needs to reach the index and nothing else.
_KEPT = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "USER", "SSL_CERT_FILE", "SSL_CERT_DIR", "SYSTEMROOT")
_KEPT_PREFIXES = ("UV_", "XDG_")
_KEPT_ANY_CASE = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


def installer_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for installers: no credential of any profile or provider is in it."""
    kept = {
        name: value
        for name, value in environ.items()
        if name in _KEPT or name.startswith(_KEPT_PREFIXES) or name.lower() in _KEPT_ANY_CASE
    }
    kept["UV_NO_PROGRESS"] = "1"
    return kept


@functools.cache
def binary() -> str:
    """Return the path of the uv that the orchestrator was installed with."""
    from uv import find_uv_bin

    return os.fsdecode(find_uv_bin())


def run(*arguments: str, cwd: Path | None = None, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run uv to its end and return its output. It never raises for a status: callers name the failure."""
    return subprocess.run(
        [binary(), "--no-config", *arguments],
        cwd=cwd,
        env=installer_environment(os.environ),
        input=stdin,
        stdin=None if stdin is not None else subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
