"""Isolation: a test that leaves threads, sockets, environment variables or OpenTelemetry's globals changed fails.

What a fixture of a wider scope than one test makes belongs to the process, and is no leak of the test that happened to
ask for it first. What the SDK itself leaves behind, and no test can help, stands in `KNOWN_THREADS` and
`KNOWN_CONNECTIONS`, each with its reason.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import stat
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from environments.inside.target import KEY_VARIABLES

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

# By name, with the reason. Measured on every line.
KNOWN_THREADS = {
    r"OtelBatchSpanRecordProcessor": "each tracer has one, which not even the shutdown of a later tracer ends",
    r"Thread-\d+ \(_cleanup_worker\)": "each tracer's cache has one, which nothing ends",
}
# By the module that connects, with the reason.
KNOWN_CONNECTIONS = {
    "honeyhive.tracer.processing.otlp_exporter": "each tracer's exporter keeps one, which lives as long as the process",
}
# What ends by itself gets this long.
_ENDED_WITHIN_S = 2.0
_LOOK_AGAIN_S = 0.01
# pytest's own variable changes with every phase, and behind the gateway each test gets keys of its own.
_NOT_THE_TESTS = frozenset({"PYTEST_CURRENT_TEST", *KEY_VARIABLES.values()})
_BASELINE = pytest.StashKey["Surroundings"]()


@dataclass(frozen=True)
class Surroundings:
    """What a process has at one moment. Sockets are known by inode: a descriptor is used again."""

    threads: frozenset[threading.Thread]
    sockets: Mapping[int, str]
    variables: Mapping[str, str]
    telemetry: Mapping[str, object]

    def adopting(self, before: Surroundings, after: Surroundings) -> Surroundings:
        """Return these surroundings, with what changed between two others."""
        return Surroundings(
            self.threads | (after.threads - before.threads),
            {**self.sockets, **_new(before.sockets, after.sockets)},
            {**self.variables, **_new(before.variables, after.variables)},
            {**self.telemetry, **_new(before.telemetry, after.telemetry)},
        )

    def leaked_since(self, before: Surroundings) -> list[str]:
        """Say what is here that was not there before, a line each."""
        names = sorted(thread.name for thread in self.threads - before.threads if thread.is_alive())
        changed = sorted({*before.variables.items()} ^ {*self.variables.items()})
        return [
            *(f"the thread {name!r} still runs" for name in names),
            *(f"the socket {told} is still open" for told in _new(before.sockets, self.sockets).values()),
            # Names only: a value may be a key.
            *(f"the variable {name} is not as it was" for name in dict(changed)),
            # A propagator is there from the first import on: only what was there before can have been changed.
            *(
                f"OpenTelemetry's {name} is not as it was"
                for name, value in before.telemetry.items()
                if self.telemetry[name] != value
            ),
        ]


def look() -> Surroundings:
    """Look at this process."""
    variables = {name: value for name, value in os.environ.items() if name not in _NOT_THE_TESTS}
    return Surroundings(frozenset(_threads()), _sockets(), variables, _telemetry())


def _new(before: Mapping[Any, Any], after: Mapping[Any, Any]) -> dict[Any, Any]:
    return {key: value for key, value in after.items() if key not in before or before[key] != value}


def _threads() -> list[threading.Thread]:
    known = re.compile("|".join(KNOWN_THREADS) or r"(?!)")
    return [thread for thread in threading.enumerate() if not known.fullmatch(thread.name)]


def _sockets() -> dict[int, str]:
    """Return the network sockets that listen or are connected, by inode."""
    found = {}
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 - for every test, so cheap
        # A descriptor may close meanwhile: the one that lists them does.
        with contextlib.suppress(OSError):
            status = os.fstat(int(name))
            if stat.S_ISSOCK(status.st_mode) and status.st_ino not in _of_the_sdk:
                told = _told(int(name))
                if told:
                    found[status.st_ino] = told
    return found


def _told(descriptor: int) -> str:
    with socket.socket(fileno=os.dup(descriptor)) as one:
        if one.family not in (socket.AF_INET, socket.AF_INET6):
            return ""  # asyncio's and subprocess's own pairs
        if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return f"that listens on port {one.getsockname()[1]}"
        return f"to {one.getpeername()[0]}:{one.getpeername()[1]}"


def _telemetry() -> dict[str, object]:
    """Return OpenTelemetry's globals. What nobody has imported is as it will be then, and stays not imported."""
    found: dict[str, object] = {"tracer provider": None, "context": {}}
    if "opentelemetry.trace" in sys.modules:
        from opentelemetry import context, trace

        provider = trace.get_tracer_provider()
        # A proxy stands there until somebody sets one.
        found["tracer provider"] = None if isinstance(provider, trace.ProxyTracerProvider) else provider
        found["context"] = dict(context.get_current())
    if "opentelemetry.propagate" in sys.modules:
        from opentelemetry import propagate

        found["propagator"] = propagate.get_global_textmap()
    return found


# ---- Whose connection it is: the stack says so while it connects, and nothing does afterwards --------------

_of_the_sdk: set[int] = set()


def _note_connection(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "socket.connect":
        return
    frame = sys._getframe()  # noqa: SLF001 - the stack is what is asked for
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_globals.get("__name__") in KNOWN_CONNECTIONS:
            _of_the_sdk.add(os.fstat(arguments[0].fileno()).st_ino)
            return


# ---- pytest ------------------------------------------------------------------------------------------------


def pytest_configure() -> None:
    sys.addaudithook(_note_connection)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    item.stash[_BASELINE] = look()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    if fixturedef.scope == "function":
        return (yield)
    before = look()
    try:
        return (yield)
    finally:
        stash = request._pyfuncitem.stash  # noqa: SLF001 - the request of a wider scope does not tell its test
        stash[_BASELINE] = stash[_BASELINE].adopting(before, look())


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    result = yield
    before = item.stash[_BASELINE]
    deadline = time.monotonic() + _ENDED_WITHIN_S
    while (leaked := look().leaked_since(before)) and time.monotonic() < deadline:
        time.sleep(_LOOK_AGAIN_S)
    if leaked:
        _put_back(before)
        pytest.fail("this test leaks: " + "; ".join(leaked), pytrace=False)
    return result


def _put_back(before: Surroundings) -> None:
    """Let the next test not suffer from this one, as far as that can be done."""
    kept = {name: os.environ[name] for name in _NOT_THE_TESTS if name in os.environ}
    os.environ.clear()
    os.environ.update({**before.variables, **kept})
