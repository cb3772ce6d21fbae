"""What was acknowledged stays: through SIGKILL, full disks and disks that turn read-only."""

from __future__ import annotations

import os
import random
import resource
import shutil
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.unit.services.honeyhive.running import (
    Event,
    Service,
    answered,
    new_id,
    otlp,
    refused,
    span,
    supervised,
    where,
)
from tests.unit.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_BATCH = 5
_CLIENTS = 6


@dataclass
class Load:
    """Clients that write until the service is gone, and what they were told is stored. A write is its events' ids."""

    url: str
    acknowledged: list[tuple[str, ...]] = field(default_factory=list)
    asked: list[tuple[str, ...]] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[None]:
        ways = (_start_session, _send_json, _send_protobuf, _create_batch)
        threads = [threading.Thread(target=self._write, args=(ways[index % 4],)) for index in range(_CLIENTS)]
        for thread in threads:
            thread.start()
        yield
        for thread in threads:
            thread.join()

    def _write(self, write: Callable[[httpx.Client, tuple[str, ...]], httpx.Response]) -> None:
        with httpx.Client(base_url=self.url, headers={"Authorization": "Bearer key-one"}) as http:
            while True:
                ids = tuple(new_id() for _ in range(1 if write is _start_session else _BATCH))
                self.asked.append(ids)
                try:
                    answered(write(http, ids))
                except httpx.TransportError:
                    return
                self.acknowledged.append(ids)


def _start_session(http: httpx.Client, ids: tuple[str, ...]) -> httpx.Response:
    return http.post("/session/start", json={"session": {"session_id": ids[0]}})


def _create_batch(http: httpx.Client, ids: tuple[str, ...]) -> httpx.Response:
    return http.post(
        "/events/batch", json={"events": [{"event_type": "tool", "event_id": i, "inputs": {}} for i in ids]}
    )


def _spans(ids: tuple[str, ...]) -> Event:
    return otlp(*(span("s", new_id(), {"honeyhive_event_id": event_id}) for event_id in ids))


def _send_json(http: httpx.Client, ids: tuple[str, ...]) -> httpx.Response:
    return http.post("/opentelemetry/v1/traces", json=_spans(ids))


def _send_protobuf(http: httpx.Client, ids: tuple[str, ...]) -> httpx.Response:
    request = ExportTraceServiceRequest()
    scoped = request.resource_spans.add().scope_spans.add()
    for event_id in ids:
        sent = scoped.spans.add(name="s", trace_id=os.urandom(16), span_id=os.urandom(8))
        for key, text in (("honeyhive_event_id", event_id), ("honeyhive.session_id", new_id())):
            sent.attributes.add(key=key).value.string_value = text
    headers = {"Content-Type": "application/x-protobuf"}
    response = http.post("/opentelemetry/v1/traces", content=request.SerializeToString(), headers=headers)
    # Answered in protobuf, where success is an empty message.
    assert (response.status_code, response.content) == (200, b"")
    return httpx.Response(200, json={})


def stored_ids(service: Service) -> set[str]:
    found: set[str] = set()
    page = 1
    while True:
        exported = service.export(limit=7500, page=page, projections=["event_id"])
        found.update(event["event_id"] for event in exported["events"])
        if page * 7500 >= exported["totalEvents"]:
            return found
        page += 1


def killed_under_load(folder: Path, after: int) -> Load:
    """Kill a service without warning once it has acknowledged so many writes."""
    with supervised(data_dir=str(folder)) as service:
        load = Load(service.url)
        with load.running():
            wait_until(lambda: len(load.acknowledged) >= after, f"{after} writes are acknowledged")
            service.process.kill()
    return load


def check_nothing_is_lost(folder: Path, rounds: int) -> str:
    acknowledged: set[str] = set()
    writes = halves = 0
    for _ in range(rounds):
        load = killed_under_load(folder, after=random.randint(50, 400))  # noqa: S311 - a moment, not a secret
        acknowledged.update(*load.acknowledged)
        writes += len(load.acknowledged)
        with supervised(data_dir=str(folder)) as service:
            stored = stored_ids(service)
        assert acknowledged <= stored, f"{len(acknowledged - stored)} of {len(acknowledged)} are lost"
        halves += sum(0 < len(stored.intersection(ids)) < len(ids) for ids in load.asked)
        assert halves == 0
    return (
        f"{rounds} kills under load: {writes} writes acknowledged with {len(acknowledged)} events, "
        f"{len(acknowledged - stored)} lost, {halves} half applied"
    )


def test_nothing_acknowledged_is_lost_when_the_service_is_killed(tmp_path: Path) -> None:
    check_nothing_is_lost(tmp_path, rounds=1)


@pytest.mark.proof
def test_nothing_acknowledged_is_lost_in_twenty_kills(tmp_path: Path) -> None:
    print(check_nothing_is_lost(tmp_path, rounds=20))


# ---- Disks -------------------------------------------------------------------------------------------

_FILLER = "x" * 100_000


def fill(service: Service) -> tuple[list[str], str]:
    """Store events until the disk takes no more; return their ids and the reason that was given."""
    stored: list[str] = []
    while True:
        event = {"event_type": "tool", "event_id": new_id(), "event_name": "filler", "inputs": {"x": _FILLER}}
        response = service.post("/events", {"event": event})
        if response.status_code != 200:
            status, reason = refused(response)
            assert status == 503
            return stored, reason
        stored.append(str(event["event_id"]))
        assert len(stored) < 1000, "the disk is never full"


def check_every_write_is_refused(service: Service) -> None:
    big = {"x": _FILLER * 2}
    session = {"session": {"inputs": big}}
    event = {"event_type": "tool", "inputs": big}
    for path, body in (
        ("/session/start", session),
        ("/events", {"event": event}),
        ("/events/batch", {"events": [event]}),
        ("/opentelemetry/v1/traces", otlp(span("s", having={"honeyhive_inputs.x": big["x"]}))),
    ):
        status, reason = refused(service.post(path, body))
        assert (status, reason.partition(":")[0]) == (503, "storage is unavailable"), path


def check_all_are_there(service: Service, ids: list[str]) -> None:
    found = service.export(where("event_name", "filler"), limit=7500, projections=["event_id"])
    assert {event["event_id"] for event in found["events"]} == set(ids)


def test_a_file_that_may_not_grow_is_a_503_with_a_reason_until_it_may(tmp_path: Path) -> None:
    with supervised(data_dir=str(tmp_path)) as service:
        pid = service.process.pid
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (2_000_000, hard))
        stored, reason = fill(service)
        assert "SQLITE_IOERR_WRITE" in reason or "SQLITE_FULL" in reason
        check_every_write_is_refused(service)
        check_all_are_there(service, stored)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
        stored.append(service.create_event(event_name="filler"))
        check_all_are_there(service, stored)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("only root can mount a disk")
    command = [mount, "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"this system lets nobody mount a disk: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S607 - beside mount


def test_a_full_disk_is_a_503_with_a_reason_until_there_is_space(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(2_500_000))
    with supervised(data_dir=str(small_disk)) as service:
        stored, reason = fill(service)
        assert reason == "storage is unavailable: database or disk is full (SQLITE_FULL)"
        check_every_write_is_refused(service)
        check_all_are_there(service, stored)
        ballast.unlink()
        stored.append(service.create_event(event_name="filler"))
        check_all_are_there(service, stored)
    with supervised(data_dir=str(small_disk)) as service:
        check_all_are_there(service, stored)


def test_a_disk_that_is_read_only_is_told_at_the_start(small_disk: Path) -> None:
    from tests.unit.services.honeyhive.test_main import run

    remount = ["mount", "-o", "remount,ro", str(small_disk)]
    subprocess.run(remount, check=True)
    done = run("--data-dir", str(small_disk))
    assert done.returncode == 1
    assert f"error: cannot use the data folder {small_disk}: Read-only file system" in done.stderr
    subprocess.run([*remount[:2], "remount,rw", str(small_disk)], check=True)
    with supervised(data_dir=str(small_disk)) as service:
        service.create_event()


@pytest.fixture
def disk_that_fails(tmp_path: Path) -> Iterator[Path]:
    """Mount a real file system of its own, from a file."""
    image, folder = tmp_path / "image", tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or not (shutil.which("mkfs.ext4") and shutil.which("mount")):
        pytest.skip("only root can mount a disk, and mkfs.ext4 makes one")
    with image.open("wb") as made:
        made.truncate(16_000_000)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)  # noqa: S607 - looked up above
    command = ["mount", "-o", "loop", str(image), str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"this system lets nobody mount a disk: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S607 - beside mount


def test_a_disk_that_turns_read_only_is_a_503_with_a_reason_and_still_read(disk_that_fails: Path) -> None:
    with supervised(data_dir=str(disk_that_fails)) as service:
        stored = [service.create_event(event_name="filler")]
        # What the system itself does to a disk with errors.
        subprocess.run(["mount", "-o", "remount,abort", str(disk_that_fails)], check=False, capture_output=True)  # noqa: S607
        wait_until(lambda: not _is_writable(disk_that_fails), "the disk is read-only")
        check_every_write_is_refused(service)
        check_all_are_there(service, stored)


def _is_writable(folder: Path) -> bool:
    try:
        (folder / "probe").write_text("")
    except OSError:
        return False
    return True
