"""Tracer and client together, as a program uses them from start to end."""

# The SDK isn't installed where types are checked.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.support.eventually import eventually

if TYPE_CHECKING:
    from honeyhive import HoneyHive

    from environments.inside.target import Target
    from tests.support.cleanup import Cleanup
    from tests.support.server import Server
    from tests.support.tracers import Tracers


def test_tracer_and_client_write_one_session_that_the_client_reads_back(
    make_tracer: Tracers, client: HoneyHive, server: Server
) -> None:
    from honeyhive import trace
    from honeyhive.models import PostEventRequest

    tracer = make_tracer(source="workflow", inputs={"user": "ada"})

    @trace(tracer=tracer, event_type="model")
    def complete(prompt: str) -> str:
        return prompt.upper()

    with tracer.trace("answer", event_type="chain"):
        complete("hello")
        tracer.enrich_span(metrics={"score": 0.5})
    tracer.enrich_session(metadata={"finished": True})
    tracer.flush()
    client.events.create(
        PostEventRequest(
            event={"event_type": "tool", "event_name": "rate", "session_id": tracer.session_id, "inputs": {"stars": 5}}
        )
    )

    session = server.session(tracer.session_id)
    assert session["inputs"] == {"user": "ada"}
    assert session["metadata"]["finished"] is True
    answer = server.event(tracer.session_id, "answer")
    assert answer["metrics"] == {"score": 0.5}
    assert server.event(tracer.session_id, f"{__name__}.complete")["parent_id"] == answer["event_id"]
    server.event(tracer.session_id, "rate")
    read_back = client.events.export(
        filters=[{"field": "session_id", "operator": "is", "value": tracer.session_id, "type": "string"}]
    )
    assert {event.event_name: event.event_type for event in read_back.events} == {
        tracer.session_name: "session",
        "answer": "chain",
        f"{__name__}.complete": "model",
        "rate": "tool",
    }


PROGRAM = """
import sys
from honeyhive import HoneyHive, HoneyHiveTracer, trace

tracer = HoneyHiveTracer.init(session_name=sys.argv[1])

@trace(event_type="chain")
def answer(question):
    return question[::-1]

answer("abc")
HoneyHive().sessions.start({"session": {"session_name": sys.argv[1] + "-client", "source": "program"}})
"""


def test_a_program_configured_by_its_environment_alone_delivers_everything_when_it_ends_without_a_flush(
    target: Target, server: Server, cleanup: Cleanup, resource_name: str
) -> None:
    variables = {
        "HH_API_KEY": target.api_key,
        "HH_API_URL": target.base_url,
        "HH_PROJECT": target.project.name,
        "HH_SOURCE": "program",
    }
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, resource_name],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=target.timeout_s * 2,
        check=False,
    )
    assert ran.returncode == 0, f"the program failed:\n{ran.stdout}\n{ran.stderr}"

    (session,) = eventually(lambda: server.events(event_name=resource_name, event_type="session"))
    cleanup.register(resource_name, lambda: server.delete_session(session["session_id"]))
    (by_client,) = eventually(lambda: server.events(event_name=f"{resource_name}-client", event_type="session"))
    cleanup.register(f"{resource_name}-client", lambda: server.delete_session(by_client["session_id"]))
    assert session["source"] == "program"
    event = server.event(session["session_id"], "__main__.answer")
    assert event["event_type"] == "chain"
    assert event["inputs"] == {"question": "abc"}
    assert event["outputs"] == {"result": "cba"}
