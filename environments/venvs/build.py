"""Venvs keyed by content: a cell's venv is built once and found again by whatever cell needs the same.

The key covers the interpreter's build, the lock and the SDK under test, and not the environment: staging and
production reuse what development built.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from filelock import FileLock

from environments import project
from environments.errors import InstallFailed, exit_on_error
from environments.inside import lifeline
from environments.matrix import Candidate, Release, SdkLine
from environments.venvs import apart, lock, uv
from environments.venvs.interpreters import Interpreter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Read by every start of the venv's Python, with -I and -E and with an empty environment too: a child that got rid of
# the variables that lead to the fence does not run at all.
_ONLY_IN_A_CELL = (
    "import os, sys; ('MATRIX_FENCE' in os.environ"
    " and any(os.path.exists(path + '/environments/inside/fence.py') for path in sys.path))"
    " or (os.write(2, b'this Python runs inside a cell of the matrix only\\n'), os._exit(97))\n"
)
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
        text = _ONLY_IN_A_CELL + "\n".join(
            (self.interpreter.path, self.interpreter.build, self.locked, self.sdk.version, self.sdk.identity)
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        read = json.loads(text)
        sdk = read["sdk"]
        if "release" in sdk:
            return cls(Interpreter(**read["interpreter"]), SdkLine(sdk["name"], Release(**sdk["release"])))
        return cls(Interpreter(**read["interpreter"]), Candidate(**sdk))


def find(recipe: Recipe) -> Path | None:
    """Return the Python of the venv that `recipe` describes, if it has been built."""
    venv = project.VENVS / recipe.key
    return venv / "bin" / "python" if (venv / _COMPLETE).exists() else None


def build(recipe: Recipe) -> None:
    """Build the venv. Two processes that need the same one build it once.

    Raises InstallFailed with the installer's own words.
    """
    venv = project.VENVS / recipe.key
    project.VENVS.mkdir(parents=True, exist_ok=True)
    with FileLock(project.VENVS / f"{recipe.key}.lock"):
        if find(recipe) is None:
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(venv)
            _build(venv, recipe)
            (venv / _COMPLETE).touch()


async def built(recipe: Recipe, lifeline_path: Path, say: Callable[[str], None]) -> Path:
    """Return the Python of the venv, built first where it does not exist yet.

    The build is a process of its own, in a group of its own: it can be cancelled, and follows the lifeline.
    """
    python = find(recipe)
    if python is not None:
        return python
    say(f"installing honeyhive {recipe.sdk.version} for Python {recipe.interpreter.version} (once; some seconds) …")
    failure = await apart.run("environments.venvs.build", recipe.to_json(), lifeline_path)
    python = find(recipe)
    if failure is not None or python is None:
        raise InstallFailed(
            f"the venv could not be built: {failure}",
            remedy="check the network and the disk, then run the same command again",
        )
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
        newest = (
            "--exclude-newer",
            lock.as_of(recipe.locked),
            "--exclude-newer-package",
            "honeyhive=2100-01-01T00:00:00Z",
        )
        constraints = ("--constraint", str(lock.cell_lock("")))
        _uv(
            "pip", "install", "--python", str(venv), "--compile-bytecode", *newest, *constraints, recipe.sdk.requirement
        )
    _uv("pip", "check", "--python", str(venv))
    # Last: from here on this Python starts inside a cell only.
    (site_packages,) = (venv / "lib").glob("python*/site-packages")
    (site_packages / "cell.pth").write_text(_ONLY_IN_A_CELL, encoding="utf-8")


def _uv(*arguments: str) -> None:
    answer = uv.run(*arguments, cwd=project.VENVS)
    if answer.returncode != 0:
        raise InstallFailed(
            f"`uv {' '.join(arguments[:2])} …` said\n{answer.stderr.strip()}",
            remedy="check the network and the disk",
        )


@exit_on_error
def main() -> int:
    """Build the venv whose recipe stands on stdin."""
    lifeline.follow_from_environment()
    build(Recipe.from_json(sys.stdin.read()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
