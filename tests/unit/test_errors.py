from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import environments
from environments import errors
from environments.errors import MatrixError, exit_on_error, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator


def _subclasses(base: type[MatrixError] = MatrixError) -> Iterator[type[MatrixError]]:
    for subclass in base.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


@pytest.mark.parametrize("error", list(_subclasses()), ids=lambda error: error.__name__)
def test_every_error_has_its_meaning_and_an_exit_code(error: type[MatrixError]) -> None:
    assert error.__doc__
    assert error.__doc__ != MatrixError.__doc__
    assert error.exit_code in {errors.FAILED, errors.USAGE, errors.UNKNOWN}


def test_every_error_stands_in_one_place() -> None:
    for module in pkgutil.walk_packages(environments.__path__, "environments."):
        if not module.name.startswith("environments.inside") and not module.name.endswith("__main__"):
            importlib.import_module(module.name)

    assert {error.__module__ for error in _subclasses()} == {"environments.errors"}


def test_an_error_says_what_happened_what_was_expected_and_what_to_do() -> None:
    assert str(MatrixError("it broke", expected="it whole", remedy="mend it")) == (
        "it broke\n  expected: it whole\n  what to do: mend it"
    )


def test_an_error_without_an_expectation_leaves_it_out() -> None:
    assert str(MatrixError("it broke", remedy="mend it")) == "it broke\n  what to do: mend it"


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("stagin", " (did you mean 'staging'?)"),
        ("STAGING", " (did you mean 'staging'?)"),
        ("hh_stage", " (did you mean 'HH_STAGE'?)"),
        ("moon", ""),
        ("", ""),
    ],
)
def test_the_nearest_word_is_told_where_one_is_near(word: str, told: str) -> None:
    assert nearest(word, ["staging", "production", "HH_STAGE"]) == told


@settings(deadline=None, max_examples=50)
@given(st.text(), st.lists(st.text(), max_size=4))
def test_a_known_word_is_nearest_to_itself(word: str, others: list[str]) -> None:
    told = nearest(word, [*others, word])

    assert not word or told.casefold() == f" (did you mean {word!r}?)".casefold()


def test_a_command_ends_with_its_error_s_text_and_code(capsys: pytest.CaptureFixture[str]) -> None:
    @exit_on_error
    def main() -> int:
        raise errors.UsageError("it broke", remedy="mend it")

    assert main() == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "error: it broke\n  what to do: mend it\n")


def test_a_command_that_ends_well_ends_with_its_own_code() -> None:
    @exit_on_error
    def main() -> int:
        """Say nothing."""
        return 7

    assert main() == 7
    assert main.__doc__ == "Say nothing."


def test_a_defect_of_ours_is_not_dressed_up_as_an_error() -> None:
    @exit_on_error
    def main() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        main()
