"""The no-mocks guard: a test module that imports a mocking library, or patches, fails its collection.

It reads the source: an import that only happens inside a function counts too. `monkeypatch.setenv`, `delenv`, `chdir`
and `syspath_prepend` are fine: they change the process's surroundings, not the code under test.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

BANNED = frozenset(
    {
        "unittest.mock", "mock", "pytest_mock", "responses", "respx", "requests_mock", "httpretty", "pytest_httpx",
        "aioresponses", "vcr", "flexmock", "mockito", "doublex", "fakeredis", "freezegun", "time_machine", "pook",
    }
)  # fmt: skip
_PATCHING_ATTRIBUTES = frozenset({"setattr", "setitem", "delattr", "delitem", "context"})


def violations(source: str) -> list[str]:
    """Return what in this source mocks or patches, a line each."""
    finder = _Finder()
    finder.visit(ast.parse(source))
    return finder.found


class _Finder(ast.NodeVisitor):
    def __init__(self) -> None:
        self.found: list[str] = []
        self.modules: set[str] = set()

    def _ban(self, node: ast.AST, name: str) -> None:
        if any(name == banned or name.startswith(f"{banned}.") for banned in BANNED):
            self._add(node, f"imports {name}")

    def _add(self, node: ast.AST, what: str) -> None:
        self.found.append(f"line {getattr(node, 'lineno', '?')}: {what}")

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._ban(node, alias.name)
            self.modules.add(alias.asname or alias.name.partition(".")[0])

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            full = f"{node.module}.{alias.name}"
            self._ban(node, node.module or "")
            if node.module not in BANNED:
                self._ban(node, full)

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        first = node.args[0] if node.args else None
        if called in {"import_module", "__import__", "importorskip"} and isinstance(first, ast.Constant):
            self._ban(node, str(first.value))
        if called == "setattr" and isinstance(first, ast.Name) and first.id in self.modules:
            self._add(node, f"patches module {first.id}")
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        owner = node.value.id if isinstance(node.value, ast.Name) else ""
        if owner in {"monkeypatch", "MonkeyPatch"} and node.attr in _PATCHING_ATTRIBUTES:
            self._add(node, f"{owner}.{node.attr} patches code (setenv and delenv are fine)")
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            root: ast.expr = target
            while isinstance(root, ast.Attribute):
                root = root.value
            if root is not target and isinstance(root, ast.Name) and root.id in self.modules:
                self._add(node, f"patches module {root.id}")
        self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> None:
        if node.arg in {"mocker", "class_mocker", "module_mocker", "session_mocker", "requests_mock", "httpx_mock"}:
            self._add(node, f"asks for the fixture {node.arg}")


def _refuse(path: Path) -> None:
    found = violations(path.read_text(encoding="utf-8"))
    if found:
        raise pytest.UsageError(
            f"{path.name} mocks: {'; '.join(found)}.\n"
            "Nothing is mocked in integration tests: make the failure with a real socket."
        )


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> None:
    """Read a test module before it is imported."""
    del parent
    try:
        _refuse(module_path)
    except pytest.UsageError as refusal:
        raise pytest.Collector.CollectError(str(refusal)) from None


def pytest_plugin_registered(plugin: object) -> None:
    """Read a conftest once it is known."""
    file = getattr(plugin, "__file__", None) or ""
    if file.endswith("conftest.py"):
        from pathlib import Path

        _refuse(Path(file))
