"""Whether the processes that this one works for still live: nox above it, and the nox that started everything.

A child that must not outlive this process follows its lifeline; nox is not ours, so here it is watched by number.
"""

from __future__ import annotations

import asyncio
import os

# The outermost nox of a run: set by the noxfile, if absent.
ROOT_VARIABLE = "MATRIX_ROOT_PID"
_LOOK_AGAIN_S = 0.2


async def starter_gone() -> str:
    """Wait until the parent process or the outermost nox is gone, and say which."""
    parent = os.getppid()
    root = int(os.environ.get(ROOT_VARIABLE, parent))
    while True:
        if os.getppid() != parent:
            return "the nox session that started it is gone"
        if not _alive(root):
            return "the nox that started the run is gone"
        await asyncio.sleep(_LOOK_AGAIN_S)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
