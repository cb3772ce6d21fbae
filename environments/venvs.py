"""Venvs keyed by content: a cell's venv is built once and found again by whatever cell needs the same.

The key covers the interpreter's build, the lock and the SDK under test, and not the environment: staging and
production reuse what development built.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from environments import lock, project, uv
from environments.errors import InstallFailed
from environments.matrix import Candidate, SdkLine

if TYPE_CHECKING:
    from collections.abc import Callable

    from environments.interpreters import Interpreter

# Written last: a venv without it was left by a build that did not end, and is built anew.
_COMPLETE = "complete"


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a venv holds."""

    interpreter: Interpreter
    sdk: SdkLine | Candidate

    @property
    def locked(self) -> str:
        """The lock that this venv installs from."""
        line = self.sdk.name if isinstance(self.sdk, SdkLine) else ""
        return lock.cell_lock(line).read_text(encoding="utf-8")

    @property
    def key(self) -> str:
        """A short hash of the recipe."""
        text = "\n".join((self.interpreter.path, self.interpreter.build, self.locked, self.sdk.version, self.sdk.identity))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def ensure(recipe: Recipe, say: Callable[[str], None]) -> Path:
    """Return the Python of the venv that `recipe` describes, built first where it does not exist yet.

    Two processes that need the same venv build it once. Raises InstallFailed with the installer's own words.
    """
    venv = project.VENVS / recipe.key
    python = venv / "bin" / "python"
    if (venv / _COMPLETE).exists():
        return python
    project.VENVS.mkdir(parents=True, exist_ok=True)
    with FileLock(project.VENVS / f"{recipe.key}.lock"):
        if not (venv / _COMPLETE).exists():
            say(f"installing honeyhive {recipe.sdk.version} for Python {recipe.interpreter.version} (once, some seconds) …")
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(venv)
            _build(venv, recipe)
            (venv / _COMPLETE).touch()
    return python


def _build(venv: Path, recipe: Recipe) -> None:
    _uv("venv", "--python", recipe.interpreter.path, "--no-project", str(venv))
    requirements = venv / "requirements.txt"
    install = ("pip", "install", "--python", str(venv), "--compile-bytecode", "-r", str(requirements))
    if isinstance(recipe.sdk, SdkLine):
        pin = f"honeyhive=={recipe.sdk.version} --hash=sha256:{recipe.sdk.release.sha256}\n"
        requirements.write_text(recipe.locked + pin, encoding="utf-8")
        _uv(*install, "--require-hashes", "--no-deps")
    else:
        requirements.write_text(recipe.locked, encoding="utf-8")
        _uv(*install, "--require-hashes", "--no-deps")
        # What the lock has stays as it is; what a candidate newly requires is resolved on top, cooled down alike.
        newest = ("--exclude-newer", lock.as_of(recipe.locked), "--exclude-newer-package", "honeyhive=2100-01-01T00:00:00Z")
        constraints = ("--constraint", str(lock.cell_lock("")))
        _uv("pip", "install", "--python", str(venv), "--compile-bytecode", *newest, *constraints, recipe.sdk.requirement)
    _uv("pip", "check", "--python", str(venv))


def _uv(*arguments: str) -> None:
    answer = uv.run(*arguments, cwd=project.VENVS)
    if answer.returncode != 0:
        raise InstallFailed(
            f"the venv could not be built: `uv {arguments[0]} {arguments[1]} …` said\n{answer.stderr.strip()}",
            remedy="check the network and the disk, then run the same command again",
        )
