"""What a mutation is, and what it does to a source file of the SDK. Pure.

mutations.toml describes them. The SDK's code is not kept there: a mutation names a symbol and the few tokens to change
in it, or gives the symbol another body. What no longer matches is an error, so that no mutation silently does nothing.
"""

from __future__ import annotations

import ast
import difflib
import re
import textwrap
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from environments.errors import MutationError, UsageError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_REQUIRED = ("id", "sees", "file", "symbol")
_OPTIONAL = ("replace", "by", "body", "sdk", "try_first")
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign


@dataclass(frozen=True)
class Mutation:
    """A defect to put into the SDK: in `symbol` of `file`, `replace` becomes `by`, or the body becomes `body`.

    `sees` is what a user of such an SDK would see; `try_first` names the tests that are likely to see it too.
    """

    id: str
    sees: str
    file: str
    symbol: str
    replace: str = ""
    by: str = ""
    body: str = ""
    sdk: str = ""
    try_first: tuple[str, ...] = ()

    def applies_to(self, version: str) -> bool:
        """Return whether this release of the SDK has the code that the mutation changes."""
        return SpecifierSet(self.sdk).contains(version, prereleases=True)


def parse(text: str) -> tuple[Mutation, ...]:
    """Read mutations.toml. Raises MutationError."""
    try:
        entries = tomllib.loads(text)["mutation"]
    except (ValueError, KeyError) as error:
        raise _wrong(f"mutations.toml has no list of [[mutation]] tables: {error}") from None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _wrong("mutations.toml has no list of [[mutation]] tables")
    mutations = tuple(_mutation(entry) for entry in entries)
    seen: set[str] = set()
    for mutation in mutations:
        if mutation.id in seen:
            raise _wrong(f"two mutations have the id {mutation.id!r}")
        seen.add(mutation.id)
    return mutations


def chosen(mutations: Iterable[Mutation], ids: Iterable[str]) -> tuple[Mutation, ...]:
    """Return the mutations with these ids, or all where none is named. Raises UsageError."""
    by_id = {mutation.id: mutation for mutation in mutations}
    for name in ids:
        if name not in by_id:
            raise UsageError(
                f"there is no mutation {name!r}{nearest(name, by_id)}",
                remedy="`nox -s detection -- --list` shows them",
            )
    return tuple(by_id[name] for name in dict.fromkeys(ids)) or tuple(by_id.values())


def mutate(mutation: Mutation, source: str) -> str:
    """Return the source with the defect in it. Raises MutationError where symbol or text are not there."""
    begin, end = _span(_found(mutation, source))
    lines = source.splitlines(keepends=True)
    symbol = "".join(lines[begin:end])
    changed = _with_body(mutation, source) if mutation.body else _replaced(mutation, symbol)
    mutated = "".join((*lines[:begin], changed, *lines[end:]))
    try:
        compile(mutated, mutation.file, "exec")
    except SyntaxError as error:
        raise _wrong(f"{mutation.id}: {mutation.file} would be no Python any more: {error}") from None
    if ast.dump(ast.parse(mutated)) == ast.dump(ast.parse(source)):
        raise _wrong(f"{mutation.id}: it changes nothing in {mutation.symbol} of {mutation.file}")
    return mutated


def _mutation(entry: dict[str, Any]) -> Mutation:
    name = entry.get("id", "a mutation without id")
    for key, value in entry.items():
        if key not in (*_REQUIRED, *_OPTIONAL):
            raise _wrong(f"{name}: unknown key {key!r}{nearest(key, (*_REQUIRED, *_OPTIONAL))}")
        kind: type = list if key == "try_first" else str
        if not isinstance(value, kind):
            raise _wrong(f"{name}: {key} is {value!r}", f"a {kind.__name__}")
    if not re.fullmatch(r"[a-z0-9-]*", entry.get("id", "")):  # it names a folder
        raise _wrong(f"the id {name!r} is none", "small letters, digits and dashes")
    missing = [key for key in _REQUIRED if not entry.get(key)]
    if missing:
        raise _wrong(f"{name}: {', '.join(missing)} missing")
    if bool(entry.get("body")) == bool(entry.get("replace")) or ("by" in entry) != ("replace" in entry):
        raise _wrong(f"{name}: what is to be changed is not said", "either body, or replace and by")
    try:
        SpecifierSet(entry.get("sdk", ""))
    except InvalidSpecifier:
        raise _wrong(f"{name}: sdk is {entry['sdk']!r}", "a version specifier, such as >=1.3") from None
    return Mutation(**{**entry, "try_first": tuple(entry.get("try_first", ()))})


def _found(mutation: Mutation, source: str) -> _Definition:
    try:
        known = dict(_definitions(ast.parse(source), ""))
    except SyntaxError as error:
        raise _wrong(f"{mutation.id}: {mutation.file} is no Python: {error}") from None
    if mutation.symbol not in known:
        raise _wrong(
            f"{mutation.id}: {mutation.file} has no {mutation.symbol!r}{nearest(mutation.symbol, known)}",
            "a function, class or name of that module",
        )
    # Of several definitions the last one: it is the one that holds at run time.
    return known[mutation.symbol]


def _definitions(scope: ast.AST, prefix: str) -> Iterator[tuple[str, _Definition]]:
    for node in ast.iter_child_nodes(scope):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield prefix + node.name, node
            yield from _definitions(node, f"{prefix}{node.name}.")
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from ((prefix + target.id, node) for target in targets if isinstance(target, ast.Name))
        else:  # what stands in an `if` or a `try` belongs to the scope around it
            yield from _definitions(node, prefix)


def _span(node: ast.stmt) -> tuple[int, int]:
    assert node.end_lineno is not None  # ast.parse sets it
    return node.lineno - 1, node.end_lineno


def _replaced(mutation: Mutation, symbol: str) -> str:
    times = symbol.count(mutation.replace)
    if times == 0:
        lines = [line.strip() for line in symbol.splitlines()]
        close = difflib.get_close_matches(mutation.replace.strip(), lines, n=1, cutoff=0.3)
        near = f"; the nearest is {close[0]!r}" if close else ""
        raise _wrong(f"{mutation.id}: {mutation.symbol} in {mutation.file} has no {mutation.replace!r}{near}")
    if times > 1:
        raise _wrong(
            f"{mutation.id}: {mutation.symbol} in {mutation.file} has {mutation.replace!r} {times} times",
            "a text that stands there once",
        )
    return symbol.replace(mutation.replace, mutation.by)


def _with_body(mutation: Mutation, source: str) -> str:
    node = _found(mutation, source)
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        raise _wrong(
            f"{mutation.id}: {mutation.symbol} in {mutation.file} is no function", "a function, to have a body"
        )
    lines = source.splitlines(keepends=True)
    first = node.body[0]
    head = lines[node.lineno - 1 : first.lineno - 1]
    if not head:
        raise _wrong(f"{mutation.id}: {mutation.symbol} in {mutation.file} is one line", "a body on lines of its own")
    indent = re.match(r"\s*", lines[first.lineno - 1])
    assert indent is not None  # it matches nothing too
    return "".join(head) + textwrap.indent(textwrap.dedent(mutation.body).strip() + "\n", indent[0])


def _wrong(happened: str, expected: str = "") -> MutationError:
    return MutationError(
        happened,
        expected=expected,
        remedy="look at that release's code and correct environments/detection/mutations.toml",
    )
