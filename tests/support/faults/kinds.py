"""What can go wrong with one request, each as data: what the server does with it, and what the client gets to see."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Answer:
    """An HTTP response, whole. Its length is not among the headers."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def head(self) -> bytes:
        """The bytes before the body: they promise all of it."""
        reason = HTTPStatus(self.status).phrase
        lines = [f"HTTP/1.1 {self.status} {reason}"]
        lines += [f"{name}: {value}" for name, value in (*self.headers, ("Content-Length", str(len(self.body))))]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Exchange(Protocol):
    """One request that has been read, and the connection that it came on."""

    def forward(self) -> Answer:
        """Have the server do what it is asked, and return what it says."""

    def write(self, data: bytes) -> None:
        """Send bytes to the client."""

    def wait(self, seconds: float | None = None) -> bool:
        """Wait this long, or for ever; return True at once when the fault is lifted."""

    def drop(self, *, reset: bool = False) -> None:
        """End the connection; `reset` says so rudely."""


@dataclass(frozen=True)
class Refuse:
    """Nobody listens: connections are refused, and open ones end. It is a matter of the port, so of every path."""


@dataclass(frozen=True)
class Reset:
    """Read the request, then reset the connection. The server never sees it."""

    def act(self, exchange: Exchange) -> None:
        exchange.drop(reset=True)


@dataclass(frozen=True)
class Hang:
    """Read the request, and say nothing until the fault is lifted; then end. The server never sees it."""

    def act(self, exchange: Exchange) -> None:
        exchange.wait()
        exchange.drop()


@dataclass(frozen=True)
class Delay:
    """Answer rightly, this much later."""

    seconds: float

    def act(self, exchange: Exchange) -> None:
        answer = exchange.forward()
        exchange.wait(self.seconds)
        exchange.write(answer.head + answer.body)


@dataclass(frozen=True)
class Throttle:
    """Answer rightly, a few bytes at a time."""

    bytes_at_a_time: int
    every_s: float

    def act(self, exchange: Exchange) -> None:
        answer = exchange.forward()
        data = answer.head + answer.body
        for start in range(0, len(data), self.bytes_at_a_time):
            exchange.write(data[start : start + self.bytes_at_a_time])
            exchange.wait(self.every_s)


@dataclass(frozen=True)
class Cut:
    """Have the server do what it is asked, then end the connection in the middle of its answer.

    After so many bytes of the body; `None` is before the first byte of the head.
    """

    after: int | None = 1

    def act(self, exchange: Exchange) -> None:
        answer = exchange.forward()
        if self.after is not None:
            exchange.write(answer.head + answer.body[: self.after])
        exchange.drop()


@dataclass(frozen=True)
class Garbage:
    """Answer 200 with what is no JSON, as a captive portal does. The server never sees the request."""

    body: bytes = b"<html>Please log in to this network</html>"

    def act(self, exchange: Exchange) -> None:
        answer = Answer(200, (("Content-Type", "text/html"),), self.body)
        exchange.write(answer.head + answer.body)


@dataclass(frozen=True)
class NotHttp:
    """Answer with bytes that are no HTTP at all. The server never sees the request."""

    data: bytes = b"\x00\xff220 mail.example ESMTP\r\n"

    def act(self, exchange: Exchange) -> None:
        exchange.write(self.data)
        exchange.drop()


@dataclass(frozen=True)
class Status:
    """Answer this status. The server sees the request only where `done` says that it was done all the same."""

    code: int
    headers: Mapping[str, str] = field(default_factory=dict)
    done: bool = False

    def act(self, exchange: Exchange) -> None:
        said = {"error": f"{self.code} by the proxy", "message": f"{self.code} by the proxy"}
        made = Answer(self.code, (("Content-Type", "application/json"),), json.dumps(said).encode())
        answer = exchange.forward() if self.done else made
        answer = Answer(self.code, (*answer.headers, *self.headers.items()), answer.body)
        exchange.write(answer.head + answer.body)


# What an exchange can suffer; Refuse needs none.
RequestFault: TypeAlias = Reset | Hang | Delay | Throttle | Cut | Garbage | NotHttp | Status
Fault: TypeAlias = Refuse | RequestFault
