"""Lineage: which run a process belongs to, and whether what started it still lives.

A child that must not outlive its starter follows the starter's lifeline; nox is not ours, so it is watched by number.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import secrets

# Both set by the noxfile, if absent: whatever one nox starts belongs to its run, and ends with it.
RUN_VARIABLE = "MATRIX_RUN_ID"
ROOT_VARIABLE = "MATRIX_ROOT_PID"
_LOOK_AGAIN_S = 0.2


def new_run_id() -> str:
    """Return an id that sorts by time. It names a folder under results/, and what the run's tests create."""
    return f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def run_id() -> str:
    """Return the id of the run that this process belongs to, or a new one."""
    told = os.environ.get(RUN_VARIABLE, "")
    # It names a folder, which is emptied before it is filled.
    return told if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*", told) else new_run_id()


async def starter_gone() -> str:
    """Wait until the parent process or the outermost nox is gone, and say which."""
    import asyncio  # not above: the noxfile, imported again for every parallel cell, needs the rest of this alone

    parent = os.getppid()
    told = os.environ.get(ROOT_VARIABLE, "")
    root = int(told) if told.isdecimal() else parent
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
