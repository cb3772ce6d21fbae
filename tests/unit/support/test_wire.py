"""Something real between two ends: a client, and a second wire that answers."""

from __future__ import annotations

import gzip
import threading
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.support.wire import TRACES, Wire

if TYPE_CHECKING:
    from collections.abc import Iterator

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def behind() -> Iterator[Wire]:
    with Wire(NOWHERE).up() as server:
        yield server


@pytest.fixture
def wire(behind: Wire) -> Iterator[Wire]:
    with Wire(behind.url).up() as between:
        yield between


def test_a_request_is_noted_and_handed_on_as_it_is(behind: Wire, wire: Wire) -> None:
    behind.answer("/a", 418, {"short": "and stout"})
    body = gzip.compress(b"text")

    answer = httpx.put(f"{wire.url}/a?b=c", content=body, headers={"Content-Encoding": "gzip", "X-One": "1"})

    assert (answer.status_code, answer.json()) == (418, {"short": "and stout"})
    for noted in (wire, behind):
        (sent,) = noted.to("/a", "PUT")
        assert (sent.body, sent.headers["x-one"], sent.headers["content-encoding"]) == (body, "1", "gzip")


def test_an_answer_is_given_as_often_as_it_is_told_and_then_the_server_is_asked(behind: Wire, wire: Wire) -> None:
    behind.answer("/a", 200, {"from": "behind"})
    wire.answer("/a", 503, {"from": "between"}, times=2)

    statuses = [httpx.get(f"{wire.url}/a").status_code for _ in range(3)]

    assert statuses == [503, 503, 200]
    assert (len(wire.to("/a", "GET")), len(behind.to("/a", "GET"))) == (3, 1)


def test_spans_are_found_in_every_export_and_counted_as_often_as_they_were_sent(wire: Wire) -> None:
    wire.answer(TRACES, 200, {})
    export = {"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "a"}]}, {"spans": [{"name": "b"}]}]}]}
    for _ in range(2):
        httpx.post(wire.url + TRACES, json=export)

    assert [span["name"] for span in wire.spans()] == ["a", "b", "a", "b"]


def test_a_connection_that_a_client_keeps_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())
    with httpx.Client() as client:
        with Wire(NOWHERE).up() as wire:
            wire.answer("/a", 200, {})
            assert client.get(f"{wire.url}/a").status_code == 200
            assert set(threading.enumerate()) > before
        assert set(threading.enumerate()) == before
