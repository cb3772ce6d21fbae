"""Every fatal error: its class, exit code and remedy.

An error says what happened, what was expected and what to do next. They are raised anywhere, and caught in one
place: `exit_on_error`, around the `main` of each command.
"""

from __future__ import annotations

import difflib
import functools
import sys
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# The exit codes that a command may end with. Under `nox -j` they are flattened to 1.
FAILED = 1
USAGE = 2
UNKNOWN = 3


class MatrixError(Exception):
    """A fatal error: what happened, what was expected, and what to do next."""

    exit_code: ClassVar[int] = FAILED

    def __init__(self, happened: str, *, expected: str = "", remedy: str) -> None:
        super().__init__(happened)
        self.happened = happened
        self.expected = expected
        self.remedy = remedy

    def __str__(self) -> str:
        lines = [self.happened]
        if self.expected:
            lines.append(f"  expected: {self.expected}")
        lines.append(f"  what to do: {self.remedy}")
        return "\n".join(lines)


class UsageError(MatrixError):
    """The command line asks for something that does not exist or does not go together."""

    exit_code = USAGE


class MatrixConfigError(MatrixError):
    """`[tool.matrix]` in pyproject.toml, or releases.json, holds a wrong key, word or specifier."""

    exit_code = USAGE


class UnknownCell(UsageError):
    """No cell of the matrix has this name."""


class ProfileError(MatrixError):
    """The settings of an environment are wrong."""

    exit_code = USAGE


class MissingCredential(ProfileError):
    """An environment cannot be reached without a key that is not set."""

    exit_code = UNKNOWN


class UnknownVariable(ProfileError):
    """A variable that starts with HH_ is none that anything reads."""


class InvalidSetting(ProfileError):
    """A variable holds a value of the wrong shape. The value itself is never shown."""


class ProductionHostRefused(ProfileError):
    """A profile that may write points at a production host."""


class ProductionNotArmed(ProfileError):
    """Production points at a server that is not on the list of production servers."""

    exit_code = UNKNOWN


class InterpreterMissing(MatrixError):
    """This machine does not have the Python that a cell needs."""

    exit_code = UNKNOWN


class EnvironmentUnreachable(MatrixError):
    """A cell of this environment cannot run here."""

    exit_code = UNKNOWN


class InstallFailed(MatrixError):
    """A cell's venv could not be built."""

    exit_code = UNKNOWN


class ResultsUnwritable(MatrixError):
    """What ran cannot be written down."""


class CandidateError(MatrixError):
    """What `--sdk` names is no release, wheel, folder or git reference of the SDK."""

    exit_code = USAGE


class ServiceFailed(MatrixError):
    """A local service did not become ready, or died while a cell needed it."""


class MutationError(MatrixError):
    """A mutation of the SDK is described wrongly, or does not match the release that it is to change."""

    exit_code = USAGE


class NoEvidence(MatrixError):
    """The suite does not pass against the SDK as it is: what it says of a mutated one proves nothing."""

    exit_code = UNKNOWN


class IndexUnreachable(MatrixError):
    """The package index did not answer, or answered something that is no list of releases."""

    exit_code = UNKNOWN


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` for the nearest known word, or nothing where none is near."""
    # Case is no part of a name here: `Staging` is a slip for `staging`.
    by_folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return f" (did you mean {by_folded[close[0]]!r}?)" if close else ""


def exit_on_error(main: Callable[[], int]) -> Callable[[], int]:
    """Wrap a command's `main`: a `MatrixError` becomes its text on stderr and its exit code."""

    @functools.wraps(main)
    def wrapped() -> int:
        try:
            return main()
        except MatrixError as error:
            print(f"error: {error}", file=sys.stderr, flush=True)
            return error.exit_code

    return wrapped
