"""How the SDK degrades: each row of the table in `tests/support/degradation`, made true with real sockets.

For every row: nothing is raised but what the table says, nothing blocks longer than it says, the server has what it
says, the SDK tried once, and when the fault is lifted the same object works again.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tests.support.degradation.entries import ENTRIES, TRACES, User, observe
from tests.support.degradation.table import FAULTS, TABLE
from tests.support.eventually import eventually
from tests.support.faults import Delay, Hang

if TYPE_CHECKING:
    from honeyhive import HoneyHiveTracer

    from environments.inside.target import Target
    from tests.support.cleanup import Cleanup
    from tests.support.degradation.table import Row
    from tests.support.faults import Proxy
    from tests.support.server import Server
    from tests.support.tracers import Tracers

# Those that hang have a module of their own, in which they hang together.
CASES = [
    pytest.param(row, fault, id=f"{row.entry}-{fault}", marks=[pytest.mark.sdk(row.sdk)] if row.sdk else [])
    for row in TABLE
    for fault in row.faults
    if fault != "hanging"
]


@pytest.fixture
def user(
    proxy: Proxy, target: Target, server: Server, make_tracer: Tracers, cleanup: Cleanup, resource_name: str
) -> User:
    """Call the SDK through the proxy, and leave no session behind that only the server knows of."""
    calling = User(proxy, target, server, make_tracer, resource_name)
    cleanup.register(resource_name, calling.delete_sessions)
    return calling


@pytest.mark.parametrize(("row", "fault"), CASES)
def test_the_sdk_degrades_as_the_table_says(row: Row, fault: str, user: User) -> None:
    entry = ENTRIES[row.entry](user)
    before = user.proxy.count(*entry.route)
    user.proxy.fail(FAULTS[fault])

    ending = observe(entry.call)

    tried = user.proxy.count(*entry.route) - before
    user.proxy.lift()
    assert ending.says == row.says.format(fault=fault)
    assert ending.took_s <= row.within_s
    assert tried == (0 if fault == "refused" else 1)  # who is refused is not seen

    entry.again()
    eventually(entry.is_kept_again)  # sent last: what came before it is stored by now, or lost
    assert entry.is_kept() is row.kept


def test_a_session_that_was_started_unheard_is_nobodys(user: User) -> None:
    user.proxy.fail(FAULTS["unanswered"], "/session/start")

    tracer = user.tracer()

    (orphan,) = eventually(user.sessions)
    assert orphan != tracer.session_id


def test_a_tracer_without_a_session_keeps_its_spans_together(user: User) -> None:
    user.proxy.fail(FAULTS["503"], "/session/start")
    tracer = user.tracer()
    with tracer.trace("outer"), tracer.trace("inner"):
        pass
    tracer.flush()

    inner, outer = (user.server.event(tracer.session_id, name) for name in ("inner", "outer"))

    assert (inner["parent_id"], outer["parent_id"]) == (outer["event_id"], tracer.session_id)
    assert user.sessions() == []


def test_what_was_sent_before_and_after_a_fault_is_all_there(user: User) -> None:
    tracer = user.tracer()
    for name in ("before", "during", "after"):
        user.proxy.lift() if name != "during" else user.proxy.fail(FAULTS["503"], "/opentelemetry/*")
        for number in range(5):
            with tracer.trace(f"{name}-{number}"):
                pass
        tracer.flush()

    user.server.event(tracer.session_id, "after-4")
    held = [event["event_name"] for event in user.server.children(str(tracer.session_id))]
    assert sorted(held) == [f"{name}-{number}" for name in ("after", "before") for number in range(5)]


def test_a_fault_of_one_tracer_costs_another_nothing(user: User, tracer: HoneyHiveTracer) -> None:
    unlucky = user.tracer()
    user.proxy.fail(FAULTS["503"])
    for one in (unlucky, tracer):
        with one.trace("traced"):
            pass

    unlucky.flush()
    tracer.flush()

    user.server.event(tracer.session_id, "traced")
    assert user.server.children(str(unlucky.session_id)) == []


def test_a_traced_function_returns_and_raises_as_if_nothing_was_wrong(user: User) -> None:
    from honeyhive import trace

    tracer = user.tracer(disable_batch=True)
    user.proxy.fail(FAULTS["reset"])

    @trace(tracer=tracer)  # type: ignore[untyped-decorator]
    def divided(one: int, other: int) -> float:
        return one / other

    assert divided(6, 3) == 2
    with pytest.raises(ZeroDivisionError):
        divided(6, 0)


# ---- What should be ----------------------------------------------------------------------------------


def test_a_tracer_is_not_held_up_by_the_flush_of_another(user: User, tracer: HoneyHiveTracer) -> None:
    held_up = user.tracer()
    for one in (held_up, tracer):
        with one.trace("traced"):
            pass
    user.proxy.fail(Hang())
    flushing = threading.Thread(target=held_up.flush)
    flushing.start()
    eventually(lambda: user.proxy.count(*TRACES))

    says = tracer.flush(timeout_millis=500)

    user.proxy.lift()
    flushing.join()
    assert says is True, f"the flush of another tracer says {says}"
    user.server.event(tracer.session_id, "traced")


def test_a_flush_ends_when_its_time_is_up(user: User) -> None:
    tracer = user.tracer()
    with tracer.trace("traced"):
        pass
    user.proxy.fail(Delay(2), TRACES[1])

    ending = observe(lambda: tracer.flush(timeout_millis=500))

    assert ending.took_s < 1.5, "flush() went on when its time was up"


@pytest.mark.parametrize("status", ["429", "503"])
def test_spans_survive_one_answer_that_asks_to_try_again(status: str, user: User) -> None:
    tracer = user.tracer()
    with tracer.trace("traced"):
        pass
    user.proxy.fail(FAULTS[status], TRACES[1], first=1)

    tracer.flush()

    assert user.proxy.count(*TRACES) == 2, "the batch was not sent again"
    user.server.event(tracer.session_id, "traced")


@pytest.mark.parametrize("fault", ["refused", "reset", "503"])
def test_flush_does_not_say_that_lost_spans_were_sent(fault: str, user: User) -> None:
    tracer = user.tracer()
    with tracer.trace("traced"):
        pass
    user.proxy.fail(FAULTS[fault])

    says = tracer.flush()

    assert says is False, f"of spans that are lost flush() says {says}"
