"""`events.export` tries again, with pauses of seconds: so all its failures happen at the same time, once.

Each test tells what became of one: they share a worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.support.degradation.entries import Ending, observe
from tests.support.degradation.table import AT_ONCE_S, FAULTS, RETRIES, RETRIES_S
from tests.support.faults import Proxy, Status
from tests.support.tracers import client_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from honeyhive import HoneyHive

    from environments.inside.target import Target
    from tests.support.degradation.table import Retry
    from tests.support.faults import Seen

pytestmark = pytest.mark.xdist_group("retries")

WAYS = ("sync", "async")


@dataclass(frozen=True)
class Exported:
    """How an export ended, and what the server saw of it."""

    ending: Ending
    seen: list[Seen]


@pytest.fixture(scope="module")
def exported(target: Target) -> Iterator[dict[tuple[Retry, str], Exported]]:
    """Export once for each row of the table and each way to call it, all at the same time."""
    with contextlib.ExitStack() as stack:
        threads = stack.enter_context(ThreadPoolExecutor(2 * len(RETRIES)))
        calls = {}
        for row in RETRIES:
            for way in WAYS:
                proxy = stack.enter_context(Proxy(target.base_url))
                client = client_of(target, target.project, base_url=proxy.url)
                proxy.fail(FAULTS[row.fault], first=row.first)
                calls[row, way] = threads.submit(_export, client, way, proxy)
        yield {asked: call.result() for asked, call in calls.items()}


def _export(client: HoneyHive, way: str, proxy: Proxy) -> Exported:
    def call() -> object:
        found = (
            client.events.export(filters=[], limit=1)
            if way == "sync"
            else asyncio.run(client.events.export_async(filters=[], limit=1))
        )
        return "an answer" if hasattr(found, "events") else found

    return Exported(observe(call), proxy.seen)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("row", RETRIES, ids=lambda row: f"{row.fault}-{'always' if row.first is None else 'once'}")
def test_an_export_is_tried_again_as_the_table_says(
    row: Retry, way: str, exported: dict[tuple[Retry, str], Exported]
) -> None:
    found = exported[row, way]

    assert found.ending.says == row.says.format(fault=row.fault)
    assert len(found.seen) == row.tries
    assert found.ending.took_s >= row.pauses_s
    assert found.ending.took_s <= (RETRIES_S if row.pauses_s else AT_ONCE_S + 5)


def test_the_pauses_between_tries_double(exported: dict[tuple[Retry, str], Exported]) -> None:
    (row,) = (row for row in RETRIES if (row.fault, row.first) == ("503", None))
    came = [one.at for one in exported[row, "sync"].seen]

    pauses = [after - before for before, after in itertools.pairwise(came)]

    assert [pause >= least for pause, least in zip(pauses, (0.9, 1.8, 3.6), strict=True)] == [True] * 3


@pytest.mark.xfail(strict=True, reason="events.export waits as long as it pleases: Retry-After is not read")
def test_an_export_waits_as_long_as_the_server_asks(proxy: Proxy, target: Target) -> None:
    client = client_of(target, target.project, base_url=proxy.url)
    proxy.fail(Status(429, {"Retry-After": "2"}), first=1)

    client.events.export(filters=[], limit=1)

    first, second = proxy.seen
    assert second.at - first.at >= 2
