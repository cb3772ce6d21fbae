"""Metrics that the server keeps, and their versions. What they score is in test_evaluate.py."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from honeyhive import HoneyHive

    from tests.support.server import Server

_CODE = "def one(event):\n    return 1"


def test_a_metric_is_read_back_as_it_was_created_and_updated(
    client: HoneyHive, create_metric: Callable[..., str], resource_name: str
) -> None:
    from honeyhive.models import UpdateMetricRequest

    metric_id = create_metric(type="PYTHON", criteria=_CODE, threshold={"min": 0.5}, sampling_percentage=25)
    client.metrics.update(UpdateMetricRequest(id=metric_id, description="now with one"))

    (metric,) = [each for each in client.metrics.list() if each.id == metric_id]
    assert (metric.name, metric.type, metric.criteria) == (resource_name, "PYTHON", _CODE)
    assert (metric.description, metric.threshold, metric.sampling_percentage) == ("now with one", {"min": 0.5}, 25)
    assert metric.updated_at is not None


@pytest.mark.parametrize("kind", ["PYTHON", "LLM", "HUMAN"])
def test_metrics_are_listed_by_type(client: HoneyHive, create_metric: Callable[..., str], kind: str) -> None:
    metric_id = create_metric(type=kind, criteria="Rate {{outputs.answer}} like this: [[5]]")

    listed = client.metrics.list(type=kind)

    assert metric_id in {metric.id for metric in listed}
    assert {metric.type for metric in listed} == {kind}


def test_a_metric_that_is_deleted_is_gone(client: HoneyHive, server: Server, resource_name: str) -> None:
    from honeyhive.models import CreateMetricRequest

    created = client.metrics.create(CreateMetricRequest(name=resource_name, type="HUMAN", criteria="Good?"))

    assert client.metrics.delete(created.metric_id).deleted is True
    assert server.get("/v1/metrics", id=created.metric_id)["metrics"] == []


def test_a_metric_of_an_unknown_type_is_an_error_of_the_client(client: HoneyHive, resource_name: str) -> None:
    from honeyhive._generated.api_config import HTTPException
    from honeyhive.models import CreateMetricRequest

    with pytest.raises(HTTPException) as raised:
        client.metrics.create(CreateMetricRequest(name=resource_name, type="GUESS", criteria="?"))

    assert raised.value.status_code == 400


def test_the_async_client_does_with_metrics_what_the_other_does(client: HoneyHive, resource_name: str) -> None:
    from honeyhive.models import CreateMetricRequest, UpdateMetricRequest

    async def live() -> tuple[list[str | None], bool]:
        request = CreateMetricRequest(name=resource_name, type="HUMAN", criteria="Good?")
        metric_id = (await client.metrics.create_async(request)).metric_id
        await client.metrics.update_async(UpdateMetricRequest(id=metric_id, description="async"))
        found = [metric.description for metric in await client.metrics.list_async() if metric.id == metric_id]
        return found, (await client.metrics.delete_async(metric_id)).deleted

    assert asyncio.run(live()) == (["async"], True)


@pytest.mark.sdk(">=1.2")
def test_a_deployed_version_is_what_the_metric_is(client: HoneyHive, create_metric: Callable[..., str]) -> None:
    from honeyhive.models import CreateMetricVersionRequest

    metric_id = create_metric(type="PYTHON", criteria=_CODE)
    content = {"name": "two", "type": "PYTHON", "criteria": "result = 2"}
    request = CreateMetricVersionRequest(message="two is better", content=content)

    version = client.metric_versions.create(metric_id, request).data
    before = client.metrics.get_metric(metric_id)
    deployed = client.metric_versions.deploy(metric_id, version.name).data

    assert (version.message, version.deployed, deployed.deployed) == ("two is better", False, True)
    assert before is not None
    versions = client.metric_versions.list(metric_id).data
    assert [each.name for each in versions if each.deployed] == [version.name]
    (metric,) = [each for each in client.metrics.list() if each.id == metric_id]
    assert metric.criteria == "result = 2"
