"""A server that takes every request and answers none: how long it holds up each entry point.

An exporter waits for half a minute, and nothing makes it wait less. So all hang at the same time, once, and each test
tells what became of one: they share a worker.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.support.cleanup import Cleanup
from tests.support.degradation.entries import ENTRIES, TRACES, Ending, User, observe
from tests.support.degradation.table import FAULTS, RETRIED_HANGING, RETRIES_S, SHORTENED_S, TABLE
from tests.support.eventually import eventually
from tests.support.faults import Proxy
from tests.support.tracers import Tracers, fresh_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from honeyhive import HoneyHiveTracer

    from environments.inside.target import Target
    from tests.support.server import Server

pytestmark = pytest.mark.xdist_group("hanging")

ROWS = {row.entry: row for row in TABLE if "hanging" in row.faults}
EXPORTED = ("POST", "/v1/events/export")
CHILD_WITHIN_S = 100
# What needs a process of its own: the shutdown of a first tracer, and an export, whose time limit is read when the SDK
# is imported.
CHILD = """
import json, sys, threading
from environments.inside import target as targets
from tests.support.degradation.entries import observe
from tests.support.tracers import client_of, pointed_at

url, name, told = sys.argv[1:]
target = targets.load()
from honeyhive import HoneyHiveTracer

pointed = {**pointed_at(target, target.project), "server_url": url}
tracer = HoneyHiveTracer.init(**pointed, project=target.project.name, session_name=name)
with tracer.trace("during"):
    pass
client = client_of(target, target.project, base_url=url)
answer = {"session_id": tracer.session_id}

def export():
    answer["export"] = vars(observe(lambda: client.events.export(filters=[])))

exporting = threading.Thread(target=export)
exporting.start()
answer["shutdown"] = vars(observe(tracer.shutdown))
exporting.join()
with open(told, "w") as file:
    json.dump(answer, file)
"""


@dataclass(frozen=True)
class Hung:
    """What became of one call; whether the same object worked again is None where it cannot."""

    ending: Ending
    tried: int
    kept: bool
    kept_again: bool | None = None


@pytest.fixture(scope="module")
def hung(
    target: Target, server: Server, first_tracer: HoneyHiveTracer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Hung]]:
    """Have everything hang, and see what becomes of it."""
    del first_tracer
    cleanup = Cleanup(can_delete="delete" in target.capabilities)
    with contextlib.ExitStack() as stack:
        stack.enter_context(fresh_context())

        def user(name: str) -> User:
            name = f"{target.run_name}-hanging-{name.replace(' ', '-')}"
            proxy = stack.enter_context(Proxy(target.base_url))
            made = User(proxy, target, server, Tracers(target, server, cleanup, name), name)
            cleanup.register(name, made.delete_sessions)
            return made

        threads = stack.enter_context(ThreadPoolExecutor(len(ROWS)))
        calls = [threads.submit(_in_child, user("child"), tmp_path_factory.mktemp("hanging") / "told.json")]
        calls += [threads.submit(_called(entry, user(entry))) for entry in ROWS if entry != "shutdown"]
        yield {entry: one for call in calls for entry, one in call.result().items()}
        cleanup.run()


def _called(name: str, user: User) -> Callable[[], dict[str, Hung]]:
    """Prepare an entry point, and return what calls it."""
    entry = ENTRIES[name](user)
    before = user.proxy.count(*entry.route)
    user.proxy.fail(FAULTS["hanging"])

    def call() -> dict[str, Hung]:
        ending = observe(entry.call)
        tried = user.proxy.count(*entry.route) - before
        user.proxy.lift()
        entry.again()
        return {name: Hung(ending, tried, kept_again=eventually(entry.is_kept_again), kept=entry.is_kept())}

    return call


def _in_child(user: User, told: Path) -> dict[str, Hung]:
    user.proxy.fail(FAULTS["hanging"], TRACES[1], EXPORTED[1])
    command = [sys.executable, "-c", CHILD, user.proxy.url, user.name, str(told)]
    subprocess.run(
        command,
        env={**os.environ, "HH_EXPORT_TIMEOUT_SECONDS": str(SHORTENED_S)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=CHILD_WITHIN_S,
        check=True,
    )
    answer = json.loads(told.read_text())
    kept = bool(user.server.children(answer["session_id"]))
    return {
        "shutdown": Hung(Ending(**answer["shutdown"]), user.proxy.count(*TRACES), kept),
        "events.export": Hung(Ending(**answer["export"]), user.proxy.count(*EXPORTED), kept=False),
    }


@pytest.mark.parametrize("entry", ROWS)
def test_a_server_that_hangs_holds_a_call_up_for_so_long_and_no_longer(entry: str, hung: dict[str, Hung]) -> None:
    row, found = ROWS[entry], hung[entry]

    assert found.ending.says == row.says
    assert found.ending.took_s <= row.within_s
    assert (found.tried, found.kept) == (1, row.kept)
    assert found.kept_again is not False


def test_an_export_that_hangs_is_tried_again_within_its_own_time_limit(hung: dict[str, Hung]) -> None:
    found = hung["events.export"]

    assert found.ending.says == RETRIED_HANGING.says
    assert found.tried == RETRIED_HANGING.tries
    assert RETRIED_HANGING.pauses_s <= found.ending.took_s <= RETRIES_S + 4 * SHORTENED_S
