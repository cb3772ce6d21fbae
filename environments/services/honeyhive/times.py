"""Moments as the API writes them: ISO 8601, in UTC, to the millisecond. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso(now_ns: int) -> str:
    """Write a moment."""
    moment = _EPOCH + timedelta(milliseconds=now_ns // 1_000_000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
