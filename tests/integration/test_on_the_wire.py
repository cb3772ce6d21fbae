"""What the SDK sends, where the server's events could not tell: how often, in how many requests, with which headers."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING

import pytest

from tests.support.tracers import client_of
from tests.support.wire import TRACES

if TYPE_CHECKING:
    from environments.inside.target import Target
    from tests.support.server import Server
    from tests.support.tracers import Tracers
    from tests.support.wire import Wire

_EXPORT = "/v1/events/export"


def test_every_request_tells_which_client_sent_it(target: Target, make_tracer: Tracers, wire: Wire) -> None:
    import honeyhive

    tracer = make_tracer(server_url=wire.url, source="checkout")
    with tracer.trace("span"):
        pass
    tracer.flush()
    client_of(target, target.project, base_url=wire.url).datasets.list()

    told = {
        "hh-client-version": honeyhive.__version__,
        "hh-client-language": "python",
        "hh-client-package": "honeyhive",
    }
    assert {sent.path for sent in wire.sent} == {"/session/start", TRACES, "/v1/datasets"}
    for sent in wire.sent:
        assert {name: sent.headers.get(name) for name in told} == told, f"{sent.method} {sent.path}"
        assert sent.headers["authorization"] == f"Bearer {target.api_key}"
    assert wire.to(TRACES)[0].headers["x-source"] == "checkout"


def test_a_span_is_sent_once(make_tracer: Tracers, server: Server, wire: Wire) -> None:
    tracer = make_tracer(server_url=wire.url)
    with tracer.trace("outer"), tracer.trace("inner"):
        pass
    tracer.flush()
    tracer.flush()

    assert collections.Counter(span["name"] for span in wire.spans()) == {"outer": 1, "inner": 1}
    assert server.event(tracer.session_id, "inner")


def test_a_tracer_whose_session_could_not_be_started_sends_its_spans(
    make_tracer: Tracers, server: Server, wire: Wire
) -> None:
    wire.answer("/session/start", 503, {"message": "later"})

    tracer = make_tracer(server_url=wire.url)
    with tracer.trace("goes on"):
        pass
    tracer.flush()

    assert server.event(tracer.session_id, "goes on")


def test_spans_are_sent_in_batches(make_tracer: Tracers, wire: Wire) -> None:
    tracer = make_tracer(server_url=wire.url)
    for number in range(100):
        with tracer.trace(f"span-{number}"):
            pass
    tracer.flush()

    assert len(wire.spans()) == 100
    # One; or two, should the five seconds of the timer end in between.
    assert len(wire.to(TRACES)) <= 2


def test_the_status_of_a_failed_span_says_so(make_tracer: Tracers, wire: Wire) -> None:
    tracer = make_tracer(server_url=wire.url)
    with pytest.raises(ZeroDivisionError), tracer.trace("divide"):
        1 / 0  # noqa: B018 - it raises
    with tracer.trace("fine"):
        pass
    tracer.flush()

    statuses = {span["name"]: span["status"] for span in wire.spans()}
    assert statuses["divide"]["code"] == "STATUS_CODE_ERROR"
    assert "division by zero" in statuses["divide"]["message"]
    assert statuses["fine"] == {"code": "STATUS_CODE_UNSET"}


def test_an_export_is_tried_again(target: Target, wire: Wire) -> None:
    wire.answer(_EXPORT, 503, {"message": "later"}, times=1)

    exported = client_of(target, target.project, base_url=wire.url).events.export(filters=[], limit=1)

    assert exported.total_events is not None
    assert len(wire.to(_EXPORT)) == 2
