"""One trace over several processes: forked, pooled, and on either side of an HTTP call."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.eventually import eventually

if TYPE_CHECKING:
    from tests.support.children import Children
    from tests.support.server import Event, Server

pytestmark = pytest.mark.concurrent


def _names(server: Server, session_id: str, count: int) -> list[str]:
    """Return the names of a session's events as soon as there are that many, sorted."""

    def enough() -> list[Event]:
        held = server.children(session_id)
        assert len(held) >= count, f"{len(held)} events, not {count}: {sorted(e['event_name'] for e in held)}"
        return held

    return sorted(event["event_name"] for event in eventually(enough))


# ---- Fork and pools ----------------------------------------------------------------------------------


def test_a_forked_child_delivers_its_own_spans_into_the_session_of_its_parent(
    children: Children, server: Server, resource_name: str
) -> None:
    told = children.answer(
        """
        import os, sys
        from honeyhive import HoneyHiveTracer
        tracer = HoneyHiveTracer.init(session_name=sys.argv[1])
        child = os.fork()
        with tracer.trace("child" if child == 0 else "parent"):
            pass
        tracer.flush()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        answer({"session_id": tracer.session_id})
        """,
        resource_name,
    )

    assert _names(server, told["session_id"], 2) == ["child", "parent"]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the sockets of a process are read from /proc")
def test_the_child_of_a_fork_sends_over_a_connection_of_its_own(children: Children, resource_name: str) -> None:
    told = children.answer(
        """
        import os, sys
        from honeyhive import HoneyHiveTracer

        def sockets():
            links = []
            for number in os.listdir("/proc/self/fd"):
                try:
                    links.append(os.readlink(f"/proc/self/fd/{number}"))
                except FileNotFoundError:  # the folder's own
                    pass
            return {link for link in links if link.startswith("socket:")}

        tracer = HoneyHiveTracer.init(session_name=sys.argv[1], disable_batch=True)
        with tracer.trace("before"):
            pass
        inherited = sockets()
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            with tracer.trace("child"):
                pass
            os.write(writer, str(len(sockets() - inherited)).encode())
            os._exit(0)
        os.waitpid(child, 0)
        answer({"session_id": tracer.session_id, "inherited": len(inherited), "new": int(os.read(reader, 9))})
        """,
        resource_name,
    )

    assert told["inherited"] == 1
    assert told["new"] == 1, "the child sends over the connection of its parent"


def test_what_was_pending_at_a_fork_is_delivered_once(children: Children, server: Server, resource_name: str) -> None:
    told = children.answer(
        """
        import os, sys
        from honeyhive import HoneyHiveTracer
        tracer = HoneyHiveTracer.init(session_name=sys.argv[1])
        with tracer.trace("pending"):
            pass
        child = os.fork()
        if child == 0:
            tracer.flush()
            with tracer.trace("child"):
                pass
            tracer.flush()
            os._exit(0)
        os.waitpid(child, 0)
        tracer.flush()
        answer({"session_id": tracer.session_id})
        """,
        resource_name,
    )

    assert _names(server, told["session_id"], 2) == ["child", "pending"]


def test_a_tracer_made_after_a_fork_has_a_session_of_its_own(
    children: Children, server: Server, resource_name: str
) -> None:
    """A server that loads its program before it forks its workers."""
    told = children.answer(
        """
        import os, sys
        from honeyhive import HoneyHiveTracer
        reader, writer = os.pipe()
        child = os.fork()
        tracer = HoneyHiveTracer.init(session_name=sys.argv[1])
        with tracer.trace("child" if child == 0 else "parent"):
            pass
        tracer.flush()
        if child == 0:
            os.write(writer, tracer.session_id.encode())
            os._exit(0)
        os.waitpid(child, 0)
        answer({"session_id": tracer.session_id, "child": os.read(reader, 100).decode()})
        """,
        resource_name,
    )
    children.on_session(told["child"])

    assert _names(server, told["session_id"], 1) == ["parent"]
    assert _names(server, told["child"], 1) == ["child"]


POOL = """
import multiprocessing, os, sys
from concurrent.futures import ProcessPoolExecutor
from honeyhive import HoneyHiveTracer

def work(number):
    from honeyhive import HoneyHiveTracer
    tracer = HoneyHiveTracer.init(session_id=os.environ["SESSION"], session_name=os.environ["NAME"])
    with tracer.trace(f"task-{number}"):
        pass
    return tracer.flush()

if __name__ == "__main__":
    tracer = HoneyHiveTracer.init(session_name=sys.argv[1])
    os.environ.update(SESSION=tracer.session_id, NAME=sys.argv[1])
    with ProcessPoolExecutor(int(sys.argv[3]), mp_context=multiprocessing.get_context(sys.argv[2])) as pool:
        list(pool.map(work, range(4)))
    answer({"session_id": tracer.session_id})
"""


# What is spawned imports the SDK anew: one such process is enough.
@pytest.mark.parametrize(("method", "processes"), [("fork", 2), ("spawn", 1)])
def test_the_tasks_of_a_process_pool_write_into_the_session_whose_id_they_are_given(
    children: Children, server: Server, resource_name: str, method: str, processes: int
) -> None:
    told = children.answer(POOL, resource_name, method, str(processes))

    assert _names(server, told["session_id"], 4) == [f"task-{number}" for number in range(4)]
    assert server.session(told["session_id"])["event_name"] == resource_name


# ---- HTTP --------------------------------------------------------------------------------------------

SERVICE = """
import http.server, os, socketserver, sys
from honeyhive import HoneyHiveTracer
from opentelemetry import baggage
from opentelemetry.context import attach, detach

tracer = HoneyHiveTracer.init(session_name=sys.argv[1])

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        token = attach(tracer.extract_context(dict(self.headers)))
        with tracer.trace("handled"):
            said = {"tenant": baggage.get_baggage("tenant")}
        detach(token)
        tracer.flush()
        answer({"session_id": tracer.session_id, "headers": dict(self.headers), **said})
        self.send_response(200)
        self.end_headers()

    def address_string(self):
        return "unix"

with socketserver.UnixStreamServer(sys.argv[2], Handler) as server:
    server.handle_request()
"""
CALLER = """
import sys
import httpx
from honeyhive import HoneyHiveTracer

tracer = HoneyHiveTracer.init(session_name=sys.argv[1])
tracer.set_baggage("tenant", "zoë")
with tracer.trace("calls") as span:
    headers = {}
    tracer.inject_context(headers)
    with httpx.Client(transport=httpx.HTTPTransport(uds=sys.argv[2])) as client:
        client.get("http://service/", headers=headers).raise_for_status()
tracer.flush()
answer({"session_id": tracer.session_id, "trace": format(span.get_span_context().trace_id, "032x"), "headers": headers})
"""


@pytest.fixture
def call_over_http(children: Children, resource_name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Have one process call another; return what either answered.

    Over a Unix socket, which needs no port; in a folder of its own, because its path may have some hundred characters.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "http"
        service = children.start(SERVICE, f"{resource_name}-service", str(path))
        eventually(path.exists)
        caller = children.answer(CALLER, f"{resource_name}-caller", str(path))
        return caller, service.ended().answer


def test_a_span_on_the_other_side_of_an_http_call_continues_the_trace_and_knows_the_baggage_of_the_caller(
    call_over_http: tuple[dict[str, Any], dict[str, Any]], server: Server
) -> None:
    caller, service = call_over_http

    calls = server.event(caller["session_id"], "calls")
    handled = eventually(lambda: server.events(event_name="handled", parent_id=calls["event_id"]))
    assert len(handled) == 1
    assert service["headers"]["traceparent"].split("-")[1] == caller["trace"]
    assert service["tenant"] == "zoë"


def test_the_headers_of_a_call_tell_another_service_no_key_and_no_session(
    call_over_http: tuple[dict[str, Any], dict[str, Any]], children: Children
) -> None:
    caller, _ = call_over_http

    told = " ".join(caller["headers"].values())
    assert children.variables["HH_API_KEY"] not in told
    assert caller["session_id"] not in told


def test_a_service_that_is_told_the_session_writes_into_the_session_of_its_caller(
    children: Children, server: Server, resource_name: str
) -> None:
    """The SDK's headers leave the session out: a program that wants one session says which."""
    first = children.answer(
        """
        import sys
        from honeyhive import HoneyHiveTracer
        tracer = HoneyHiveTracer.init(session_name=sys.argv[1])
        with tracer.trace("calls"):
            carrier = {}
            tracer.inject_context(carrier)
        tracer.flush()
        answer({"session_id": tracer.session_id, "carrier": carrier})
        """,
        resource_name,
    )
    children.answer(
        """
        import json, sys
        from honeyhive import HoneyHiveTracer
        from opentelemetry.context import attach
        tracer = HoneyHiveTracer.init(session_id=sys.argv[1], session_name=sys.argv[2])
        attach(tracer.extract_context(json.loads(sys.argv[3])))
        with tracer.trace("handled"):
            pass
        tracer.flush()
        answer({})
        """,
        first["session_id"],
        resource_name,
        json.dumps(first["carrier"]),
    )

    calls = server.event(first["session_id"], "calls")
    assert server.event(first["session_id"], "handled")["parent_id"] == calls["event_id"]
