"""What waits to be scored: noted in the transaction that wrote it, forgotten once it is scored.

So no end of the process loses a score: what a killed one left is scored at the next start. One that was killed between
a score and forgetting it scores again, which comes to the same.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from environments.services.honeyhive.storage import metrics
from environments.services.http.json_types import dump

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

SCHEMA = """
CREATE TABLE IF NOT EXISTS waiting (
    seq INTEGER PRIMARY KEY,
    project_id TEXT NOT NULL,
    event_ids TEXT NOT NULL
) STRICT;
"""
# Asked in every write of events, so it is cheap: most projects have no metric.
_IS_SCORED = f"SELECT 1 FROM metrics WHERE project_id = ? AND type IN {metrics.RUN_BY_SERVER} LIMIT 1"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Waiting:
    """The events of one write."""

    seq: int
    project_id: str
    event_ids: tuple[str, ...]


def note(connection: sqlite3.Connection, project_id: str, event_ids: Sequence[str]) -> Waiting | None:
    """Note that events wait; None in a project whose metrics score nothing by themselves."""
    if connection.execute(_IS_SCORED, (project_id,)).fetchone() is None:
        return None
    query = "INSERT INTO waiting (project_id, event_ids) VALUES (?, ?) RETURNING seq"
    [(seq,)] = connection.execute(query, (project_id, dump(event_ids))).fetchall()
    return Waiting(seq, project_id, tuple(event_ids))


def noted(connection: sqlite3.Connection) -> tuple[Waiting, ...]:
    """Return all that waits, the oldest first."""
    rows = connection.execute("SELECT seq, project_id, event_ids FROM waiting ORDER BY seq").fetchall()
    return tuple(Waiting(seq, project_id, tuple(json.loads(event_ids))) for seq, project_id, event_ids in rows)


def forget(connection: sqlite3.Connection, done: Waiting) -> None:
    """Forget what was scored. A number is used again once a deleted project's are gone, so it does not suffice."""
    connection.execute("DELETE FROM waiting WHERE seq = ? AND project_id = ?", (done.seq, done.project_id))
