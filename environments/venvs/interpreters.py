"""The Pythons of this machine: which minor versions are here, and where. uv looks, and fetches what is not here."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from environments import project
from environments.errors import InterpreterMissing, exit_on_error
from environments.inside import lifeline
from environments.venvs import apart, uv

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Asked of the interpreter itself: a path found through pyenv's shims means another Python in another folder.
_WHO = """\
import json, platform, sys, sysconfig
print(json.dumps([sys.executable, platform.python_version(), platform.python_implementation(),
                  sysconfig.get_platform(), " ".join(platform.python_build())]))
"""


@dataclass(frozen=True)
class Interpreter:
    """One Python of this machine. `build` tells two builds of one version apart."""

    python: str
    path: str
    version: str
    build: str


def find(python: str) -> Interpreter:
    """Return this machine's interpreter of a minor version such as `3.12`. Raises InterpreterMissing."""
    answer = uv.run("python", "find", "--system", "--no-python-downloads", python, cwd=project.ROOT)
    if answer.returncode != 0:
        raise InterpreterMissing(
            f"this machine has no Python {python}",
            remedy=f"install it (`uv python install {python}`, say), and list it in .python-version if it is pyenv's",
        )
    asked = subprocess.run(
        [answer.stdout.strip(), "-I", "-c", _WHO], cwd=project.ROOT, capture_output=True, text=True, check=False
    )
    if asked.returncode != 0:
        raise InterpreterMissing(
            f"this machine has no Python {python} that runs: {answer.stdout.strip()} ended with {asked.returncode}",
            remedy="repair or remove it",
        )
    path, version, implementation, platform, build = json.loads(asked.stdout)
    return Interpreter(python, path, version, f"{implementation} {version} {platform} {build}")


async def found(python: str, lifeline_path: Path, say: Callable[[str], None]) -> Interpreter:
    """Return the interpreter, downloaded first where it is not here and uv may. Raises InterpreterMissing."""
    try:
        return await asyncio.to_thread(find, python)
    except InterpreterMissing:
        if os.environ.get("UV_PYTHON_DOWNLOADS", "automatic") != "automatic" or os.environ.get("UV_OFFLINE"):
            raise
    say(f"this machine has no Python {python}: asking uv to download it …")
    failure = await apart.run("environments.venvs.interpreters", python, lifeline_path)
    if failure is not None:
        raise InterpreterMissing(
            f"this machine has no Python {python}, and uv could not download it: {failure.splitlines()[-1].strip()}",
            remedy="install it, and list it in .python-version if it is pyenv's",
        )
    return await asyncio.to_thread(find, python)


@exit_on_error
def main() -> int:
    """Download the Python that stdin names."""
    lifeline.follow_from_environment()
    # One try: where there is no way out, four would take 10 s to say so.
    os.environ.setdefault("UV_HTTP_RETRIES", "0")
    answer = uv.run("python", "install", sys.stdin.read())
    sys.stderr.write(answer.stderr)
    return answer.returncode


if __name__ == "__main__":
    sys.exit(main())
