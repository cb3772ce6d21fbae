"""Waiting for a fact. A server shows what it was sent once it has ingested it, and no SDK's word says when that is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from environments.inside import target

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")

_FIRST_PAUSE_S = 0.005
_LONGEST_PAUSE_S = 0.5


class NotInTime(AssertionError):
    """What a test waited for did not happen before its deadline."""


def eventually(check: Callable[[], _T], *, within: float | None = None) -> _T:
    """Return the first truthy result of `check`, looking again while it is falsy or raises AssertionError.

    Any other exception is no "not yet", and goes straight through. `within` is in seconds; without it the target says
    how long its server may take.
    """
    __tracebackhide__ = True
    within = _patience() if within is None else within
    started = time.monotonic()
    pause, looks, seen = _FIRST_PAUSE_S, 0, ""
    while True:
        # The last look begins when the deadline has passed: what arrives just in time counts.
        is_last = time.monotonic() - started >= within
        looks += 1
        try:
            result = check()
        except AssertionError as error:
            seen = str(error) or "an assertion without a message"
        else:
            if result:
                return result
            seen = f"the check returned {result!r}"
        if is_last:
            took = time.monotonic() - started
            times = "once" if looks == 1 else f"{looks} times"
            raise NotInTime(f"not within {within:g} s (looked {times} in {took:.1f} s); seen last:\n{seen}")
        time.sleep(min(pause, max(0.0, within - (time.monotonic() - started))))
        pause = min(pause * 2, _LONGEST_PAUSE_S)


def _patience() -> float:
    aim = target.load()
    if aim is None:
        raise ValueError("outside of a cell there is no target that says how long to wait: pass within=")
    return aim.timeout_s
