"""Span name filters: which spans leave, by the beginning of their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.eventually import eventually

if TYPE_CHECKING:
    from tests.support.server import Server
    from tests.support.tracers import Tracers

SPANS = ("http.get", "http.post", "db.query", "answer")


def _prefix(*values: str) -> list[dict[str, str]]:
    return [{"type": "prefix", "value": value} for value in values]


@pytest.mark.parametrize(
    ("filters", "kept"),
    [
        pytest.param({"exclude": _prefix("http.")}, {"db.query", "answer"}, id="exclude"),
        pytest.param({"include": _prefix("http.")}, {"http.get", "http.post"}, id="include"),
        pytest.param({"include": _prefix("http."), "exclude": _prefix("http.p")}, {"http.get"}, id="both"),
        pytest.param({"exclude": _prefix("http.", "db.")}, {"answer"}, id="two excluded"),
        pytest.param({"include": _prefix("http.get", "answer")}, {"http.get", "answer"}, id="two included"),
        pytest.param({"exclude": _prefix("nothing")}, set(SPANS), id="none matches"),
        pytest.param({}, set(SPANS), id="empty"),
        pytest.param({"exclude": [{"type": "pattern", "value": "http."}]}, set(SPANS), id="of an unknown type"),
    ],
)
def test_the_spans_that_the_filters_leave_are_sent_and_no_others(
    make_tracer: Tracers, server: Server, filters: dict[str, Any], kept: set[str]
) -> None:
    tracer = make_tracer(span_name_filters=filters)
    for name in SPANS:
        with tracer.trace(name):
            pass
    tracer.flush()

    # One flush is one request: what is not there beside what is kept was not sent.
    held = eventually(lambda: {event["event_name"] for event in server.children(tracer.session_id)})
    assert held == kept


def test_below_a_span_that_is_left_out_the_others_are_kept(make_tracer: Tracers, server: Server) -> None:
    tracer = make_tracer(span_name_filters={"exclude": _prefix("noise.")})
    with tracer.trace("outer"), tracer.trace("noise.transport"), tracer.trace("inner"):
        pass
    tracer.flush()

    assert server.event(tracer.session_id, "outer")
    assert server.event(tracer.session_id, "inner")
    assert {event["event_name"] for event in server.children(tracer.session_id)} == {"outer", "inner"}


def test_the_filters_of_one_tracer_are_not_those_of_another(make_tracer: Tracers, server: Server) -> None:
    quiet, loud = make_tracer(span_name_filters={"exclude": _prefix("noise.")}), make_tracer()
    for tracer in (quiet, loud):
        for name in ("noise.transport", "answer"):
            with tracer.trace(name):
                pass
        tracer.flush()

    server.event(quiet.session_id, "answer")
    server.event(loud.session_id, "noise.transport")
    assert [event["event_name"] for event in server.children(quiet.session_id)] == ["answer"]
