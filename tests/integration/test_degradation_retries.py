"""`events.export` tries again, with pauses of seconds: so all its failures happen at the same time, in one test."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.degradation.entries import Ending, observe
from tests.support.degradation.table import FAULTS, RETRIES, RETRIES_S
from tests.support.faults import Proxy, Status
from tests.support.tracers import client_of

if TYPE_CHECKING:
    from honeyhive import HoneyHive

    from environments.inside.target import Target
    from tests.support.degradation.table import Retry
    from tests.support.faults import Seen

WAYS = ("sync", "async")
# At least: they double, give or take a tenth.
PAUSES_S = (0.9, 1.8, 3.6)


@dataclass(frozen=True)
class Exported:
    """How an export ended, and what the server saw of it."""

    ending: Ending
    seen: list[Seen]


def _exports(target: Target) -> dict[tuple[Retry, str], Exported]:
    """Export once for each row of the table and each way to call it, all at the same time."""
    with contextlib.ExitStack() as stack:
        asked = list(itertools.product(RETRIES, WAYS))
        threads = stack.enter_context(ThreadPoolExecutor(len(asked)))
        calls = {}
        for row, way in asked:
            proxy = stack.enter_context(Proxy(target.base_url))
            client = client_of(target, target.project, base_url=proxy.url)
            proxy.fail(FAULTS[row.fault], first=row.first)
            calls[row, way] = threads.submit(_export, client, way, proxy)
        return {one: call.result() for one, call in calls.items()}


def _export(client: HoneyHive, way: str, proxy: Proxy) -> Exported:
    def call() -> object:
        found = (
            client.events.export(filters=[], limit=1)
            if way == "sync"
            else asyncio.run(client.events.export_async(filters=[], limit=1))
        )
        return "an answer" if hasattr(found, "events") else found

    return Exported(observe(call), proxy.seen)


def test_an_export_is_tried_again_as_the_table_says(target: Target) -> None:
    exported = _exports(target)

    said = {asked: one.ending.says for asked, one in exported.items()}
    assert said == {(row, way): row.says.format(fault=row.fault) for row, way in exported}
    tries = {asked: len(one.seen) for asked, one in exported.items()}
    assert tries == {(row, way): row.tries for row, way in exported}
    took = {asked: one.ending.took_s for asked, one in exported.items()}
    assert {asked: seconds for asked, seconds in took.items() if not asked[0].pauses_s <= seconds <= RETRIES_S} == {}
    for asked, one in exported.items():
        pauses = [after.at - before.at for before, after in itertools.pairwise(one.seen)]
        assert all(pause >= least for pause, least in zip(pauses, PAUSES_S, strict=False)), (asked, pauses)


def test_an_export_waits_as_long_as_the_server_asks(proxy: Proxy, target: Target) -> None:
    client = client_of(target, target.project, base_url=proxy.url)
    proxy.fail(Status(429, {"Retry-After": "2"}), first=1)

    client.events.export(filters=[], limit=1)

    first, second = proxy.seen
    assert second.at - first.at >= 2, "the server was asked again too soon"
