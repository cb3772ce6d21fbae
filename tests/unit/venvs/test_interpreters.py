from __future__ import annotations

import platform
import sys
import time
from pathlib import Path

import pytest

from environments.errors import UNKNOWN, InterpreterMissing
from environments.venvs import interpreters

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


def test_a_python_of_this_machine_is_found_with_its_path_version_and_build() -> None:
    found = interpreters.find(HERE)

    assert found.python == HERE
    assert found.version.startswith(f"{HERE}.")
    assert Path(found.path).is_absolute()
    assert Path(found.path).exists()
    assert found.build.startswith(f"{platform.python_implementation()} {found.version} ")


def test_no_venv_s_python_is_found() -> None:
    found = interpreters.find(HERE)

    assert not (Path(found.path).parent.parent / "pyvenv.cfg").exists()


def test_where_one_stands_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = interpreters.find(HERE)
    (tmp_path / ".python-version").write_text("3.99\n")
    monkeypatch.chdir(tmp_path)

    assert interpreters.find(HERE) == here


def test_a_missing_python_is_told_soon_with_what_to_do() -> None:
    began = time.monotonic()

    with pytest.raises(InterpreterMissing) as missing:
        interpreters.find("3.99")

    # Asking for a download costs 10 s where none can succeed.
    assert time.monotonic() - began < 5
    assert missing.value.happened == "this machine has no Python 3.99"
    assert "uv python install 3.99" in missing.value.remedy
    assert missing.value.exit_code == UNKNOWN
