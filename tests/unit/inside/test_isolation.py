from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.inside.running import Inside


@pytest.fixture
def cell(inside: Inside) -> Inside:
    """Lay out a cell that tests honeyhive 1.2.0."""
    inside.aim()
    inside.install_sdk("1.2.0")
    return inside


def leaks(cell: Inside, test: str) -> str:
    """Return what the cell says that a test leaks; nothing where it does not fail for that."""
    ended = [e for e in cell.entries("phase") if e["test"].endswith(test) and e["when"] == "teardown"]
    (told,) = [one["reason"] for one in ended]
    return str(told).removeprefix("Failed: this test leaks: ")


@pytest.mark.parametrize(
    ("body", "leaked"),
    [
        (
            "threading.Thread(target=threading.Event().wait, name='forgotten', daemon=True).start()",
            "the thread 'forgotten' still runs",
        ),
        ("kept.append(socket.create_server(('127.0.0.1', 0)))", "the socket that listens on port "),
        ("kept.append(socket.create_connection(service))", "the socket to 127.0.0.1:"),
        ("os.environ['MADE'] = 'canary'", "the variable MADE is not as it was"),
        ("os.environ['HOME'] = 'canary'", "the variable HOME is not as it was"),
        ("del os.environ['HOME']", "the variable HOME is not as it was"),
        ("trace.set_tracer_provider(trace.NoOpTracerProvider())", "OpenTelemetry's tracer provider is not as it was"),
        ("propagate.set_global_textmap(TextMap())", "OpenTelemetry's propagator is not as it was"),
        ("context.attach(baggage.set_baggage('user', 'ada'))", "OpenTelemetry's context is not as it was"),
    ],
)
def test_a_test_that_leaks_fails_and_the_next_one_does_not(cell: Inside, body: str, leaked: str) -> None:
    cell.variables["HOME"] = str(cell.folder)
    (host, port), *_ = cell.pairs
    ended = cell.pytest(
        f"""
        import os, socket, threading
        from opentelemetry import baggage, context, propagate, trace
        from opentelemetry.baggage.propagation import W3CBaggagePropagator as TextMap

        service = ({host!r}, {port})
        kept = []
        def test_that_leaks():
            {body}
        def test_that_does_not(): pass
        """,
    )

    assert ended.status == 1, ended
    assert leaks(cell, "test_that_leaks").startswith(leaked)
    assert "canary" not in leaks(cell, "test_that_leaks")
    assert leaks(cell, "test_that_does_not") == ""


def test_what_ends_or_is_put_back_is_no_leak(cell: Inside) -> None:
    (host, port), *_ = cell.pairs
    ended = cell.pytest(
        f"""
        import os, socket, threading, time
        from opentelemetry import context, trace

        def test_one(monkeypatch):
            monkeypatch.setenv("MADE", "here")
            threading.Thread(target=time.sleep, args=(0.2,)).start()
            with socket.create_server(("127.0.0.1", 0)), socket.create_connection(({host!r}, {port})):
                token = context.attach(context.set_value("key", 1))
            context.detach(token)
        """,
    )

    assert ended.status == 0, ended


def test_what_a_fixture_of_a_wider_scope_makes_is_no_leak_of_the_test_that_asked_first(cell: Inside) -> None:
    ended = cell.pytest(
        """
        import os, socket, threading
        import pytest
        from opentelemetry import trace

        @pytest.fixture(scope="session")
        def everything():
            os.environ["MADE"] = "here"
            trace.set_tracer_provider(trace.NoOpTracerProvider())
            stop = threading.Event()
            threading.Thread(target=stop.wait, daemon=True).start()
            with socket.create_server(("127.0.0.1", 0)):
                yield
            stop.set()

        def test_before(): pass
        def test_first(everything): pass
        def test_second(everything): pass
        """,
    )

    assert ended.status == 0, ended


def test_what_the_sdks_exporter_keeps_open_is_no_leak(cell: Inside) -> None:
    exporter = cell.path / "honeyhive" / "tracer" / "processing" / "otlp_exporter.py"
    exporter.parent.mkdir(parents=True)
    exporter.write_text("import socket\nkept = []\ndef export(to): kept.append(socket.create_connection(to))\n")
    (host, port), *_ = cell.pairs

    ended = cell.pytest(
        f"""
        import threading
        def test_one():
            from honeyhive.tracer.processing import otlp_exporter
            otlp_exporter.export(({host!r}, {port}))
            name = "OtelBatchSpanRecordProcessor"
            threading.Thread(target=threading.Event().wait, name=name, daemon=True).start()
        """,
    )

    assert ended.status == 0, ended


def test_a_failure_of_teardown_is_told_and_not_the_leak_behind_it(cell: Inside) -> None:
    ended = cell.pytest(
        """
        import os, pytest

        @pytest.fixture
        def broken():
            os.environ["MADE"] = "here"
            yield
            raise OSError("cannot be undone")

        def test_one(broken): pass
        """,
    )

    assert ended.status == 1, ended
    assert leaks(cell, "test_one") == "OSError: cannot be undone"
