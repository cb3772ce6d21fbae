"""How fast the SDK is, as data: percentiles and ratios go into the cell's record, to be compared over time and lines.

A machine that is busy is slow, so no test fails on seconds. What fails is a ratio between two things that the same
process did one after the other, by a margin that no noise reaches: it means another order of magnitude.
"""

# The SDK isn't installed where types are checked.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import statistics
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from honeyhive import HoneyHive, HoneyHiveTracer

    from environments.inside.measurements import Measure
    from tests.support.children import Children
    from tests.support.server import Server
    from tests.support.tracers import Tracers

pytestmark = pytest.mark.performance

# Measured: a span of the SDK takes 20 to 60 bare OpenTelemetry spans.
_MOST_BARE_SPANS_PER_SPAN = 400
# Ten threads and one interpreter lock: alone, a thread would take a tenth of the time of all.
_MOST_TIMES_AS_LONG_IN_THREADS = 5
_ROUNDS = 3
# Per span, a large flush may cost this much more than a small one: linear is 1.
_MOST_TIMES_PER_SPAN = 8
# The second half of a long run may not grow memory by more than this share of what the process has.
_MOST_GROWTH = 0.2
_LONG_S = 600
_ON_LINUX = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _percentiles(measure: Measure, name: str, seconds: list[float], *, unit: str, per_second: float) -> None:
    cuts = statistics.quantiles(seconds, n=20)
    for percentile, cut in (("p50", cuts[9]), ("p90", cuts[17]), ("p95", cuts[18])):
        measure(f"{name}.{percentile}", cut * per_second, unit)


def _trace(tracer: HoneyHiveTracer, count: int) -> None:
    for number in range(count):
        with tracer.trace("measured") as span:
            span.set_attribute("number", number)


def _held(server: Server, session_id: str, count: int) -> None:
    """Wait until the server holds that many events: what was only sent quickly was not delivered quickly."""

    def complete() -> bool:
        asked = [{"field": "session_id", "operator": "is", "value": session_id, "type": "string"}]
        held = server.count(asked) - 1  # the session's own
        assert held == count, f"{held} events of {count}"
        return True

    eventually(complete)


@pytest.fixture(autouse=True)
def _unrecorded_warnings() -> Iterator[None]:
    """Drop warnings: the SDK warns with every span that it exports, and keeping each, as pytest does, has its cost."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


# ---- One after the other -----------------------------------------------------------------------------


def test_the_cost_of_a_span_is_measured_against_a_bare_one_of_opentelemetry(
    tracer: HoneyHiveTracer, measure: Measure
) -> None:
    from opentelemetry.sdk.trace import TracerProvider

    bare = TracerProvider(shutdown_on_exit=False).get_tracer("bare")

    def bare_span() -> None:
        with bare.start_as_current_span("bare") as span:
            span.set_attribute("number", 1)

    _trace(tracer, 20)  # what is made once is made before
    ours = [_seconds(lambda: _trace(tracer, 1)) for _ in range(300)]
    theirs = [_seconds(bare_span) for _ in range(300)]

    _percentiles(measure, "span.cost", ours, unit="µs", per_second=1e6)
    ratio = statistics.median(ours) / statistics.median(theirs)
    measure("span.cost.bare-spans", ratio, "ratio")
    assert ratio < _MOST_BARE_SPANS_PER_SPAN


def test_the_overhead_of_a_traced_call_is_measured_against_an_untraced_one(
    tracer: HoneyHiveTracer, measure: Measure
) -> None:
    from honeyhive import trace

    def work(rounds: int) -> int:
        return sum(number * number for number in range(rounds))

    traced = trace(tracer=tracer, event_name="work")(work)
    traced(1)
    pairs = [(_seconds(lambda: traced(20_000)), _seconds(lambda: work(20_000))) for _ in range(60)]

    _percentiles(measure, "call.traced", [ours for ours, _ in pairs], unit="µs", per_second=1e6)
    _percentiles(measure, "call.untraced", [plain for _, plain in pairs], unit="µs", per_second=1e6)
    ratio = statistics.median(ours / plain for ours, plain in pairs)
    measure("call.overhead", ratio, "ratio")
    # Measured: 1.5 to 4, of a call that works for one or two milliseconds.
    assert ratio < 40


def test_the_latency_of_tracer_and_client_together_is_measured_against_the_server_alone(
    tracer: HoneyHiveTracer, client: HoneyHive, server: Server, measure: Measure
) -> None:
    """A span around a call of the API, as a program does it; and the same request over plain HTTP."""

    def together() -> None:
        with tracer.trace("lists") as span:
            span.set_attribute("found", len(client.datasets.list(name="no-such-dataset").datasets))

    def plain() -> None:
        server.get("/v1/datasets", name="no-such-dataset")

    together()
    plain()
    pairs = [(_seconds(together), _seconds(plain)) for _ in range(20)]

    _percentiles(measure, "tracer-and-client", [ours for ours, _ in pairs], unit="ms", per_second=1e3)
    ratio = statistics.median(ours for ours, _ in pairs) / statistics.median(plain for _, plain in pairs)
    measure("tracer-and-client.plain-requests", ratio, "ratio")
    # Measured: 5 to 30, because the client makes a connection for each call.
    assert ratio < 200


def test_a_new_tracer_is_measured_against_a_session_that_the_client_starts(
    make_tracer: Tracers, start_session: Callable[..., str], measure: Measure
) -> None:
    tracers = [_seconds(make_tracer) for _ in range(4)]
    sessions = [_seconds(start_session) for _ in range(4)]

    measure("tracer.init.median", statistics.median(tracers) * 1e3, "ms")
    ratio = statistics.median(tracers) / statistics.median(sessions)
    measure("tracer.init.sessions", ratio, "ratio")
    assert ratio < 100


# ---- At the same time --------------------------------------------------------------------------------


@pytest.mark.concurrent
def test_tracers_in_ten_threads_are_measured_against_the_same_work_in_one(
    make_tracer: Tracers, server: Server, measure: Measure
) -> None:
    tracers = [make_tracer() for _ in range(10)]
    spans = 20

    def one_after_the_other() -> None:
        for tracer in tracers:
            _trace(tracer, spans)

    def all_at_once() -> None:
        with ThreadPoolExecutor(len(tracers)) as threads:
            list(threads.map(lambda tracer: _trace(tracer, spans), tracers))

    # The best of three: a moment in which the machine does something else is no slowness of the SDK.
    alone = min(_seconds(one_after_the_other) for _ in range(_ROUNDS))
    together = min(_seconds(all_at_once) for _ in range(_ROUNDS))
    for tracer in tracers:
        tracer.flush()

    measure("threads.spans-per-second", len(tracers) * spans / together, "1/s")
    measure("threads.slowdown", together / alone, "ratio")
    for tracer in tracers:
        _held(server, str(tracer.session_id), 2 * _ROUNDS * spans)
    assert together / alone < _MOST_TIMES_AS_LONG_IN_THREADS


# ---- Much --------------------------------------------------------------------------------------------


def _flushed(make_tracer: Tracers, server: Server, count: int) -> float:
    """Return the seconds per span of tracing and flushing, once the server holds every span."""
    tracer = make_tracer()
    began = time.perf_counter()
    _trace(tracer, count)
    tracer.flush()
    seconds = time.perf_counter() - began
    _held(server, str(tracer.session_id), count)
    return seconds / count


def test_a_flush_of_a_thousand_spans_delivers_all_and_is_measured_against_one_of_a_hundred(
    make_tracer: Tracers, server: Server, measure: Measure
) -> None:
    small, large = (_flushed(make_tracer, server, count) for count in (100, 1000))

    measure("flush.1000.spans-per-second", 1 / large, "1/s")
    measure("flush.1000.per-span-of-100", large / small, "ratio")
    assert large / small < _MOST_TIMES_PER_SPAN


@pytest.mark.timeout(_LONG_S)
@pytest.mark.performance(long=True)
def test_a_flush_of_ten_thousand_spans_delivers_all_and_is_measured_against_one_of_a_thousand(
    make_tracer: Tracers, server: Server, measure: Measure
) -> None:
    small, large = (_flushed(make_tracer, server, count) for count in (1000, 10_000))

    measure("flush.10000.spans-per-second", 1 / large, "1/s")
    measure("flush.10000.per-span-of-1000", large / small, "ratio")
    assert large / small < _MOST_TIMES_PER_SPAN


MEMORY = """
import os, sys
from honeyhive import HoneyHiveTracer

def memory():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

def trace(count):
    for number in range(count):
        with tracer.trace("measured") as span:
            span.set_attribute("number", number)
    tracer.flush()

tracer = HoneyHiveTracer.init(session_name=sys.argv[1])
count = int(sys.argv[2])
trace(count // 2)  # fills what is made once: caches, arenas, buffers
half = memory()
trace(count // 2)
answer({"session_id": tracer.session_id, "half": half, "grown": memory() - half})
"""


def _growth(children: Children, measure: Measure, name: str, count: int) -> float:
    """Return by what share of a program's memory the second half of so many spans made it grow.

    In a program of its own: here pytest keeps every warning, and the SDK warns with every span.
    """
    told = children.answer(MEMORY, name, str(count))
    measure(f"memory.{count}.grown", told["grown"] / 2**20, "MiB")
    measure(f"memory.{count}.per-span", told["grown"] / (count // 2), "B")
    return float(told["grown"] / told["half"])


@_ON_LINUX
def test_memory_does_not_grow_with_the_spans_that_were_flushed(
    children: Children, measure: Measure, resource_name: str
) -> None:
    assert _growth(children, measure, resource_name, 2000) < _MOST_GROWTH


@_ON_LINUX
@pytest.mark.timeout(_LONG_S)
@pytest.mark.performance(long=True)
def test_memory_does_not_grow_over_a_hundred_thousand_spans(
    children: Children, measure: Measure, resource_name: str
) -> None:
    children.within_s = _LONG_S

    assert _growth(children, measure, resource_name, 100_000) < _MOST_GROWTH
