from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from environments import project
from environments.inside import no_mocks
from environments.inside.no_mocks import violations

if TYPE_CHECKING:
    from tests.unit.inside.running import Inside

IMPORTS = [
    *(f"import {name}" for name in sorted(no_mocks.BANNED)),
    *(f"from {name} import something" for name in sorted(no_mocks.BANNED)),
    "import unittest.mock as m",
    "from unittest import mock",
    "from unittest import TestCase, mock as m",
    "import mock.mock",
    "import os, responses",
    "def test():\n    from unittest.mock import patch",
    "if False:\n    import vcr",
    "try:\n    import respx\nexcept ImportError:\n    pass",
    "import importlib\nimportlib.import_module('unittest.mock')",
    "__import__('mock')",
    "pytest.importorskip('responses')",
    "import unittest\nunittest.mock.patch('x')",
]
PATCHES = [
    "def test(monkeypatch): monkeypatch.setattr('os.getcwd', None)",
    "def test(monkeypatch): monkeypatch.delattr('os.getcwd')",
    "def test(monkeypatch): monkeypatch.setitem(d, 'a', 1)",
    "def test(monkeypatch): monkeypatch.delitem(d, 'a')",
    "def test(monkeypatch):\n    with monkeypatch.context() as m: pass",
    "def test(monkeypatch):\n    change = monkeypatch.setattr",
    "def test():\n    with pytest.MonkeyPatch.context() as m: pass",
    "def test():\n    with MonkeyPatch.context() as m: pass",
    "def test():\n    mp = pytest.MonkeyPatch()\n    mp.setattr('os.getcwd', None)",
    "def test(mp): mp.delattr('os.getcwd')",
    "def test(mocker): pass",
    "def test(requests_mock): pass",
    "def test(httpx_mock): pass",
    "import os\ndef test(): os.getcwd = None",
    "import os\nos.path.join = None",
    "import os as o\no.getcwd = None",
    "import os.path\nos.path.join = None",
    "import os\nsetattr(os, 'getcwd', None)",
    "import os\nsetattr(os.path, 'join', None)",
    "from honeyhive import HoneyHive\nHoneyHive.start = None",
    "from honeyhive import HoneyHive as H\nsetattr(H, 'start', None)",
]
FINE = [
    "import unittest",
    "import responses_of_ours",
    "from tests.support import responses",
    "from .responses import Ours",
    "def test(monkeypatch): monkeypatch.setenv('A', 'b'); monkeypatch.delenv('A')",
    "def test(monkeypatch, tmp_path): monkeypatch.chdir(tmp_path); monkeypatch.syspath_prepend(tmp_path)",
    "def test(tracer): tracer.name = 'x'",
    "def test(tracer): setattr(tracer, 'name', 'x')",
    "class A:\n    def __init__(self): self.mock = 1",
    "import os\nos.environ['A'] = 'b'",
    "import os\npath = os.path",
    "mock = 1",
    "'import mock'",
    "def test(response): response.context()",
]


@pytest.mark.parametrize("source", IMPORTS)
def test_a_mocking_library_is_found_wherever_it_is_imported(source: str) -> None:
    assert any("imports" in found for found in violations(source))


@pytest.mark.parametrize("source", PATCHES)
def test_a_patch_is_found(source: str) -> None:
    assert violations(source)


@pytest.mark.parametrize("source", FINE)
def test_whatever_else_is_fine(source: str) -> None:
    assert violations(source) == []


def test_a_finding_names_its_line() -> None:
    assert violations("import os\nimport mock\n") == ["line 2: imports mock"]


@pytest.mark.parametrize("folder", ["tests/integration", "tests/support"])
def test_no_integration_test_mocks(folder: str) -> None:
    found = {path.name: violations(path.read_text(encoding="utf-8")) for path in (project.ROOT / folder).rglob("*.py")}

    assert {name: told for name, told in found.items() if told} == {}


def test_any_python_can_be_read() -> None:
    for path in [*project.ROOT.glob("environments/**/*.py"), *Path(asyncio.__file__).parent.glob("*.py")]:
        violations(path.read_text(encoding="utf-8"))


# ---- As a plugin ---------------------------------------------------------------------------------------

TELLS = "Nothing is mocked in integration tests: make the failure with a real socket."


def test_a_module_that_mocks_fails_its_collection_and_is_never_imported(inside: Inside) -> None:
    inside.aim()

    ended = inside.pytest("import mock, pathlib\npathlib.Path('imported').touch()\ndef test_one(): pass")

    assert ended.status == 2, ended
    assert "test_it.py mocks: line 1: imports mock." in ended.out
    assert TELLS in ended.out
    assert not (inside.folder / "imported").exists()
    (told,) = inside.entries("phase")
    assert (told["test"], told["outcome"]) == ("test_it.py", "error")


def test_a_conftest_that_mocks_stops_everything(inside: Inside) -> None:
    inside.aim()

    ended = inside.pytest("def test_one(): pass", conftest="from unittest import mock")

    assert ended.status == 4, ended
    assert "conftest.py mocks: line 1: imports unittest.mock" in ended.text
    assert inside.entries("phase") == []


@pytest.mark.parametrize("source", ["def test_one(:", "x = '\0'"], ids=["syntax", "null"])
def test_a_module_that_is_no_python_is_an_error_of_its_collection(inside: Inside, source: str) -> None:
    inside.aim()

    ended = inside.pytest(source)

    assert ended.status == 2, ended
    (told,) = inside.entries("phase")
    assert (told["test"], told["outcome"]) == ("test_it.py", "error")
    assert "INTERNALERROR" not in ended.text
