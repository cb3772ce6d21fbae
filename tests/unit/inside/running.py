"""A cell's processes without the cell: real children behind a real fence, and what they left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from environments import project
from environments.cell.suite import PLUGINS
from environments.inside import fence, lifeline, stacks, target
from tests.unit.trees import Ended

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

WITHIN_S = 60
INSIDE = project.ROOT / "environments" / "inside"


@dataclass
class Inside:
    """A folder that is laid out as a cell's workspace is; `variables` are those of its processes."""

    folder: Path
    pairs: frozenset[tuple[str, int]] = frozenset()
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for folder in (self.path / "environments", self.suite, self.stacks):
            folder.mkdir(parents=True)
        (self.path / "environments" / "inside").symlink_to(INSIDE)
        (self.path / "sitecustomize.py").symlink_to(INSIDE / "sitecustomize.py")
        fence.write(self.folder / "fence.json", self.pairs, self.folder / "breaches.jsonl")
        self.variables = {
            "PATH": os.defpath,
            "PYTHONPATH": str(self.path),
            fence.VARIABLE: str(self.folder / "fence.json"),
            stacks.VARIABLE: str(self.stacks),
            # A cell has few plugins; this venv has more, and loading them takes most of a small run.
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        }

    @property
    def path(self) -> Path:
        return self.folder / "path"

    @property
    def suite(self) -> Path:
        return self.folder / "suite"

    @property
    def stacks(self) -> Path:
        return self.folder / "stacks"

    @property
    def lifeline(self) -> Path:
        return self.folder / "lifeline"

    # ---- Processes ----

    def hold_lifeline(self) -> int:
        """Hold the lifeline of every process that is started from here on."""
        self.variables[lifeline.VARIABLE] = str(self.lifeline)
        return lifeline.hold(self.lifeline)

    def start(self, source: str, *arguments: object) -> subprocess.Popen[str]:
        """Start a Python child in a session of its own."""
        return subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(source), *map(str, arguments)],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *command: object, **more: str) -> Ended:
        """Run a child to its end."""
        words = [str(word) for word in command]
        done = subprocess.run(
            words,
            cwd=self.folder,
            env=self.variables | more,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )
        return Ended(words, done.returncode, done.stdout, done.stderr)

    def python(self, source: str, *arguments: object, **more: str) -> Ended:
        """Run Python code to its end."""
        return self.run(sys.executable, "-c", textwrap.dedent(source), *arguments, **more)

    # ---- pytest, with the plugins of a cell ----

    def aim(self, **changes: object) -> target.Target:
        """Write the target, with these fields changed."""
        fields: dict[str, Any] = {
            "cell": "integration-3.12-development",
            "environment": "development",
            "resolution": "highest",
            "base_url": "http://127.0.0.1:1",
            "project": target.Project("p", "KEY"),
            "other_project": None,
            "writable": True,
            "capabilities": ("delete",),
            "timeout_s": 1.0,
            "run_name": "hhm-made-up",
            "ledger": str(self.folder / "ledger.jsonl"),
        }
        aim = target.Target(**{**fields, **changes})
        aim.write(self.folder / "target.json")
        self.variables[target.VARIABLE] = str(self.folder / "target.json")
        return aim

    def install_sdk(self, version: str) -> None:
        """Put a honeyhive of this version on the path, which does nothing but be there."""
        metadata = self.path / f"honeyhive-{version}.dist-info" / "METADATA"
        metadata.parent.mkdir()
        metadata.write_text(f"Metadata-Version: 2.1\nName: honeyhive\nVersion: {version}\n")
        (self.path / "honeyhive").mkdir()
        (self.path / "honeyhive" / "__init__.py").write_text("")

    def pytest(self, source: str, *arguments: str, conftest: str = "", plugins: Sequence[str] = PLUGINS) -> Ended:
        """Run a test module as a cell would."""
        (self.suite / "test_it.py").write_text(textwrap.dedent(source), encoding="utf-8")
        if conftest:
            (self.suite / "conftest.py").write_text(textwrap.dedent(conftest), encoding="utf-8")
        named = [word for plugin in plugins for word in ("-p", f"environments.inside.{plugin}")]
        ini = ["-c", project.SUITE / "pytest.toml", "--rootdir", self.suite]
        return self.run(sys.executable, "-m", "pytest", *ini, *named, *arguments, self.suite)

    # ---- What they left behind ----

    def breaches(self) -> list[tuple[str, str]]:
        """Return the event and the words of every breach."""
        return [(entry["event"], entry["what"]) for entry in lines(self.folder / "breaches.jsonl")]

    def entries(self, kind: str) -> list[dict[str, Any]]:
        """Return the ledger's entries of a kind."""
        return [entry for entry in lines(self.folder / "ledger.jsonl") if entry["entry"] == kind]

    def phases(self) -> dict[str, Mapping[str, str]]:
        """Return the outcome of each phase of each test, by the test's name."""
        found: dict[str, dict[str, str]] = {}
        for entry in self.entries("phase"):
            found.setdefault(entry["test"].rpartition("::")[2], {})[entry["when"]] = entry["outcome"]
        return dict(found)


def lines(file: Path) -> list[dict[str, Any]]:
    """Return the entries of a file of JSON lines."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []
