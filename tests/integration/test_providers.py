"""Whose OpenTelemetry provider is the global one: the program's own, the first tracer's, or nobody's yet.

A global provider is set once per process, so these are programs of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.eventually import eventually

if TYPE_CHECKING:
    from honeyhive import HoneyHiveTracer

    from tests.support.children import Children
    from tests.support.server import Server
    from tests.support.tracers import Tracers

OWN_PROVIDER = """
import sys
from honeyhive import HoneyHiveTracer
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

seen = InMemorySpanExporter()
own = TracerProvider()
own.add_span_processor(SimpleSpanProcessor(seen))
trace.set_tracer_provider(own)
tracer = HoneyHiveTracer.init(session_name=sys.argv[1])
"""


def test_a_library_that_asked_for_a_tracer_before_there_was_a_provider_is_traced_from_then_on(
    children: Children, server: Server, resource_name: str
) -> None:
    """Until a provider is set OpenTelemetry hands out a ProxyTracerProvider: the bug that mocks once hid."""
    told = children.answer(
        """
        import sys
        from opentelemetry import trace
        library = trace.get_tracer("some.library")
        before = type(trace.get_tracer_provider()).__name__
        with library.start_as_current_span("too-early"):
            pass
        from honeyhive import HoneyHiveTracer
        tracer = HoneyHiveTracer.init(session_name=sys.argv[1])
        with library.start_as_current_span("in-time"):
            pass
        tracer.flush()
        answer({"session_id": tracer.session_id, "before": before, "main": tracer.is_main_provider})
        """,
        resource_name,
    )

    assert (told["before"], told["main"]) == ("ProxyTracerProvider", True)
    assert server.event(told["session_id"], "in-time")
    assert [event["event_name"] for event in server.children(told["session_id"])] == ["in-time"]


def test_the_first_tracer_is_the_global_provider_and_the_second_is_not(
    children: Children, server: Server, resource_name: str
) -> None:
    told = children.answer(
        """
        import sys
        from honeyhive import HoneyHiveTracer
        from opentelemetry import trace
        first = HoneyHiveTracer.init(session_name=sys.argv[1])
        second = HoneyHiveTracer.init(session_name=sys.argv[1] + "-second")
        is_global = [tracer.provider is trace.get_tracer_provider() for tracer in (first, second)]
        with trace.get_tracer("some.library").start_as_current_span("of-the-library"):
            pass
        with second.trace("of-the-second"):
            pass
        first.flush()
        second.flush()
        answer({"session_id": first.session_id, "second": second.session_id, "global": is_global})
        """,
        resource_name,
    )
    children.on_session(told["second"])

    assert told["global"] == [True, False]
    assert server.event(told["second"], "of-the-second")
    assert [event["event_name"] for event in server.children(told["second"])] == ["of-the-second"]
    held = eventually(lambda: server.events(event_name="of-the-library", session_id=told["session_id"]))
    assert len(held) == 1


def test_the_programs_own_provider_stays_the_global_one_and_keeps_all_its_spans(
    children: Children, resource_name: str
) -> None:
    told = children.answer(
        OWN_PROVIDER
        + """
with trace.get_tracer("some.library").start_as_current_span("of-the-library"):
    pass
answer({
    "session_id": tracer.session_id,
    "is_global": trace.get_tracer_provider() is own,
    "main": tracer.is_main_provider,
    "seen": [span.name for span in seen.get_finished_spans()],
})
""",
        resource_name,
    )

    assert (told["is_global"], told["main"]) == (True, False)
    assert told["seen"] == ["of-the-library"]


def test_beside_the_programs_own_provider_a_tracer_delivers_its_spans_and_no_others(
    children: Children, server: Server, resource_name: str
) -> None:
    told = children.answer(
        OWN_PROVIDER
        + """
with tracer.trace("of-the-tracer"), trace.get_tracer("some.library").start_as_current_span("of-the-library"):
    pass
tracer.flush()
answer({"session_id": tracer.session_id, "seen": [span.name for span in seen.get_finished_spans()]})
""",
        resource_name,
    )

    assert server.event(told["session_id"], "of-the-tracer")
    assert [event["event_name"] for event in server.children(told["session_id"])] == ["of-the-tracer"]
    assert told["seen"] == ["of-the-library"]


def test_the_shutdown_of_a_tracer_leaves_the_programs_own_provider_working(
    children: Children, resource_name: str
) -> None:
    told = children.answer(
        OWN_PROVIDER
        + """
tracer.shutdown()
with trace.get_tracer("some.library").start_as_current_span("afterwards"):
    pass
answer({"session_id": tracer.session_id, "seen": [span.name for span in seen.get_finished_spans()]})
""",
        resource_name,
    )

    assert told["seen"] == ["afterwards"]


def test_a_span_processor_that_the_user_adds_sees_what_the_server_holds(make_tracer: Tracers, server: Server) -> None:
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    seen = InMemorySpanExporter()
    tracer = make_tracer()
    tracer.provider.add_span_processor(SimpleSpanProcessor(seen))
    with tracer.trace("both"):
        pass
    tracer.flush()

    (span,) = seen.get_finished_spans()
    assert span.name == "both"
    assert span.attributes["honeyhive.session_id"] == tracer.session_id
    assert server.event(tracer.session_id, "both")


def test_spans_of_a_tracer_are_where_opentelemetry_looks_for_the_current_one(tracer: HoneyHiveTracer) -> None:
    from opentelemetry.trace import get_current_span

    with tracer.trace("current") as span:
        assert get_current_span() is span
    assert not get_current_span().get_span_context().is_valid


def test_with_opentelemetry_disabled_a_program_runs_and_no_span_leaves(
    children: Children, server: Server, resource_name: str
) -> None:
    told = children.answer(
        """
        import sys
        from honeyhive import HoneyHiveTracer, trace
        tracer = HoneyHiveTracer.init(session_name=sys.argv[1])
        @trace(tracer=tracer)
        def double(number):
            return number * 2
        result = double(2)
        tracer.flush()
        tracer.create_event("by-hand", event_type="tool")
        answer({"session_id": tracer.session_id, "result": result})
        """,
        resource_name,
        OTEL_SDK_DISABLED="true",
        fresh=True,
    )

    assert told["result"] == 4
    server.event(told["session_id"], "by-hand")  # sent last
    assert [event["event_name"] for event in server.children(told["session_id"])] == ["by-hand"]
