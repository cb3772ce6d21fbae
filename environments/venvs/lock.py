"""The locks: what the orchestrator, the tools and every line's cells install. `nox -s lock` writes them.

    noxfile.py        the PEP 723 block: the orchestrator's dependencies with everything they pull in, pinned
    locks/tools.txt   what `nox -s tests` installs, by hash
    locks/browser.txt what `nox -s browser` installs, by hash
    locks/highest.txt what a cell installs beside the SDK under test, by hash

All SDK lines share one file where they resolve alike. A line that does not gets `highest-sdk<line>.txt`.
Third-party releases younger than the cool-down are not resolved; honeyhive is exempt.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from environments import project
from environments.errors import InstallFailed, exit_on_error
from environments.venvs import uv

if TYPE_CHECKING:
    from pathlib import Path

    from environments.matrix import Matrix

NOXFILE = project.ROOT / "noxfile.py"
TOOLS = project.LOCKS / "tools.txt"
BROWSER = project.LOCKS / "browser.txt"
# What a dependency group of pyproject.toml resolves to, beside the orchestrator's own dependencies.
_GROUPS = {"tools": TOOLS, "browser": BROWSER}
HIGHEST = project.LOCKS / "highest.txt"
_AS_OF = re.compile(r'^# as of ([^;\s]+)|^# exclude-newer = "(\S+)"', re.MULTILINE)
_BLOCK = re.compile(r"^# /// script\n.*?^# ///\n", re.MULTILINE | re.DOTALL)
_SDK_PIN = re.compile(r"^honeyhive==.*?(?=^\S|\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Locks:
    """The text of every file that a lock writes, by path."""

    files: tuple[tuple[Path, str], ...]


def cell_lock(line: str) -> Path:
    """Return the file that the cells of an SDK line install from."""
    own = project.LOCKS / f"highest-sdk{line}.txt"
    return own if own.exists() else HIGHEST


def as_of(text: str) -> str:
    """Return the day that a lock file, or the noxfile, was resolved for."""
    found = _AS_OF.search(text)
    return (found.group(1) or found.group(2)) if found else ""


def resolve(matrix: Matrix, day: str) -> Locks:
    """Resolve everything as it stood at the end of `day` (ISO 8601). Raises InstallFailed with uv's words."""
    noxfile = NOXFILE.read_text(encoding="utf-8")
    pins = _compile(day, [], hashes=False)
    files = [(NOXFILE, _BLOCK.sub(lambda _: script_block(pins, day), noxfile, count=1))]
    for group, path in _GROUPS.items():
        closure = _compile(day, ["--group", f"pyproject.toml:{group}"], hashes=True)
        files.append((path, _headed(closure, day)))
    by_line = {line.name: _cell_closure(line.version, day) for line in matrix.lines}
    shared = by_line[matrix.newest.name]
    files.append((HIGHEST, _headed(shared, day)))
    for line, closure in by_line.items():
        if closure != shared:
            files.append((project.LOCKS / f"highest-sdk{line}.txt", _headed(closure, day)))
    return Locks(tuple(files))


def script_block(pins: str, day: str) -> str:
    """Return the PEP 723 block of the noxfile for these pins, one a line."""
    # The bare pin of nox becomes the extra that brings uv: installs and machine-readable output rely on it.
    requirements = [re.sub(r"^nox==", "nox[uv]==", pin) for pin in pins.splitlines()]
    listed = "".join(f'#   "{requirement}",\n' for requirement in requirements)
    return (
        '# /// script\n# requires-python = ">=3.11"\n'
        f"# dependencies = [\n{listed}# ]\n"
        f'#\n# [tool.uv]\n# exclude-newer = "{day}"\n# ///\n'
    )


def _compile(day: str, extra: list[str], *, hashes: bool, stdin: str | None = None) -> str:
    source = "-" if stdin is not None else "pyproject.toml"
    answer = uv.run(
        *("pip", "compile", source, *extra, "--universal", "--python-version", "3.11", "--no-header", "--no-annotate"),
        *("--exclude-newer", day, "--exclude-newer-package", "honeyhive=2100-01-01T00:00:00Z", "--quiet"),
        *(["--generate-hashes"] if hashes else []),
        cwd=project.ROOT,
        stdin=stdin,
    )
    if answer.returncode != 0:
        raise InstallFailed(
            f"uv could not resolve {source} {' '.join(extra)}:\n{answer.stderr.strip()}",
            remedy="check the network, or relax the requirement in pyproject.toml",
        )
    return answer.stdout


def _cell_closure(version: str, day: str) -> str:
    """Return what a cell with this SDK installs beside it."""
    requirement = f"honeyhive=={version}\n"
    group = project.load_pyproject()["dependency-groups"]["cell"]
    return _SDK_PIN.sub("", _compile(day, [], hashes=True, stdin=requirement + "\n".join(group)))


def _headed(text: str, day: str) -> str:
    return f"# as of {day}; written by `nox -s lock`\n{text}"


def cooled_down(now: dt.datetime, days: int) -> str:
    """Return the newest moment whose releases have cooled down: midnight UTC, `days` full days before `now`."""
    midnight = now.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight - dt.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


@exit_on_error
def main() -> int:
    """Resolve, write what changed and show it."""
    matrix = project.load_matrix()
    day = cooled_down(dt.datetime.now(dt.UTC), matrix.limits.cool_down_days)
    print(f"resolving as of {day} …", flush=True)
    locks = resolve(matrix, day)
    kept = {path for path, _ in locks.files}
    for stale in set(project.LOCKS.glob("highest-sdk*.txt")) - kept:
        stale.unlink()
        print(f"removed {stale.relative_to(project.ROOT)}: that line resolves like the others again")
    for path, text in locks.files:
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        if text == old:
            continue
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(project.ROOT)}")
        changes = difflib.unified_diff(old.splitlines(), text.splitlines(), lineterm="", n=0)
        pins = [line.removesuffix(" \\") for line in changes if re.match(r'[+-](#\s+")?\w.*==', line)]
        print("\n".join(f"  {pin}" for pin in pins))
    return 0


if __name__ == "__main__":
    sys.exit(main())
