"""A run: the cells that one command started. Its id names their folder under results/, and what their tests create."""

from __future__ import annotations

import datetime as dt
import os
import secrets

# Set by the noxfile, if absent: every cell that one nox starts belongs to one run.
VARIABLE = "MATRIX_RUN_ID"


def utc_now() -> str:
    """Return the time in UTC, ISO 8601, to the millisecond."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_id() -> str:
    """Return an id that sorts by time."""
    return f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def current_id() -> str:
    """Return the id of the run that this process belongs to, or a new one."""
    return os.environ.get(VARIABLE) or new_id()
