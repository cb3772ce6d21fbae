"""Copies of this project, for tests that change what it declares; and what its commands say in them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from environments import project

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

WITHIN_S = 60
_KEPT = ("PATH", "HOME", "TMPDIR", "LANG", "UV_CACHE_DIR", "PYENV_ROOT")


@dataclass(frozen=True)
class Ended:
    """How a command ended. Its repr is what a failing assertion shows."""

    command: Sequence[str]
    status: int
    out: str
    err: str

    def __repr__(self) -> str:
        return f"{self.command[1:]} ended with {self.status}\n--- out ---\n{self.out}--- err ---\n{self.err}"

    @property
    def text(self) -> str:
        return self.out + self.err


def copy_to(folder: Path) -> Path:
    """Copy what the commands of this project need, and no results of its runs."""
    for name in ("environments", "noxfile.py", "pyproject.toml", ".python-version"):
        source = project.ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            folder.mkdir(exist_ok=True)
            shutil.copy(source, folder / name)
    return folder


def run(tree: Path, *arguments: str, cwd: Path | None = None, **more: str) -> Ended:
    """Run this Python in a tree, with the environment of somebody who has set nothing of ours."""
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command,
        cwd=cwd or tree,
        env={**environment, "NOX_SCRIPT_MODE": "none", "NO_COLOR": "1", **more},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    return Ended(command, done.returncode, done.stdout, done.stderr)
