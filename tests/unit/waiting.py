"""Wait for a condition, never for a time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable

_LOOK_AGAIN_S = 0.01


def wait_until(condition: Callable[[], bool], what: str, within_s: float = 20) -> None:
    """Return as soon as `condition` holds; fail with `what` never came."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(_LOOK_AGAIN_S)


def is_gone(pid: int) -> bool:
    """Return whether no such process runs any more; a zombie doesn't."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
