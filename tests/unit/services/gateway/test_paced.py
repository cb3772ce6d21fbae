"""The door to staging: everything goes through, in turn, and no faster than the machine may."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response

from environments.services.gateway import pacing
from tests.unit.services.gateway.running import supervised
from tests.unit.services.gateway.standin import INGESTION_KEY, Standin, saying
from tests.unit.services.honeyhive.running import answered, new_id, otlp, refused, span, where

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.services.gateway.running import Gateway
    from tests.unit.services.gateway.standin import Reached


class Limit:
    """Answers 429 above so many requests in any second."""

    def __init__(self, per_second: int) -> None:
        self.per_second = per_second
        self.refused = 0
        self._recent: deque[float] = deque()
        self._lock = threading.Lock()

    def __call__(self, request: Reached) -> Response | None:
        with self._lock:
            while self._recent and self._recent[0] <= request.at - 1:
                self._recent.popleft()
            if len(self._recent) < self.per_second:
                self._recent.append(request.at)
                return None
            self.refused += 1
            return Response(json.dumps({"message": "slow down"}), 429, {"Retry-After": "1"}, "application/json")


def test_sessions_events_and_spans_go_through_and_are_stored(staging: Gateway) -> None:
    session_id = answered(
        staging.http.post("/session/start", json={"session": {"session_name": "s", "source": "test"}})
    )["session_id"]
    sent = staging.http.post("/opentelemetry/v1/traces", json=otlp(span("traced", session_id)))
    answered(sent)
    exported = {"filters": [where("session_id", session_id)], "limit": 10, "page": 1}
    events = answered(staging.http.post("/v1/events/export", json=exported))["events"]
    assert {event["event_name"] for event in events} == {"s", "traced"}
    lines = staging.audit()[-3:]
    assert [line["decision"] for line in lines] == ["forwarded"] * 3
    assert [line["effect"] for line in lines] == ["write", "write", "read"]


def test_an_ingestion_key_goes_where_the_sdk_sends_it(staging: Gateway, standin: Standin) -> None:
    headers = {"Authorization": f"Bearer {staging.keys()['ingestion']}"}
    with standin.watched() as reached:
        answered(staging.http.post("/session/start", json={"session": {"session_name": "s"}}, headers=headers))
        misrouted = staging.http.get("/v1/datasets", headers=headers)
    assert [request.key for request in reached] == [INGESTION_KEY] * 2
    # The upstream's own answer: a key on the wrong route is not put right on the way.
    assert refused(misrouted) == (403, "this needs a key of another kind: project")


@pytest.mark.parametrize(
    "path", ["/v1/not/known", "/v1/events/a%20b", "/v1/events/%C3%A4", "/v1/sessions/abc", "/v1/runs/a:b~c"]
)
def test_a_path_that_the_sdk_does_not_know_goes_through_as_it_is(staging: Gateway, standin: Standin, path: str) -> None:
    with standin.watched() as reached:
        assert staging.http.get(path).status_code in {200, 404}
    assert [request.path for request in reached] == [path]
    assert "abc" not in staging.audit()[-1]["path"]


def test_a_malformed_body_is_the_upstreams_to_refuse(staging: Gateway, standin: Standin) -> None:
    with standin.watched() as reached:
        status, message = refused(
            staging.http.post("/session/start", content=b"{", headers={"Content-Type": "application/json"})
        )
    assert status == 400
    assert "not valid JSON" in message
    assert len(reached) == 1


def test_three_gateways_share_one_bucket(standin: Standin, tmp_path: Path) -> None:
    rate, each, clients = 25, 10, 3
    with ExitStack() as stack:
        shared = {"policy": "paced", "requests_per_second": rate, "pacing_folder": str(tmp_path / "bucket")}
        gateways = [stack.enter_context(supervised(standin, tmp_path / str(n), **shared)) for n in range(clients)]
        with standin.watched() as reached, ThreadPoolExecutor(clients) as pool:
            began = time.monotonic()
            list(pool.map(lambda gateway: [gateway.http.get("/v1/runs") for _ in range(each)], gateways))
            took_s = time.monotonic() - began
    assert len(reached) == each * clients
    assert took_s >= (each * clients - 1) / rate - 0.05
    assert took_s < 15


# The second limit is one that three clients exceed on a busy machine, too.
@pytest.mark.parametrize(("rate", "per_second"), [(15, 20), (40, 8)], ids=["paced below it", "paced above it"])
def test_three_cells_on_an_upstream_with_a_limit_see_no_429(
    standin: Standin, tmp_path: Path, rate: int, per_second: int
) -> None:
    limit = Limit(per_second)

    def work(gateway: Gateway) -> list[int]:
        statuses = []
        for _ in range(10):
            statuses.append(gateway.http.get("/v1/runs").status_code)
            query = {"filters": [where("session_id", new_id())], "limit": 1, "page": 1}
            statuses.append(gateway.http.post("/v1/events/export", json=query).status_code)
        return statuses

    with ExitStack() as stack:
        shared = {"policy": "paced", "requests_per_second": rate, "pacing_folder": str(tmp_path / "bucket")}
        gateways = [stack.enter_context(supervised(standin, tmp_path / str(n), **shared)) for n in range(3)]
        stack.enter_context(standin.answering(limit))
        with ThreadPoolExecutor(3) as pool:
            statuses = [status for told in pool.map(work, gateways) for status in told]
        tries = [line["tries"] for gateway in gateways for line in gateway.audit()]
        slowest_ms = max(line["ms"] for gateway in gateways for line in gateway.audit())
    told = f"{len(statuses)} answers, {limit.refused} times 429 upstream, slowest {slowest_ms} ms"
    print(f"\n{rate} a second to a limit of {per_second}: {told}")
    assert set(statuses) == {200}
    assert len(statuses) == 60
    assert sum(tries) == 60 + limit.refused
    assert slowest_ms < 5000
    assert limit.refused == 0 if rate < per_second else limit.refused > 0


def test_a_429_to_a_write_is_handed_on_and_the_audit_says_so(standin: Standin, tmp_path: Path) -> None:
    with (
        supervised(standin, tmp_path, policy="paced") as gateway,
        standin.answering(saying(429, {"message": "slow down"}, **{"Retry-After": "1"})),
        standin.watched() as reached,
    ):
        response = gateway.http.post("/session/start", json={"session": {"session_name": "s"}})
    assert response.status_code == 429
    assert response.headers["retry-after"] == "1"
    assert len(reached) == 1
    line = gateway.audit()[-1]
    assert line["decision"] == "rate-limited"
    assert "a write is not sent twice" in line["reason"]


def test_a_429_that_lasts_longer_than_the_sdk_waits_is_handed_on_at_once(standin: Standin, tmp_path: Path) -> None:
    with (
        supervised(standin, tmp_path, policy="paced") as gateway,
        standin.answering(saying(429, {"message": "slow down"}, **{"Retry-After": "60"})),
        standin.watched() as reached,
    ):
        began = time.monotonic()
        first = gateway.http.get("/v1/runs")
        second = gateway.http.get("/v1/runs")
        assert time.monotonic() - began < 3
    assert first.headers["retry-after"] == "60"
    # The second was not even sent: everybody on this machine holds back now.
    assert (first.status_code, second.status_code, len(reached)) == (429, 429, 1)
    assert "queue" in refused(second)[1]
    assert [line["decision"] for line in gateway.audit()] == ["rate-limited"] * 2


def test_a_queue_that_is_too_long_is_a_429_before_the_sdk_gives_up(standin: Standin, tmp_path: Path) -> None:
    with supervised(standin, tmp_path, policy="paced", requests_per_second=2) as gateway:

        def one(_number: int) -> tuple[int, float]:
            began = time.monotonic()
            response = httpx.get(f"{gateway.url}/v1/runs", headers=gateway.http.headers, timeout=30)
            return response.status_code, time.monotonic() - began

        with ThreadPoolExecutor(20) as pool:
            told = list(pool.map(one, range(20)))
    statuses = [status for status, _ in told]
    assert 8 <= statuses.count(200) < 20  # those whose turn comes within 3.5 s
    assert statuses.count(429) == 20 - statuses.count(200)
    assert max(took_s for _, took_s in told) < 5


def test_slots_of_cells_are_shared_and_free_again_when_released(tmp_path: Path) -> None:
    async def three_cells() -> None:
        waits = asyncio.Event()
        one = await pacing.cell_slot(tmp_path, 2, lambda _said: waits.set())
        two = await pacing.cell_slot(tmp_path, 2, lambda _said: waits.set())
        assert not waits.is_set()
        third = asyncio.create_task(pacing.cell_slot(tmp_path, 2, lambda _said: waits.set()))
        await asyncio.wait_for(waits.wait(), 10)
        assert not third.done()
        one.release()
        (await asyncio.wait_for(third, 10)).release()
        two.release()

    asyncio.run(three_cells())


@given(
    st.lists(st.floats(0, 5), max_size=50), st.floats(0.01, 10), st.integers(1, 10), st.floats(0, 1e6, allow_nan=False)
)
def test_no_more_turns_begin_in_any_while_than_the_bucket_gives(
    gaps: list[float], interval_s: float, burst: int, start: float
) -> None:
    full_at, now, begins = 0.0, start, []
    for gap in gaps:
        now += gap
        found = pacing.turn(full_at, now, interval_s, burst)
        full_at = found.full_at
        assert found.wait_s >= 0
        begins.append(now + found.wait_s)
    for first in range(len(begins)):
        for last in range(first, len(begins)):
            allowed = burst + (begins[last] - begins[first]) / interval_s
            assert last - first + 1 <= allowed + 1e-3


def test_a_bucket_of_another_clock_is_not_waited_for() -> None:
    assert pacing.turn(1e12, 100.0, 1.0, 1).wait_s == 0


@pytest.mark.parametrize("left", ["", "nonsense", "1.5e"])
def test_a_bucket_that_was_left_half_written_is_begun_anew(tmp_path: Path, left: str) -> None:
    (tmp_path / "bucket").write_text(left, encoding="ascii")
    assert asyncio.run(pacing.Pace(tmp_path, 10).wait(1)) == 0
