"""The no-mocks guard: a test module that imports a mocking library, or patches, fails its collection.

It reads the source: an import that only happens inside a function counts too. `monkeypatch.setenv`, `delenv`, `chdir`
and `syspath_prepend` are fine: they change the process's surroundings, not the code under test.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import NoReturn

import pytest

BANNED = frozenset(
    {
        "unittest.mock", "mock", "pytest_mock", "responses", "respx", "requests_mock", "httpretty", "pytest_httpx",
        "aioresponses", "vcr", "flexmock", "mockito", "doublex", "fakeredis", "freezegun", "time_machine", "pook",
    }
)  # fmt: skip
_PATCHING_ATTRIBUTES = frozenset({"setattr", "setitem", "delattr", "delitem", "context"})
# Whatever the MonkeyPatch is called.
_PATCHING_ANYWHERE = frozenset({"setattr", "delattr"})


def violations(source: str) -> list[str]:
    """Return what in this source mocks or patches, a line each."""
    finder = _Finder()
    finder.visit(ast.parse(source))
    return finder.found


class _Finder(ast.NodeVisitor):
    def __init__(self) -> None:
        self.found: list[str] = []
        # The names of what was imported: modules, classes, functions.
        self.imported: set[str] = set()

    def _ban(self, node: ast.AST, name: str) -> None:
        if any(name == banned or name.startswith(f"{banned}.") for banned in BANNED):
            self._add(node, f"imports {name}")

    def _add(self, node: ast.AST, what: str) -> None:
        self.found.append(f"line {getattr(node, 'lineno', '?')}: {what}")

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._ban(node, alias.name)
            self.imported.add(alias.asname or alias.name.partition(".")[0])

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        self.imported |= {alias.asname or alias.name for alias in node.names}
        if node.level:  # a neighbour of this file
            return
        self._ban(node, module)
        if module not in BANNED:
            for alias in node.names:
                self._ban(node, f"{module}.{alias.name}")

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        first = node.args[0] if node.args else None
        if called in {"import_module", "__import__", "importorskip"} and isinstance(first, ast.Constant):
            self._ban(node, str(first.value))
        if called in {"setattr", "delattr"} and isinstance(node.func, ast.Name) and first is not None:
            self._refuse_imported(node, first)
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        name = _dotted(node)
        owner = name.split(".")[-2]
        known = owner in {"monkeypatch", "MonkeyPatch"} and node.attr in _PATCHING_ATTRIBUTES
        if known or node.attr in _PATCHING_ANYWHERE:
            self._add(node, f"{owner}.{node.attr} patches code (setenv and delenv are fine)")
        if name in BANNED:
            self._ban(node, name)
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            if isinstance(target, ast.Attribute):
                self._refuse_imported(node, target)
        self.generic_visit(node)

    def _refuse_imported(self, node: ast.AST, changed: ast.expr) -> None:
        root = _dotted(changed).partition(".")[0]
        if root in self.imported:
            self._add(node, f"patches {root}, which is imported")

    def visit_arg(self, node: ast.arg) -> None:
        if node.arg in {"mocker", "class_mocker", "module_mocker", "session_mocker", "requests_mock", "httpx_mock"}:
            self._add(node, f"asks for the fixture {node.arg}")


def _dotted(node: ast.expr) -> str:
    """Return `a.b.c` as it is written; whatever is no name in it counts as an empty one."""
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _refusal(path: Path) -> str:
    found = violations(path.read_text(encoding="utf-8"))
    if not found:
        return ""
    return (
        f"{path.name} mocks: {'; '.join(found)}.\n"
        "Nothing is mocked in integration tests: make the failure with a real socket."
    )


class _Refused(pytest.Module):
    """A test module that is not imported: its collection fails with the reason, and that of no other module."""

    reason = ""

    def collect(self) -> NoReturn:
        raise self.CollectError(self.reason)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Read a test module before it is imported."""
    try:
        reason = _refusal(module_path)
    except (ValueError, SyntaxError):
        return None  # no Python: its import says so better
    if not reason:
        return None
    refused = _Refused.from_parent(parent, path=module_path)
    refused.reason = reason
    return refused


def pytest_plugin_registered(plugin: object) -> None:
    """Read a conftest once it is known."""
    file = getattr(plugin, "__file__", None) or ""
    if file.endswith("conftest.py") and (reason := _refusal(Path(file))):
        raise pytest.UsageError(reason)
