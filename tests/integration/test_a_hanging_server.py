"""A server that takes every request and answers none: how long it holds up each entry point.

An exporter waits for half a minute, and nothing makes it wait less. So all hang at the same time, in one test.
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

from tests.support.degradation.entries import ENTRIES, TRACES, Ending, User, observe
from tests.support.degradation.table import FAULTS, RETRIED_HANGING, RETRIES_S, SHORTENED_S, TABLE
from tests.support.eventually import eventually
from tests.support.faults import Proxy
from tests.support.tracers import Tracers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from honeyhive import HoneyHiveTracer

    from environments.inside.target import Target
    from tests.support.cleanup import Cleanup
    from tests.support.server import Server

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


@pytest.fixture
def users() -> Iterator[contextlib.ExitStack]:
    """Keep every user's proxy until all is cleaned up."""
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def user(
    users: contextlib.ExitStack,
    target: Target,
    server: Server,
    first_tracer: HoneyHiveTracer,
    cleanup: Cleanup,
    resource_name: str,
) -> Callable[[str], User]:
    """Make users, each with a proxy of their own: `user("init")`."""
    del first_tracer

    def make(what: str) -> User:
        name = f"{resource_name}-{what.replace(' ', '-')}"
        proxy = users.enter_context(Proxy(target.base_url))
        made = User(proxy, target, server, Tracers(target, server, cleanup, name), name)
        cleanup.register(name, made.delete_sessions)
        return made

    return make


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


def test_a_server_that_hangs_holds_a_call_up_for_so_long_and_no_longer(
    user: Callable[[str], User], tmp_path: Path
) -> None:
    with ThreadPoolExecutor(len(ROWS)) as threads:
        calls = [threads.submit(_in_child, user("child"), tmp_path / "told.json")]
        calls += [threads.submit(_called(entry, user(entry))) for entry in ROWS if entry != "shutdown"]
        hung = {entry: one for call in calls for entry, one in call.result().items()}
    export = hung.pop("events.export")

    assert {entry: one.ending.says for entry, one in hung.items()} == {entry: row.says for entry, row in ROWS.items()}
    assert {entry: one.kept for entry, one in hung.items()} == {entry: row.kept for entry, row in ROWS.items()}
    assert {entry: one.tried for entry, one in hung.items()} == dict.fromkeys(ROWS, 1)
    assert {entry: one.ending.took_s for entry, one in hung.items() if one.ending.took_s > ROWS[entry].within_s} == {}
    assert [entry for entry, one in hung.items() if one.kept_again is False] == []

    assert (export.ending.says, export.tried) == (RETRIED_HANGING.says, RETRIED_HANGING.tries)
    assert RETRIED_HANGING.pauses_s <= export.ending.took_s <= RETRIES_S + 4 * SHORTENED_S
