"""The Pythons of this machine: which minor versions are here, and where. uv does the looking."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass

from environments import project
from environments.errors import InterpreterMissing
from environments.venvs import uv

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
        [answer.stdout.strip(), "-I", "-c", _WHO], cwd=project.ROOT, capture_output=True, text=True, check=True
    )
    path, version, implementation, platform, build = json.loads(asked.stdout)
    return Interpreter(python, path, version, f"{implementation} {version} {platform} {build}")
