"""The client's asynchronous calls: many at once, their errors, and what is left when one is given up."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.tracers import UNKNOWN_KEY, client_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from honeyhive import HoneyHive

    from environments.inside.target import Target
    from tests.support.server import Server


def _event(name: str, session_id: str) -> Any:  # noqa: ANN401 - a model of the SDK
    from honeyhive.models import PostEventRequest

    return PostEventRequest(
        event={"event_type": "tool", "event_name": name, "session_id": session_id, "inputs": {"name": name}}
    )


@pytest.mark.concurrent
def test_many_calls_at_once_each_get_their_own_answer(
    client: HoneyHive, start_session: Callable[..., str], server: Server
) -> None:
    session_id = start_session()
    names = [f"event-{number}" for number in range(15)]

    async def write() -> list[Any]:
        return await asyncio.gather(*(client.events.create_async(_event(name, session_id)) for name in names))

    answers = asyncio.run(write())

    for name, answer in zip(names, answers, strict=True):
        event = server.event(session_id, name)
        assert event["event_id"] == answer.event_id
        assert event["inputs"] == {"name": name}


def test_a_session_that_is_started_asynchronously_is_on_the_server(
    client: HoneyHive, server: Server, resource_name: str, delete_session: Callable[[str], None]
) -> None:
    started = asyncio.run(
        client.sessions.start_async({"session": {"session_name": resource_name, "source": "test", "inputs": {"a": 1}}})
    )
    delete_session(started.session_id)

    session = server.session(started.session_id)
    assert (session["event_name"], session["inputs"]) == (resource_name, {"a": 1})


def test_an_asynchronous_call_with_an_unknown_key_raises_what_the_other_does(target: Target) -> None:
    from honeyhive._generated.api_config import HTTPException

    client = client_of(target, target.project, api_key=UNKNOWN_KEY)

    with pytest.raises(HTTPException) as raised:
        asyncio.run(client.sessions.start_async({"session": {"session_name": "refused", "source": "test"}}))

    assert raised.value.status_code == 401


def test_one_call_that_fails_leaves_those_beside_it_alone(
    client: HoneyHive, start_session: Callable[..., str], server: Server
) -> None:
    from honeyhive._generated.api_config import HTTPException
    from honeyhive.models import UpdateEventRequest

    session_id = start_session()

    async def work() -> list[Any]:
        missing = UpdateEventRequest(event_id=str(uuid.uuid4()), metrics={"a": 1})
        calls = [
            client.events.create_async(_event("before", session_id)),
            client.events.update_async(missing),
            client.events.create_async(_event("after", session_id)),
        ]
        return await asyncio.gather(*calls, return_exceptions=True)

    _, failed, _ = asyncio.run(work())

    assert isinstance(failed, HTTPException)
    assert failed.status_code == 404
    assert server.event(session_id, "before")
    assert server.event(session_id, "after")


def test_a_call_that_is_given_up_leaves_the_client_working(
    client: HoneyHive, start_session: Callable[..., str], server: Server
) -> None:
    session_id = start_session()

    async def work() -> None:
        given_up = asyncio.create_task(client.events.create_async(_event("given-up", session_id)))
        await asyncio.sleep(0)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        await client.events.create_async(_event("afterwards", session_id))

    asyncio.run(work())

    assert server.event(session_id, "afterwards")


def test_a_client_works_in_one_event_loop_after_the_other(
    client: HoneyHive, start_session: Callable[..., str], server: Server
) -> None:
    """asyncio.run makes a new loop each time: a connection that was kept would belong to a closed one."""
    session_id = start_session()
    for name in ("first", "second", "third"):
        asyncio.run(client.events.create_async(_event(name, session_id)))

    for name in ("first", "second", "third"):
        assert server.event(session_id, name)


@pytest.mark.concurrent
def test_synchronous_and_asynchronous_calls_may_be_mixed(
    client: HoneyHive, start_session: Callable[..., str], server: Server
) -> None:
    session_id = start_session()

    async def work() -> None:
        await asyncio.gather(
            asyncio.to_thread(client.events.create, _event("in-a-thread", session_id)),
            client.events.create_async(_event("in-the-loop", session_id)),
        )

    asyncio.run(work())

    assert server.event(session_id, "in-a-thread")
    assert server.event(session_id, "in-the-loop")
