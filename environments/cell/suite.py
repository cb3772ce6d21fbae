"""pytest inside a cell's venv: its command line, its environment built from nothing, its output, its end."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from environments import project
from environments.inside import fence, lifeline, stacks, target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from environments.cell.log import Log

PLUGINS = (
    "placeholders",
    "fixtures",
    "ledger",
    "applicability",
    "measurements",
    "expected",
    "read_only",
    "isolation",
    "order",
    "groups",
    "no_mocks",
)
_DUMP_WITHIN_S = 1.0
_GROUP_GONE_WITHIN_S = 1.0
_SWEPT_WITHIN_S = 2.0
_LOOK_AGAIN_S = 0.02
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


@dataclass(frozen=True)
class Workspace:
    """A folder outside of any repository, in which one cell's processes live and leave what they tell."""

    folder: Path

    @property
    def path(self) -> Path:
        """What PYTHONPATH names: `environments.inside` and the tests, and nothing else of this project."""
        return self.folder / "path"

    @property
    def cwd(self) -> Path:
        return self.folder / "cwd"

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.jsonl"

    @property
    def breaches(self) -> Path:
        return self.folder / "breaches.jsonl"

    @property
    def stacks(self) -> Path:
        return self.folder / "stacks"

    @property
    def lifeline(self) -> Path:
        return self.folder / "lifeline"

    @property
    def target(self) -> Path:
        return self.folder / "target.json"

    @property
    def fence(self) -> Path:
        return self.folder / "fence.json"

    @property
    def service_data(self) -> Path:
        return self.folder / "service"

    @property
    def service_log(self) -> Path:
        return self.folder / "service.txt"

    @property
    def llm_log(self) -> Path:
        return self.folder / "llm.txt"

    def lines(self, file: Path) -> list[str]:
        """Return the lines of a file that processes of the cell may have written."""
        # A line may be cut in the middle of a character, and a text in it may hold what Python takes for a line's end.
        text = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
        return [line for line in text.split("\n") if line]


_COVERAGE = """\
# Beside the record; `-- --cov=honeyhive` measures, in the tests' child processes too.
[run]
data_file = {folder}/.coverage
parallel = true
patch = subprocess
disable_warnings = no-data-collected, module-not-measured, couldnt-parse, no-ctracer
[html]
directory = {folder}/coverage
[xml]
output = {folder}/coverage.xml
[json]
output = {folder}/coverage.json
"""


def write_coverage_settings(space: Workspace, folder: Path) -> None:
    """Have coverage, where it is asked for, leave what it finds in the folder of the record."""
    # An absolute path: the working folder goes with the cell.
    settings = _COVERAGE.format(folder=folder.absolute())
    (space.cwd / ".coveragerc").write_text(settings, encoding="utf-8")


@contextlib.contextmanager
def workspace(run_id: str) -> Iterator[Workspace]:
    """Make a workspace and hold its lifeline; afterwards whatever still follows it dies, and the folder goes."""
    # evaluate() sends what the git repository it stands in says of its author: so not inside this checkout.
    space = Workspace(Path(tempfile.mkdtemp(prefix=f"matrix-{run_id}-")))
    for folder in (space.path / "environments", space.cwd, space.stacks, space.service_data, space.folder / "tmp"):
        folder.mkdir(parents=True)
    inside = project.ROOT / "environments" / "inside"
    (space.path / "environments" / "inside").symlink_to(inside)
    (space.path / "sitecustomize.py").symlink_to(inside / "sitecustomize.py")
    (space.path / "tests").symlink_to(project.ROOT / "tests")
    held = lifeline.hold(space.lifeline)
    try:
        yield space
    finally:
        os.close(held)
        _sweep(space)
        shutil.rmtree(space.folder, ignore_errors=True)


def _sweep(space: Workspace) -> None:
    """Kill what still belongs to this workspace: a child that is only just starting follows no lifeline yet.

    Before the folder goes: without it, such a child would start without its fence.
    """
    deadline = time.monotonic() + _SWEPT_WITHIN_S
    while time.monotonic() < deadline and (left := _left(space)):
        for one in left:
            with contextlib.suppress(psutil.Error):
                one.kill()
        psutil.wait_procs(left, timeout=_LOOK_AGAIN_S)


def adopt_orphans() -> None:
    """Become the parent of what the cell's processes leave behind, however they hid it (on Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _left(space: Workspace) -> list[psutil.Process]:
    # Whatever is a child of this process now, after everything was stopped, was left behind and came here.
    orphans = psutil.Process().children(recursive=True)
    return [one for one in {*orphans, *psutil.process_iter()} if one in orphans or _belongs(one, space)]


def _belongs(process: psutil.Process, space: Workspace) -> bool:
    try:
        return process.environ().get(lifeline.VARIABLE) == str(space.lifeline)
    except psutil.Error:  # another user's, or gone
        return False


def environment(space: Workspace, python: Path, keys: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a cell's processes. From nothing: the SDK also reads names such as API_KEY."""
    return {
        "PATH": f"{python.parent}:{os.defpath}",
        "HOME": str(space.folder),
        "TMPDIR": str(space.folder / "tmp"),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(space.path),
        "PYTHONUNBUFFERED": "1",
        "GIT_CEILING_DIRECTORIES": str(space.folder.parent),
        "GIT_CONFIG_NOSYSTEM": "1",
        "COLUMNS": str(shutil.get_terminal_size().columns),
        **({"PY_COLORS": "1"} if sys.stdout.isatty() else {}),
        fence.VARIABLE: str(space.fence),
        target.VARIABLE: str(space.target),
        lifeline.VARIABLE: str(space.lifeline),
        stacks.VARIABLE: str(space.stacks),
        **keys,
    }


def command(python: Path, workers: int, test_limit_s: int, arguments: Sequence[str]) -> list[str]:
    """Return pytest's command line: the whole suite, or the tests that `arguments` name."""
    plugins = [word for name in PLUGINS for word in ("-p", f"environments.inside.{name}")]
    # One worker more than none costs an import of the SDK and gains nothing: 1 means no workers, in this process.
    # There pytest would name each file by its way from a folder that nobody knows: a dot for each test is enough.
    # A worker that crashed is not replaced: xdist would run the test that killed it again, and that one as well.
    xdist = ["-n", str(workers), "--dist", "loadgroup", "--max-worker-restart=0"]
    parallel = xdist if workers > 1 else ["-p", "no:xdist", "-q"]
    located = [_located(argument) for argument in arguments]
    paths = [path for path, _ in located if path is not None]
    # A test's id is its path from here: for tests from elsewhere, from the folder that holds them all.
    inside = all(path.is_relative_to(project.SUITE) for path in paths)
    root = project.SUITE if inside else Path(os.path.commonpath([path.parent for path in paths]))
    ini = ["-c", str(project.SUITE / "pytest.toml"), "--rootdir", str(root), f"--timeout={test_limit_s}"]
    words = [word for _, word in located] + ([] if paths else [str(project.SUITE)])
    return [str(python), "-m", "pytest", *ini, *plugins, *parallel, *words]


def _located(argument: str) -> tuple[Path | None, str]:
    """Make a path absolute, with the test it names: pytest runs in another folder than the one it was typed in."""
    path, colons, test = argument.partition("::")
    for base in (Path.cwd(), project.SUITE):
        if path and not path.startswith("-") and (base / path).exists():
            found = (base / path).resolve()
            return found, f"{found}{colons}{test}"
    return None, argument


async def run(
    command_line: Sequence[str],
    space: Workspace,
    environ: Mapping[str, str],
    log: Log,
    started: Callable[[int], None],
) -> int:
    """Run pytest to its end, its output to the log, and return its status; cancelled, it is killed.

    `started` is told the id of its process group. Whatever happens, no process of that group is left.
    """
    # A pipe of our own: asyncio's wait() would wait for its pipes too, and so for whoever inherited them.
    reader, writer = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *command_line,
        cwd=space.cwd,
        env=dict(environ),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=writer,
        stderr=writer,
        start_new_session=True,
    )
    os.close(writer)
    reading = asyncio.create_task(_read(reader, log))
    started(process.pid)
    try:
        status = await process.wait()
        await _gone(process.pid)
        return status
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        # A child that left the group may still hold the other end: it dies with the lifeline, a moment later.
        await asyncio.wait({reading}, timeout=_GROUP_GONE_WITHIN_S)
        reading.cancel()


async def dump_stacks(space: Workspace, group: int) -> str:
    """Ask every Python process of a running suite for the stacks of its threads, and return them."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, stacks.SIGNAL)
    deadline = asyncio.get_running_loop().time() + _DUMP_WITHIN_S
    before, now = -1, 0
    # Complete when nothing has been added for one look.
    while (now == 0 or now != before) and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(_LOOK_AGAIN_S * 5)
        before, now = now, sum(file.stat().st_size for file in space.stacks.iterdir())
    dumped = [(file.stem, file.read_text(encoding="utf-8")) for file in sorted(space.stacks.iterdir())]
    return "\n".join(f"--- process {pid} ---\n{text}" for pid, text in dumped if text)


async def _read(descriptor: int, log: Log) -> None:
    stream = asyncio.StreamReader()
    with os.fdopen(descriptor, "rb") as pipe:
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), pipe)
        while chunk := await stream.read(65536):
            log.output(chunk)


async def _gone(group: int) -> None:
    """Give what the tests left running a moment to end by itself."""
    deadline = asyncio.get_running_loop().time() + _GROUP_GONE_WITHIN_S
    while asyncio.get_running_loop().time() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        await asyncio.sleep(_LOOK_AGAIN_S)
