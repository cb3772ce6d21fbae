"""How an answer leaves: at once or slowly, whole or cut, in JSON or in what is none, as the model's name says."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from environments.services.http.json_types import dump
from environments.services.llm.calls import Event, Stream
from environments.services.llm.models import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Receive, Send

    from environments.services.llm.calls import Reply
    from environments.services.llm.models import Behaviour

_JSON = b"application/json"
_EVENTS = b"text/event-stream; charset=utf-8"


async def deliver(
    reply: Reply, behaviour: Behaviour, fault: Fault | None, request_id: tuple[str, str], receive: Receive, send: Send
) -> None:
    """Send an answer; `fault` is what goes wrong with this attempt. Returning early closes the connection."""
    if await _client_left(receive, behaviour.first_s):
        return
    kind = _EVENTS if isinstance(reply, Stream) else _JSON
    name, value = request_id
    headers = [(b"content-type", kind), (name.encode(), value.encode())]
    if isinstance(reply, Stream):
        await _start(send, [*headers, (b"cache-control", b"no-cache")])
        await _stream(reply, behaviour, fault, receive, send)
        return
    body = dump(reply.body).encode()
    # Half of a JSON object is none. Where the connection is cut, all of it was announced.
    sent = body if fault is None else body[: len(body) // 2]
    announced = len(body) if fault is Fault.CUT else len(sent)
    await _start(send, [*headers, (b"content-length", str(announced).encode())])
    await send({"type": "http.response.body", "body": sent, "more_body": fault is Fault.CUT})


async def _stream(reply: Stream, behaviour: Behaviour, fault: Fault | None, receive: Receive, send: Send) -> None:
    events = iter(reply.events) if fault is None else _going_wrong(reply, behaviour, fault)
    for number, event in enumerate(events):
        if number and await _client_left(receive, behaviour.between_s):
            return
        await send({"type": "http.response.body", "body": event.encoded(), "more_body": True})
    if fault is not Fault.CUT:
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _going_wrong(reply: Stream, behaviour: Behaviour, fault: Fault) -> Iterator[Event]:
    """Yield the events before the fault, and what then comes instead of the next one."""
    events = list(reply.events)
    # The last event ends the stream: whoever has read it reads no fault.
    at = min(behaviour.after or 0, len(events) - 1)
    yield from events[:at]
    if fault is Fault.FAIL:
        yield reply.failing(behaviour.error())
    elif fault is Fault.MALFORMED:
        yield Event(events[at].name, _half(events[at].data))


def _half(data: str) -> str:
    # OpenAI's streams end with `[DONE]`, half of which is no JSON either.
    return data[: max(1, len(data) // 2)]


async def _start(send: Send, headers: list[tuple[bytes, bytes]]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def _client_left(receive: Receive, seconds: float) -> bool:
    """Wait, and return whether the client went away in the meantime."""
    if seconds <= 0:
        return False
    with suppress(TimeoutError):
        await asyncio.wait_for(receive(), seconds)
        return True  # the request was read completely, so this can only be a disconnect
    return False
