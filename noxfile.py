# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "annotated-types==0.8.0",
#   "anyio==4.16.0",
#   "argcomplete==3.7.2",
#   "attrs==26.1.0",
#   "certifi==2026.10.18",
#   "click==8.5.1",
#   "colorama==0.4.6 ; sys_platform == 'win32'",
#   "colorlog==6.12.0",
#   "dependency-groups==1.3.2",
#   "distlib==0.4.4",
#   "filelock==4.2.11",
#   "h11==0.16.0",
#   "httpcore==1.0.9",
#   "httpx==0.28.1",
#   "humanize==4.17.0",
#   "idna==3.20",
#   "jinja2==3.1.6",
#   "junitparser==5.0.3",
#   "markdown-it-py==4.3.0",
#   "markupsafe==3.0.4",
#   "mdurl==0.1.2",
#   "msgspec==0.22.0",
#   "nox[uv]==2026.10.20",
#   "opentelemetry-proto==1.45.2",
#   "packaging==26.3",
#   "platformdirs==4.14.7",
#   "protobuf==7.36.2",
#   "psutil==7.2.2",
#   "pydantic==2.14.3",
#   "pydantic-core==2.50.4",
#   "pydantic-settings==2.16.3",
#   "pygments==2.21.0",
#   "python-discovery==1.9.5",
#   "python-dotenv==1.2.4",
#   "rich==15.0.0",
#   "starlette==1.10.0",
#   "typing-extensions==4.16.0",
#   "typing-inspection==0.4.5",
#   "uv==0.13.9",
#   "uvicorn==0.54.0",
#   "virtualenv==21.15.8",
# ]
#
# [tool.uv]
# exclude-newer = "2026-11-19T00:00:00Z"
# ///
"""Every session: a menu. What the sessions do lives in `environments`.

`nox -l` lists them, the ones for people first. This file is imported again for every parallel cell: no network, no
settings, no heavy modules.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import nox
from nox.command import CommandFailed

sys.path.insert(0, str(Path(__file__).parent))

from environments import lineage, project
from environments.errors import MatrixError

if TYPE_CHECKING:
    from environments.matrix import Cell

nox.needs_version = ">=2026.10.20"
nox.options.default_venv_backend = "uv"
nox.options.sessions = ["tests"]

# Whatever this nox starts belongs to its run, and ends with it.
os.environ.setdefault(lineage.RUN_VARIABLE, lineage.new_run_id())
os.environ.setdefault(lineage.ROOT_VARIABLE, str(os.getpid()))


def hand_over(session: nox.Session, module: str, *arguments: str, end_within_s: float = 10) -> None:
    """Run one of this project's commands. A lone session ends with its exit code, which nox would flatten to 1."""
    try:
        session.run(
            *(sys.executable, "-m", module, *arguments),
            external=True,
            log=False,
            env={"PYTHONSAFEPATH": None},
            interrupt_timeout=end_within_s,
            terminate_timeout=10,
        )
    except CommandFailed as failure:
        if len(session._runner.manifest) == 1:  # noqa: SLF001 - nox has no public word for it
            raise SystemExit(failure.return_code) from None
        raise


@nox.session
def tests(session: nox.Session) -> None:
    """Check this project: lint, types, architecture, unit tests, and a small slice of the matrix."""
    session.install("--require-hashes", "-r", "environments/locks/tools.txt")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")
    session.run("lint-imports")
    session.run("pytest", "-m", "not proof and not browser", *session.posargs)
    session.run(sys.executable, "-m", "environments.run.many", "--set", "slice", "--here", external=True)


@nox.session(default=False)
def proofs(session: nox.Session) -> None:
    """Check what takes minutes: what is left after every kind of kill, the development matrix, and that it detects."""
    session.install("--require-hashes", "-r", "environments/locks/tools.txt")
    session.run("pytest", "-m", "proof", *session.posargs)
    if session.posargs:  # somebody looks at some of these tests, and does not want every cell as well
        return
    session.run(sys.executable, "-m", "environments.detection", external=True)
    session.run(sys.executable, "-m", "environments.run.many", "--set", "development", "--here", external=True)


@nox.session(default=False)
def browser(session: nox.Session) -> None:
    """Check the embedded service's page in the system's Chromium."""
    session.install("--require-hashes", "-r", "environments/locks/browser.txt")
    session.run("pytest", "-m", "browser", "tests/unit/services/honeyhive/page/test_in_browser.py", *session.posargs)


@nox.session(default=False, venv_backend="none")
def matrix(session: nox.Session) -> None:
    """Run many cells: -- [--set NAME] [-j N] [--sdk WHAT] [--here] [-- pytest's arguments]."""
    hand_over(session, "environments.run.many", *session.posargs)


@nox.session(default=False, venv_backend="none")
def plan(session: nox.Session) -> None:
    """Print the plan and write plan.json: -- [--set NAME]."""
    hand_over(session, "environments.plan", *session.posargs)


@nox.session(default=False, venv_backend="none")
def serve(session: nox.Session) -> None:
    """Serve the embedded services: -- [--port P] [--api-key K] [--project NAME] [--data-dir D] [--llm-port P]."""
    hand_over(session, "environments.services.honeyhive", *session.posargs)


@nox.session(default=False, venv_backend="none")
def bench(session: nox.Session) -> None:
    """Measure the embedded service, in ratios: -- [--long] [--spans N] [--only WHAT]."""
    hand_over(session, "environments.bench", *session.posargs)


@nox.session(default=False, venv_backend="none")
def coverage(session: nox.Session) -> None:
    """Print which modules of the newest SDK no test reaches: -- [-j N] [-- pytest's arguments]."""
    hand_over(session, "environments.run.coverage", *session.posargs)


@nox.session(default=False, venv_backend="none")
def compatibility(session: nox.Session) -> None:
    """Write README's compatibility table, and print it with what the newest records say."""
    hand_over(session, "environments.run.compatibility", *session.posargs)


@nox.session(default=False, venv_backend="none")
def cleanup(session: nox.Session) -> None:
    """Sweep what killed runs left in an environment: -- ENVIRONMENT [--older-than AGE] [--dry-run]."""
    hand_over(session, "environments.cleanup", *session.posargs)


@nox.session(default=False, venv_backend="none")
def detection(session: nox.Session) -> None:
    """Put defects into the SDK, and see which tests catch them: -- [ID…] [--list] [--sdk WHAT] [-j N]."""
    hand_over(session, "environments.detection", *session.posargs)


@nox.session(default=False, venv_backend="none")
def releases(session: nox.Session) -> None:
    """Refresh the list of the SDK's releases from the package index, and show what changed."""
    hand_over(session, "environments.releases", *session.posargs)


@nox.session(default=False, venv_backend="none")
def lock(session: nox.Session) -> None:
    """Resolve what the orchestrator, the tools and the cells install, and show what changed."""
    hand_over(session, "environments.venvs.lock", *session.posargs)


def register(cell: Cell) -> None:
    """Make a session of a cell. nox is its menu, not its installer."""

    def run_cell(session: nox.Session) -> None:
        # The supervisor is a session of its own, which no Ctrl-C of the terminal reaches: it is told by nox, soon.
        hand_over(session, "environments.cell.supervisor", cell.name, "--", *session.posargs, end_within_s=0.1)

    run_cell.__doc__ = f"{cell.title}."
    nox.session(name=cell.name, default=False, venv_backend="none", tags=list(cell.tags), allow_parallel=True)(run_cell)


try:
    for declared in project.load_matrix().plan().cells:
        register(declared)
except MatrixError as error:
    raise SystemExit(f"error: {error}") from None

if __name__ == "__main__":
    nox.main()
