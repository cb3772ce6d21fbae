from __future__ import annotations

import base64
import csv
import hashlib
import io
import shutil
import zipfile
from typing import TYPE_CHECKING

import pytest

from environments import project
from environments.detection import wheel
from environments.detection.wheel import Contents
from environments.errors import InstallFailed, MutationError
from environments.matrix import Candidate
from environments.venvs import candidates, interpreters
from tests.unit.conftest import PYTHON
from tests.unit.declared import matrix

if TYPE_CHECKING:
    from pathlib import Path

INFO = "honeyhive-9.9.9.dist-info"
CONTENTS = Contents(
    "9.9.9",
    {
        "honeyhive/__init__.py": b"__version__ = '9.9.9'\n",
        "honeyhive/api/client.py": "LIMIT = 'é'\n".encode(),
        f"{INFO}/METADATA": b"Metadata-Version: 2.1\nName: honeyhive\nVersion: 9.9.9\n",
        f"{INFO}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    },
)


def held(path: Path) -> dict[str, bytes]:
    """Return the files of a wheel."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_record_of_a_wheel_is_true_of_every_file(tmp_path: Path) -> None:
    files = held(CONTENTS.changed("api/client.py", lambda source: source + "# changed\n").pack(tmp_path))

    rows = {name: (digest, size) for name, digest, size in csv.reader(io.StringIO(files[f"{INFO}/RECORD"].decode()))}
    assert rows.pop(f"{INFO}/RECORD") == ("", "")
    assert rows == {
        name: (
            "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("="),
            str(len(data)),
        )
        for name, data in files.items()
        if name != f"{INFO}/RECORD"
    }


def test_a_change_is_of_one_file_alone(tmp_path: Path) -> None:
    before, after = (
        held(CONTENTS.pack(tmp_path / "a")),
        held(CONTENTS.changed("api/client.py", lambda source: source.replace("é", "è")).pack(tmp_path / "b")),
    )

    assert after["honeyhive/api/client.py"].decode() == "LIMIT = 'è'\n"
    assert {name for name in before if before[name] != after[name]} == {"honeyhive/api/client.py", f"{INFO}/RECORD"}


def test_the_same_contents_make_the_same_wheel(tmp_path: Path) -> None:
    assert CONTENTS.pack(tmp_path / "a").read_bytes() == CONTENTS.pack(tmp_path / "b").read_bytes()


def test_a_module_that_is_not_there_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(
        MutationError, match=r"honeyhive 9.9.9 has no api/clients.py \(did you mean 'api/client.py'\?\)"
    ):
        CONTENTS.changed("api/clients.py", str.upper)


def test_what_the_installer_wrote_is_left_out(tmp_path: Path) -> None:
    for name, data in ({**CONTENTS.files,
        f"{INFO}/INSTALLER": b"uv", f"{INFO}/RECORD": b"", "honeyhive/__pycache__/a.pyc": b"", "bin/python": b"",
        "other/__init__.py": b"",
    }).items():  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)

    assert wheel.read(tmp_path, "9.9.9") == CONTENTS


def test_an_sdk_that_was_installed_is_packed_into_a_wheel_that_installs_to_the_same(tmp_path: Path) -> None:
    interpreter = interpreters.find(PYTHON)
    first = candidates.find(str(CONTENTS.pack(tmp_path)), matrix())
    assert isinstance(first, Candidate)
    try:
        assert wheel.installed(first, interpreter) == CONTENTS
    finally:
        shutil.rmtree(project.CANDIDATES / first.sha256)


def test_an_sdk_that_cannot_be_installed_is_told_in_the_installers_words(tmp_path: Path) -> None:
    missing = Candidate("gone", f"honeyhive @ {(tmp_path / CONTENTS.name).as_uri()}", "ab", "", "9.9.9")

    with pytest.raises(InstallFailed, match=r"honeyhive 9\.9\.9 could not be installed"):
        wheel.installed(missing, interpreters.find(PYTHON))
