"""The load: a process that sends requests over kept connections, as fast as they are answered, and keeps the times.

Raw sockets and one thread per connection, because an HTTP client would cost more than what it measures. It tells its
own processor time: near one core, it measures itself.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from environments.bench.wire import Template
from environments.errors import ServiceFailed
from environments.inside import lifeline

_TIMEOUT_S = 120
_END_OF_HEAD = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Job:
    """What to send, and how long: for `seconds`, or until so many `requests` are answered."""

    url: str
    template: Template
    connections: int = 4
    seconds: float = 0
    requests: int = 0


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of it. Times are of each request, in milliseconds, sorted."""

    elapsed_s: float
    cpu_s: float
    times_ms: tuple[float, ...]

    @property
    def per_second(self) -> float:
        """Requests answered in a second."""
        return len(self.times_ms) / self.elapsed_s

    @property
    def busy(self) -> float:
        """What part of one core the load itself needed."""
        return self.cpu_s / self.elapsed_s

    def percentile(self, share: float) -> float:
        """Return the time within which so many of the requests were answered."""
        return self.times_ms[min(len(self.times_ms) - 1, int(share * len(self.times_ms)))]


def run(job: Job) -> Loaded:
    """Run a load in a process of its own."""
    sent = {**asdict(job), "template": job.template.to_json()}
    done = subprocess.run(
        [sys.executable, "-m", "environments.bench.load"],
        input=json.dumps(sent),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ServiceFailed(
            f"the load ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}",
            remedy="read what it says; then run `nox -s bench` again",
        )
    told: dict[str, Any] = json.loads(done.stdout)
    return Loaded(told["elapsed_s"], told["cpu_s"], tuple(told["times_ms"]))


class _Connection:
    """One kept connection, and the requests that it answered."""

    def __init__(self, job: Job, requests: int) -> None:
        address = urlsplit(job.url)
        self._socket = socket.create_connection((address.hostname, address.port or 80), timeout=_TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._template = job.template
        self._head = (
            f"POST {job.template.path} HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer bench\r\n"
            f"Content-Type: {job.template.media_type}\r\nContent-Length: "
        ).encode()
        self._seconds, self._requests = job.seconds, requests
        self.times_ms: list[float] = []
        self.failure: Exception | None = None

    def work(self) -> None:
        """Send until it is enough."""
        deadline = time.monotonic() + self._seconds
        try:
            while len(self.times_ms) < self._requests or time.monotonic() < deadline:
                body = self._template.fresh()
                began = time.perf_counter()
                self._socket.sendall(b"%b%d%b%b" % (self._head, len(body), _END_OF_HEAD, body))
                self._read_answer()
                self.times_ms.append((time.perf_counter() - began) * 1000)
        except (OSError, ValueError) as error:
            self.failure = error
        finally:
            self._socket.close()

    def _read_answer(self) -> None:
        received = b""
        while _END_OF_HEAD not in received:
            received += self._piece()
        head, _, start = received.partition(_END_OF_HEAD)
        if not head.startswith(b"HTTP/1.1 200 "):
            raise ValueError(f"the answer is {head[:40].decode(errors='replace')!r}: {start[:200]!r}")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        missing = int(length.partition(b":")[2]) - len(start)
        while missing > 0:
            missing -= len(self._piece())

    def _piece(self) -> bytes:
        piece = self._socket.recv(1 << 20)
        if not piece:
            raise ValueError("the server closed the connection")
        return piece


def main() -> int:
    """Read a job from stdin, do it, and write what came of it to stdout."""
    lifeline.follow_from_environment()
    sent = json.loads(sys.stdin.read())
    job = Job(**{**sent, "template": Template.from_json(sent["template"])})
    connections = [_Connection(job, -(-job.requests // job.connections)) for _ in range(job.connections)]
    threads = [threading.Thread(target=connection.work) for connection in connections]
    cpu_before, began = sum(os.times()[:2]), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed_s, cpu_s = time.perf_counter() - began, sum(os.times()[:2]) - cpu_before
    for connection in connections:
        if connection.failure:
            print(connection.failure, file=sys.stderr)
            return 1
    times_ms = sorted(time_ms for connection in connections for time_ms in connection.times_ms)
    json.dump({"elapsed_s": elapsed_s, "cpu_s": cpu_s, "times_ms": times_ms}, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
