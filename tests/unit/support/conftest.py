from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from environments.inside import target

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make this process one of a cell whose server has 0.1 s to show things, and return the cell's ledger."""
    path = tmp_path / "ledger.jsonl"
    aim = target.Target(
        cell="integration-3.12-development",
        environment="development",
        resolution="highest",
        base_url="http://127.0.0.1:1",
        project=target.Project("p", "KEY"),
        other_project=None,
        writable=True,
        capabilities=("delete",),
        timeout_s=0.1,
        run_name="run",
        ledger=str(path),
    )
    aim.write(tmp_path / "target.json")
    monkeypatch.setenv(target.VARIABLE, str(tmp_path / "target.json"))
    return path
