from __future__ import annotations

import ast
import contextlib
import re
import textwrap
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from environments import project
from environments.detection import mutation
from environments.detection.mutation import Mutation, mutate
from environments.errors import MutationError, UsageError

DATA = (project.ROOT / "environments" / "detection" / "mutations.toml").read_text(encoding="utf-8")
SOURCE = textwrap.dedent('''
    LIMIT = 5

    class Tracer:
        """Traces."""

        @property
        def name(self) -> str:
            """Its name."""
            return self._name

        def send(self, spans):
            for span in spans:
                self.post(span, retries=LIMIT)

            def again():
                return self.send(spans)

            return again

    try:
        import fast
    except ImportError:
        def encode(value): return str(value)
    else:
        def encode(value):
            return fast.encode(value)
''')


def change(**fields: Any) -> Mutation:  # noqa: ANN401 - the fields of a mutation
    """Return a mutation of the source above."""
    return Mutation(**{"id": "one", "sees": "it breaks", "file": "it.py", "symbol": "Tracer.send", **fields})


def entry(**fields: object) -> str:
    """Return a table of mutations.toml, with these fields changed; None leaves one out."""
    given: dict[str, object] = {"id": "one", "sees": "it", "file": "a.py", "symbol": "f", "body": "return", **fields}
    lines = [f"{name} = {value!r}" for name, value in given.items() if value is not None]
    return "\n".join(["[[mutation]]", *lines, ""])


# ---- What a mutation does ----------------------------------------------------------------------------


def test_a_text_is_replaced_inside_its_symbol_and_nowhere_else() -> None:
    mutated = mutate(change(replace="LIMIT", by="0"), SOURCE)

    assert mutated == SOURCE.replace("retries=LIMIT", "retries=0")


def test_a_function_gets_another_body_and_keeps_its_decorators_and_arguments() -> None:
    mutated = mutate(change(symbol="Tracer.name", body="if self:\n    return 'x'"), SOURCE)

    head, _, rest = mutated.partition("    @property\n    def name(self) -> str:\n")
    assert rest.startswith("        if self:\n            return 'x'\n\n    def send")
    assert SOURCE.startswith(head)


def test_a_function_inside_of_a_function_is_reached() -> None:
    mutated = mutate(change(symbol="Tracer.send.again", replace="self.send(spans)", by="None"), SOURCE)

    assert "            return None\n" in mutated


def test_a_name_of_the_module_is_reached() -> None:
    assert "LIMIT = 1\n" in mutate(change(symbol="LIMIT", replace="5", by="1"), SOURCE)


def test_of_two_definitions_the_one_that_holds_at_run_time_is_changed() -> None:
    mutated = mutate(change(symbol="encode", body="return None"), SOURCE)

    assert "fast.encode" not in mutated
    assert "return str(value)" in mutated


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"symbol": "Tracer.sent", "body": "return"}, "has no 'Tracer.sent' (did you mean 'Tracer.send'?)"),
        ({"replace": "self.post(spans)", "by": ""}, "the nearest is 'self.post(span, retries=LIMIT)'"),
        ({"replace": "span", "by": "it"}, "has 'span' "),
        ({"symbol": "Tracer", "body": "pass"}, "Tracer in it.py is no function"),
        ({"symbol": "LIMIT", "body": "pass"}, "LIMIT in it.py is no function"),
        ({"replace": "for span in spans:", "by": "for span in:"}, "it.py would be no Python any more"),
        ({"replace": "spans:", "by": "(spans):"}, "one: it changes nothing in Tracer.send of it.py"),
        ({"body": "return ("}, "it.py would be no Python any more"),
    ],
)
def test_what_does_not_match_the_source_is_an_error_that_names_the_nearest(fields: dict[str, str], told: str) -> None:
    with pytest.raises(MutationError, match=re.escape(told)):
        mutate(change(**fields), SOURCE)


def test_a_body_on_the_line_of_its_function_cannot_be_replaced() -> None:
    with pytest.raises(MutationError, match="is one line"):
        mutate(change(symbol="f", body="return 1"), "def f(): return 0\n")


def test_a_source_that_is_no_python_is_an_error() -> None:
    with pytest.raises(MutationError, match="is no Python"):
        mutate(change(body="return"), "def f(:\n")


@given(
    names=st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=5, unique=True),
    body=st.sampled_from(["return 1", "pass", "raise ValueError('no')", "if True:\n    return 2\nreturn 3"]),
    depth=st.integers(0, 3),
    data=st.data(),
)
def test_another_body_changes_that_function_alone(names: list[str], body: str, depth: int, data: st.DataObject) -> None:
    functions = "\n".join(f"def {name}(x):\n    '''é'''\n    y = x\n    return y\n" for name in names)
    source = functions
    for level in range(depth):
        source = f"class C{level}:\n" + textwrap.indent(source, "    ")
    name = data.draw(st.sampled_from(names))
    path = ".".join([*(f"C{level}" for level in reversed(range(depth))), name])

    mutated = mutate(change(symbol=path, body=body), source)

    def bodies(text: str) -> dict[str, str]:
        return {
            node.name: "\n".join(map(ast.unparse, node.body))
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.FunctionDef)
        }

    assert bodies(mutated) == bodies(source) | {
        name: ast.unparse(ast.parse(f"def f():\n{textwrap.indent(body, ' ')}").body[0])
        .partition("\n")[2]
        .replace("\n    ", "\n")
        .removeprefix("    ")
    }


# ---- What the file may say ---------------------------------------------------------------------------


def test_a_mutation_is_read_with_everything_it_says() -> None:
    text = entry(body=None, replace="x", by="", sdk=">=1.3", try_first=["test_a.py::test_b"])

    assert mutation.parse(text) == (
        Mutation("one", "it", "a.py", "f", replace="x", by="", sdk=">=1.3", try_first=("test_a.py::test_b",)),
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (entry(symbl="f"), "one: unknown key 'symbl' (did you mean 'symbol'?)"),
        (entry(file=None), "one: file missing"),
        (entry(sees=""), "one: sees missing"),
        (entry(id=None), "a mutation without id: id missing"),
        (entry(id="a/../b"), "the id 'a/../b' is none"),
        (entry(file=5), "one: file is 5"),
        (entry(try_first="test_a"), "one: try_first is 'test_a'"),
        (entry(replace="x", by="y"), "either body, or replace and by"),
        (entry(body=None), "either body, or replace and by"),
        (entry(body=None, replace="x"), "either body, or replace and by"),
        (entry(by="x"), "either body, or replace and by"),
        (entry(sdk="newest"), "one: sdk is 'newest'"),
        (entry() + entry(), "two mutations have the id 'one'"),
        ("", "has no list of [[mutation]] tables"),
        ("mutation = 5", "has no list of [[mutation]] tables"),
        ("mutation = [5]", "has no list of [[mutation]] tables"),
        ("[[mutation", "has no list of [[mutation]] tables"),
    ],
)
def test_a_wrong_file_is_an_error_that_says_where(text: str, told: str) -> None:
    with pytest.raises(MutationError, match=re.escape(told)):
        mutation.parse(text)


@given(st.text())
def test_whatever_the_file_holds_it_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(MutationError):
        assert mutation.parse(text)


def test_a_mutation_applies_to_the_releases_it_names() -> None:
    one = change(sdk=">=1.3,<1.6")

    assert [one.applies_to(version) for version in ("1.2.1", "1.3.0", "1.6.0rc1", "1.6.0")] == [
        False, True, False, False
    ]  # fmt: skip
    assert replace(one, sdk="").applies_to("2.0.0rc1")


def test_mutations_are_chosen_by_id_and_all_of_them_without_one() -> None:
    both = (change(), change(id="two"))

    assert mutation.chosen(both, []) == both
    assert mutation.chosen(both, ["two", "two"]) == both[1:]
    with pytest.raises(UsageError, match=re.escape("there is no mutation 'tow' (did you mean 'two'?)")):
        mutation.chosen(both, ["tow"])


# ---- The file itself ---------------------------------------------------------------------------------


def test_there_are_at_least_thirty_mutations_and_they_reach_every_part_of_the_sdk() -> None:
    mutations = [one for one in mutation.parse(DATA) if one.applies_to(project.load_matrix().newest.version)]

    assert len(mutations) >= 30
    assert {one.file.partition("/")[0] for one in mutations} == {"_generated", "api", "experiments", "tracer", "utils"}


def test_every_test_that_a_mutation_names_exists() -> None:
    named = {test for one in mutation.parse(DATA) for test in one.try_first}
    there = {
        f"{path.relative_to(project.SUITE)}::{name}"
        for path in project.SUITE.rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert named - there == set()


def test_every_mutation_applies_to_some_line() -> None:
    lines = [Version(line.version) for line in project.load_matrix().lines]

    assert [one.id for one in mutation.parse(DATA) if not any(SpecifierSet(one.sdk).filter(lines))] == []
