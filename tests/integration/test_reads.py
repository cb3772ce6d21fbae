"""Every read of the API, through this SDK line's client and into its models. Safe anywhere: nothing is made, or needed.

What a project holds it holds: a read of one thing takes the first that there is, and where there is none the answer to
an unknown id is what is looked at.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.support.tracers import UNKNOWN_KEY, client_of, pointed_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from honeyhive import HoneyHive, HoneyHiveTracer

    from environments.inside.target import Target
    from tests.support.server import Server

    Read = Callable[[HoneyHive], Any]

pytestmark = pytest.mark.read_only

_LISTS: dict[str, Read] = {
    "configurations": lambda client: client.configurations.list(),
    "datapoints": lambda client: client.datapoints.list(),
    "datasets": lambda client: client.datasets.list(),
    "metrics": lambda client: client.metrics.list(),
    "runs": lambda client: client.experiments.list_runs(),
    "runs' schema": lambda client: client.experiments.get_schema(),
}
_ASYNC_LISTS: dict[str, Read] = {
    "configurations": lambda client: client.configurations.list_async(),
    "datasets": lambda client: client.datasets.list_async(),
    "metrics": lambda client: client.metrics.list_async(),
    "runs": lambda client: client.experiments.list_runs_async(),
}


@pytest.mark.parametrize("what", _LISTS)
def test_a_list_parses_into_the_models_of_this_line(client: HoneyHive, what: str) -> None:
    answer = _LISTS[what](client)

    assert isinstance(answer, list) or type(answer).__module__.startswith("honeyhive.")


@pytest.mark.parametrize("what", _ASYNC_LISTS)
def test_a_list_that_is_awaited_parses_too(client: HoneyHive, what: str) -> None:
    async def read() -> object:
        return await _ASYNC_LISTS[what](client)

    answer = asyncio.run(read())

    assert isinstance(answer, list) or type(answer).__module__.startswith("honeyhive.")


@pytest.mark.sdk(">=1.1")
def test_the_charts_parse_into_the_models_of_this_line(client: HoneyHive) -> None:
    answer = client.charts.list()

    assert type(answer).__module__.startswith("honeyhive.")


@pytest.mark.sdk(">=1.2")
def test_the_versions_of_a_metric_parse_into_the_models_of_this_line(client: HoneyHive) -> None:
    metrics = client.metrics.list()
    if metrics:
        answer = client.metric_versions.list(_id_of(metrics[0]))
        assert type(answer).__module__.startswith("honeyhive.")
    else:
        _refused_with(404, lambda: client.metric_versions.list(_unknown()))


def test_an_export_of_events_honours_its_limit(client: HoneyHive) -> None:
    answer = client.events.export(filters=[], limit=3)

    assert len(answer.events) <= 3
    assert answer.total_events >= len(answer.events)


def test_an_export_page_by_page_repeats_no_event(client: HoneyHive) -> None:
    pages = [client.events.export(filters=[], limit=2, page=page).events for page in (1, 2)]

    ids = [_told(event, "event_id") for page in pages for event in page]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("event_type", ["session", "model", "chain", "tool"])
def test_an_export_filtered_by_type_holds_that_type_only(client: HoneyHive, event_type: str) -> None:
    answer = client.events.export(filters=[_where("event_type", event_type)], limit=5)

    assert {_told(event, "event_type") for event in answer.events} <= {event_type}


def test_an_export_of_a_time_when_there_was_nothing_is_empty(client: HoneyHive) -> None:
    long_ago = {"$gte": "2001-01-01T00:00:00.000Z", "$lte": "2001-01-02T00:00:00.000Z"}

    answer = client.events.export(filters=[], date_range=long_ago, limit=5)

    assert answer.events == []


@pytest.fixture
def a_session(target: Target, request: pytest.FixtureRequest) -> None:
    """See to it that there is a session to read, where one may be made."""
    if target.writable:
        request.getfixturevalue("server").session(request.getfixturevalue("start_session")())


@pytest.fixture
def a_run(target: Target, request: pytest.FixtureRequest) -> None:
    """See to it that there is a run to read, where one may be made."""
    if target.writable:
        request.getfixturevalue("create_run")()


@pytest.mark.usefixtures("a_session")
def test_the_events_of_a_session_hold_its_own(client: HoneyHive) -> None:
    found = client.events.export(filters=[_where("event_type", "session")], limit=1).events
    if not found:
        pytest.skip("this project holds no session, and none may be made here")

    held = client.events.get_by_session_id(_told(found[0], "session_id")).events

    assert _told(found[0], "event_id") in {_told(event, "event_id") for event in held}


def test_a_session_that_nobody_knows_has_no_events(client: HoneyHive) -> None:
    answer = client.events.get_by_session_id(_unknown())

    assert answer.events == []


def test_an_unknown_run_is_not_found(client: HoneyHive) -> None:
    _refused_with(404, lambda: client.experiments.get_run(_unknown()))


def test_an_unknown_datapoint_is_not_found(client: HoneyHive) -> None:
    _refused_with(404, lambda: client.datapoints.get("0123456789abcdef01234567"))


def test_two_unknown_runs_are_not_compared(client: HoneyHive) -> None:
    _refused_with(404, lambda: client.experiments.compare_runs(_unknown(), _unknown()))


@pytest.mark.usefixtures("a_run")
def test_each_run_of_the_first_page_has_a_result_that_parses(client: HoneyHive) -> None:
    runs = client.experiments.list_runs(limit=2).evaluations
    if not runs:
        pytest.skip("this project holds no run, and none may be made here")

    for run in runs:
        assert isinstance(client.experiments.get_result(str(run.run_id)), dict)


@pytest.mark.parametrize("what", ["configurations", "datasets", "runs"])
def test_a_wrong_key_is_refused_with_401(target: Target, what: str) -> None:
    wrong = client_of(target, target.project, api_key=UNKNOWN_KEY)

    _refused_with(401, lambda: _LISTS[what](wrong))


def test_a_wrong_key_gets_no_events_either(target: Target) -> None:
    from honeyhive.utils.error_handler import APIError

    wrong = client_of(target, target.project, api_key=UNKNOWN_KEY)

    with pytest.raises(APIError) as raised:
        wrong.events.export(filters=[])

    assert raised.value.error_response.status_code == 401


@pytest.mark.expects_refused_write
@pytest.mark.needs("read-only")
def test_a_tracer_whose_session_is_refused_traces_on_and_raises_nothing(
    target: Target, first_tracer: HoneyHiveTracer, resource_name: str, server: Server
) -> None:
    from honeyhive import HoneyHiveTracer

    del first_tracer
    refused = HoneyHiveTracer.init(
        **pointed_at(target, target.project),
        project=target.project.name,
        session_name=resource_name,
        test_mode=False,
    )
    with refused.trace("never stored") as span:
        assert span is not None
    refused.enrich_session(metadata={"never": "stored"})
    refused.flush()

    assert server.events(event_name=resource_name) == []


def _told(event: Any, name: str) -> str:  # noqa: ANN401 - a model, or what was sent
    return str(event[name] if isinstance(event, dict) else getattr(event, name))


def _where(field: str, value: str) -> dict[str, str]:
    return {"field": field, "operator": "is", "value": value, "type": "string"}


def _unknown() -> str:
    return str(uuid.uuid4())


def _id_of(metric: Any) -> str:  # noqa: ANN401 - a model of this line's
    return str(getattr(metric, "id", None) or getattr(metric, "field_id", None) or metric.model_dump()["id"])


def _refused_with(status: int, read: Callable[[], object]) -> None:
    __tracebackhide__ = True
    from honeyhive._generated.api_config import HTTPException

    with pytest.raises((HTTPException, httpx.HTTPStatusError)) as raised:
        read()
    error = raised.value
    told = error.status_code if isinstance(error, HTTPException) else error.response.status_code
    assert told == status
