"""Scores that were still to come when the service ended."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.unit.services.honeyhive.evaluation.test_metrics import create_metric
from tests.unit.services.honeyhive.running import Service, answered, supervised, where
from tests.unit.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

_EVENTS = 20
_SLOW = "import time\ntime.sleep(0.2)\nresult = 1"


def write_events(service: Service) -> None:
    event = {"event_type": "tool", "inputs": {}, "event_name": "slow", "metadata": {"run_id": "r"}}
    for _ in range(_EVENTS // 2):
        answered(service.post("/events/batch", {"events": [event, event]}))


def scored(service: Service) -> int:
    found: int = service.export(where("metrics.slow", 1, kind="number"))["totalEvents"]
    return found


def waiting(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "events.sqlite")) as connection:
        count: int = connection.execute("SELECT count(*) FROM waiting").fetchone()[0]
        return count


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_what_was_acknowledged_is_scored_at_the_next_start_however_the_service_ended(
    tmp_path: Path, how: signal.Signals
) -> None:
    with supervised(data_dir=str(tmp_path)) as service:
        create_metric(service, name="slow", criteria=_SLOW)
        write_events(service)
        wait_until(lambda: scored(service) > 0, "the first event is scored")
        service.process.send_signal(how)
        service.process.wait(20)
    assert waiting(tmp_path) > 0

    with supervised(data_dir=str(tmp_path)) as service:
        wait_until(lambda: scored(service) == _EVENTS, "every event is scored")

    assert waiting(tmp_path) == 0


def test_the_scores_of_a_deleted_project_are_waited_for_no_more(tmp_path: Path) -> None:
    with supervised(data_dir=str(tmp_path)) as service:
        minted = service.mint()
        with service.as_holder(minted["keys"]["project"]) as holder:
            answered(holder.post("/v1/metrics", json={"name": "slow", "type": "PYTHON", "criteria": _SLOW}))
            event = {"event_type": "tool", "inputs": {}, "metadata": {"run_id": "r"}}
            answered(holder.post("/events/batch", json={"events": [event] * _EVENTS}))
        assert waiting(tmp_path) == 1
        answered(service.control.delete(f"/projects/{minted['id']}"))
        assert waiting(tmp_path) == 0
