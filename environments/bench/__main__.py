"""`nox -s bench`: measure, print the table, write `results/bench-<time>.json`. Every line is one `Figure`."""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import json
import os
import platform
import statistics
import sys
import tempfile
import time
import uuid
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil

from environments import project
from environments.bench import wire
from environments.bench.load import Job, Loaded, run
from environments.errors import exit_on_error
from environments.inside import lifeline
from environments.services import process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

# What is judged; the figures that have a goal are held against it here and nowhere else.
THROUGHPUT_GOAL = 0.5
STARTUP_GOAL_S = 0.7
MEMORY_GOAL = 0.10
# The same answer from a table a hundred times as large may take this much longer.
EXPORT_GOAL = 2.0

_BATCHES = (1, 50, 500)
_EVENTS_EXPORTED = 10_000
_STREAM_BATCH = 100
_SPANS, _SPANS_LONG = 100_000, 1_000_000
_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `met` is None where nothing is promised."""

    name: str
    value: float
    unit: str
    beside: str = ""
    goal: str = ""
    met: bool | None = None


class Bench:
    """The places that everything measured here shares: a lifeline, a folder for data, and how long to measure."""

    def __init__(self, scratch: Path, seconds: float, rounds: int) -> None:
        self._scratch = scratch
        self._lifeline = scratch / "lifeline"
        self._held = lifeline.hold(self._lifeline)
        self.seconds = seconds
        self.rounds = rounds

    def close(self) -> None:
        """Let everything that was started go."""
        os.close(self._held)

    @asynccontextmanager
    async def service(self) -> AsyncIterator[process.RunningService]:
        """Start the embedded service on a folder of its own."""
        config = {
            "projects": [{"name": "bench", "keys": ["bench"]}],
            "data_dir": str(self._scratch / uuid.uuid4().hex),
        }
        async with self._running(
            process.ServiceSpec("honeyhive", "environments.services.honeyhive", config)
        ) as started:
            yield started

    @asynccontextmanager
    async def echo(self) -> AsyncIterator[process.RunningService]:
        """Start the server to compare with."""
        async with self._running(process.ServiceSpec("echo", "environments.bench.echo", {})) as started:
            yield started

    @asynccontextmanager
    async def _running(self, spec: process.ServiceSpec) -> AsyncIterator[process.RunningService]:
        started = await process.start(spec, self._lifeline, self._scratch / "log")
        try:
            yield started
        finally:
            await started.stop()


async def throughput(bench: Bench) -> list[Figure]:
    """Spans per second, stored, beside a server that only parses them."""
    figures = []
    for media_type in (wire.JSON, wire.PROTOBUF):
        for spans in _BATCHES:
            template = wire.traces(media_type, spans)
            pairs = []
            # One after the other, several times: what else the machine does then meets both.
            for _ in range(bench.rounds):
                async with bench.echo() as echo, bench.service() as service:
                    pairs.append([await _served(bench, each, template) for each in (echo, service)])
            figures.append(_compared(f"OTLP {media_type.rpartition('/')[2]}, {spans} a request", spans, pairs))
            _say(figures[-1])
    return figures


@dataclass(frozen=True, slots=True)
class Served:
    """What a load came to, and the processor time that its server took for it: steadier than its speed."""

    loaded: Loaded
    cpu_s: float

    @property
    def cpu_per_request_us(self) -> float:
        """Processor time for one request, in microseconds."""
        return self.cpu_s * 1_000_000 / len(self.loaded.times_ms)


async def _served(bench: Bench, server: process.RunningService, template: wire.Template) -> Served:
    resident = psutil.Process(server.process.pid)
    before = resident.cpu_times()
    loaded = await asyncio.to_thread(run, Job(server.url, template, seconds=bench.seconds))
    after = resident.cpu_times()
    return Served(loaded, after.user + after.system - before.user - before.system)


def _compared(name: str, spans: int, pairs: Sequence[Sequence[Served]]) -> Figure:
    ratio = statistics.median(service.loaded.per_second / echo.loaded.per_second for echo, service in pairs)
    echo, service = (statistics.median(pair[side].loaded.per_second for pair in pairs) * spans for side in (0, 1))
    cpu = [statistics.median(pair[side].cpu_per_request_us for pair in pairs) / spans for side in (1, 0)]
    busy = max(served.loaded.busy for pair in pairs for served in pair)
    speed = f"{service:,.0f} of {echo:,.0f} spans/s"
    beside = f"{speed}; CPU {cpu[1] / cpu[0]:.2f}: {cpu[0]:,.0f} for {cpu[1]:,.0f} µs; load busy {busy:.0%}"
    return Figure(name, ratio, "of echo", beside, f"≥ {THROUGHPUT_GOAL}", ratio >= THROUGHPUT_GOAL)


async def session_start(bench: Bench) -> list[Figure]:
    """How long starting a session takes, one at a time."""
    async with bench.echo() as echo, bench.service() as service:
        job = [Job(each.url, wire.session_start(), connections=1, requests=2000) for each in (echo, service)]
        bare, loaded = [await asyncio.to_thread(run, each) for each in job]
    return _percentiles("POST /session/start", loaded, bare)


def _percentiles(name: str, loaded: Loaded, bare: Loaded | None = None) -> list[Figure]:
    figures = []
    for title, share in (("p50", 0.5), ("p99", 0.99)):
        beside = f"echo {bare.percentile(share):.2f} ms" if bare else f"{len(loaded.times_ms)} requests"
        figures.append(Figure(f"{name}, {title}", loaded.percentile(share), "ms", beside))
        _say(figures[-1])
    return figures


async def export(bench: Bench) -> list[Figure]:
    """How long it takes to read 10 000 events of a session, in two pages."""
    session_id = str(uuid.uuid4())
    half = _EVENTS_EXPORTED // 2
    async with bench.service() as service:
        template = wire.in_session(wire.traces(wire.PROTOBUF, 500), session_id)
        await asyncio.to_thread(run, Job(service.url, template, requests=_EVENTS_EXPORTED // 500))
        pages = [
            await asyncio.to_thread(run, Job(service.url, wire.export(session_id, half, page), 1, requests=20))
            for page in (1, 2)
        ]
    whole = tuple(map(sum, zip(*(page.times_ms for page in pages), strict=True)))
    return _percentiles(f"export of {_EVENTS_EXPORTED:,} events", Loaded(1, 0, whole))


async def streaming(bench: Bench, spans: int) -> list[Figure]:
    """Memory while spans stream in, and what reading one session costs in a small table and in a large one."""
    session_id = str(uuid.uuid4())
    small_session = wire.in_session(wire.traces(wire.PROTOBUF, 50), session_id)
    stream = wire.traces(wire.PROTOBUF, _STREAM_BATCH)
    read = wire.export(session_id, 1000, 1)
    async with bench.service() as service:
        await asyncio.to_thread(run, Job(service.url, small_session, 1, requests=1))
        resident = psutil.Process(service.process.pid)
        memory, exports = [], []
        # A hundredth first: what the service is like once it is warm, and its table still small.
        for share in (0.01, *[0.11] * 9):
            requests = max(1, int(spans * share / _STREAM_BATCH))
            await asyncio.to_thread(run, Job(service.url, stream, requests=requests))
            memory.append(resident.memory_info().rss)
            exports.append(await asyncio.to_thread(run, Job(service.url, read, 1, requests=200)))
    warm, most = memory[1], max(memory[1:])
    grown = most / warm - 1
    slower = exports[-1].percentile(0.5) / exports[0].percentile(0.5)
    figures = [
        Figure(
            f"memory over {spans:,} spans, growth",
            grown,
            "of warm",
            f"{memory[0] / _MB:.0f} MB at 1 %, {warm / _MB:.0f} at 12 %, {most / _MB:.0f} at most",
            f"≤ {MEMORY_GOAL}",
            grown <= MEMORY_GOAL,
        ),
        Figure(
            f"export of 50 events by session among {spans:,}",
            slower,
            f"of {spans // 100:,}",
            f"p50 {exports[-1].percentile(0.5):.2f} ms after {exports[0].percentile(0.5):.2f} ms",
            f"≤ {EXPORT_GOAL}",
            slower <= EXPORT_GOAL,
        ),
    ]
    for figure in figures:
        _say(figure)
    return figures


async def startup(bench: Bench) -> list[Figure]:
    """How long from the start of the process to its first answer."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        async with bench.service() as service, httpx.AsyncClient() as http:
            (await http.get(f"{service.url}/healthz")).raise_for_status()
            times.append(time.perf_counter() - began)
    best, median = min(times), statistics.median(times)
    beside = f"median {median:.2f} s"
    figure = Figure(
        "start-up to first answer, best of 5", best, "s", beside, f"< {STARTUP_GOAL_S}", best < STARTUP_GOAL_S
    )
    _say(figure)
    return [figure]


def _say(figure: Figure) -> None:
    verdict = {None: "", True: "met", False: "missed"}[figure.met]
    goal = f"{figure.goal} {verdict}".strip()
    print(f"{figure.name:<52} {figure.value:>8.2f} {figure.unit:<9} {goal:<13} {figure.beside}", flush=True)


def written(figures: Sequence[Figure], now: dt.datetime) -> str:
    """Write the figures, with the machine they are from, as JSON."""
    machine = {"system": platform.platform(), "python": platform.python_version(), "cores": os.cpu_count()}
    measured = [asdict(figure) for figure in figures]
    return json.dumps({"schema": 1, "measured": now.isoformat(), "machine": machine, "figures": measured}, indent=2)


_MEASUREMENTS = ("startup", "throughput", "session-start", "export", "streaming")


async def _measured(arguments: argparse.Namespace) -> list[Figure]:
    spans = arguments.spans or (_SPANS_LONG if arguments.long else _SPANS)
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as scratch:
        bench = Bench(Path(scratch), arguments.seconds, arguments.rounds)
        try:
            measurements = {
                "startup": lambda: startup(bench),
                "throughput": lambda: throughput(bench),
                "session-start": lambda: session_start(bench),
                "export": lambda: export(bench),
                "streaming": lambda: streaming(bench, spans),
            }
            chosen = arguments.only or _MEASUREMENTS
            return [figure for name in chosen for figure in await measurements[name]()]
        finally:
            bench.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nox -s bench --", description="Measure the embedded service.")
    parser.add_argument("--long", action="store_true", help=f"stream {_SPANS_LONG:,} spans rather than {_SPANS:,}")
    parser.add_argument("--spans", type=int, help="stream so many spans")
    parser.add_argument("--seconds", type=float, default=1.5, help="how long each load lasts (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each pair is compared (default: %(default)s)")
    parser.add_argument("--only", action="append", choices=_MEASUREMENTS, help="measure this alone; may be repeated")
    return parser


@exit_on_error
def main() -> int:
    """Measure, print and write. A goal that is missed is a figure, not a failure: machines differ."""
    figures = asyncio.run(_measured(_parser().parse_args()))
    now = dt.datetime.now(dt.UTC)
    path = project.RESULTS / f"bench-{now:%Y%m%dT%H%M%SZ}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(written(figures, now) + "\n", encoding="utf-8")
    print(f"written to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
