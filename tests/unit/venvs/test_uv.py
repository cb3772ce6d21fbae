from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from environments.venvs import uv

if TYPE_CHECKING:
    from pathlib import Path

CANARIES = (
    "HH_API_KEY", "HH_STAGING_API_KEY", "HH_PROD_API_KEY", "HH_PROD_INGESTION_API_KEY", "HH_INTEGRATION_API_KEY",
    "HH_PROJECT", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "API_KEY",
    "PYTHONPATH", "VIRTUAL_ENV", "MATRIX_RUN_ID",
)  # fmt: skip
KEPT = (
    "PATH",
    "HOME",
    "UV_CACHE_DIR",
    "UV_DEFAULT_INDEX",
    "XDG_CACHE_HOME",
    "SSL_CERT_FILE",
    "https_proxy",
    "NO_PROXY",
)


def test_an_installer_is_given_no_credential() -> None:
    given = uv.installer_environment(dict.fromkeys((*CANARIES, *KEPT), "canary"))

    assert not set(given) & set(CANARIES)
    assert {name: given[name] for name in KEPT} == dict.fromkeys(KEPT, "canary")


def test_a_child_of_uv_sees_no_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CANARIES:
        monkeypatch.setenv(name, "hh_canary_123456")
    (tmp_path / "show.py").write_text("import os; print(dict(os.environ))")

    answer = uv.run("run", "--no-project", "--quiet", "show.py", cwd=tmp_path)

    assert answer.returncode == 0, answer.stderr
    assert os.environ["PATH"] in answer.stdout or "PATH" in answer.stdout
    assert "canary" not in answer.stdout


def test_a_failure_is_returned_and_not_raised() -> None:
    answer = uv.run("no-such-command")

    assert answer.returncode != 0
    assert "no-such-command" in answer.stderr


@pytest.mark.parametrize("name", ["uv.toml", "pyproject.toml"])
def test_no_configuration_of_the_folder_changes_what_uv_does(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("this is [no toml")

    answer = uv.run("pip", "compile", "-", "--no-header", "--python-version", "3.11", cwd=tmp_path, stdin="")

    assert answer.returncode == 0, answer.stderr
