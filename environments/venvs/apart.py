"""An installer in a process of its own: it can be cancelled at any moment, and ends with whoever started it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING

from environments import project
from environments.inside import lifeline
from environments.venvs import uv

if TYPE_CHECKING:
    from pathlib import Path


async def run(module: str, told: str, lifeline_path: Path) -> str | None:
    """Run one of this package's modules, `told` on its stdin; return None, or what it said when it failed.

    Its group is its own, so that what it starts (uv, a build backend) goes with it.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module),
        cwd=project.ROOT,
        env={**uv.installer_environment(os.environ), lifeline.VARIABLE: str(lifeline_path)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        _, said = await process.communicate(told.encode())
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    if process.returncode == 0:
        return None
    return said.decode(errors="replace").strip() or f"it ended with {process.returncode} and said nothing"
