"""Charts: for the project of the key (from 1.1), and for a project that is named (from 1.7)."""

from __future__ import annotations

import asyncio
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.tracers import client_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from honeyhive import HoneyHive

    from environments.inside.target import Target
    from tests.support.cleanup import Cleanup
    from tests.support.projects import Mint, MintedProject

pytestmark = pytest.mark.sdk(">=1.1")

_QUERY = [{"field": "event_type", "value": "model", "type": "string", "operator": "is"}]


@pytest.fixture(autouse=True)
def _old_calls_warn() -> Iterator[None]:
    """From 1.7 on calls without a project warn that they will go."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


@pytest.fixture
def create_chart(client: HoneyHive, cleanup: Cleanup, resource_name: str) -> Callable[..., Any]:
    """Create charts that are deleted afterwards; returns what the client does."""
    from honeyhive.models import CreateChartRequest

    def create(**given: Any) -> Any:  # noqa: ANN401 - whatever the request takes, a model of the SDK
        created = client.charts.create(CreateChartRequest(**{"name": resource_name, "metric": "duration", **given}))
        cleanup.register(f"{resource_name} {created.data.id}", lambda: client.charts.delete(created.data.id))
        return created.data

    return create


def test_a_chart_is_read_back_with_everything_it_was_created_with(
    client: HoneyHive, create_chart: Callable[..., Any], resource_name: str
) -> None:
    created = create_chart(
        description="slow", func="p95", groupBy="event_name", dateRange={"relative": "7d"}, query=_QUERY
    )

    read = client.charts.get(created.id).data
    assert (read.id, read.name, read.metric, read.description) == (created.id, resource_name, "duration", "slow")
    assert (read.func, read.groupBy, read.dateRange, read.query) == ("p95", "event_name", {"relative": "7d"}, _QUERY)
    assert created.id in [each.id for each in client.charts.list().data]


def test_a_chart_of_two_dates_can_be_created(client: HoneyHive, create_chart: Callable[..., Any]) -> None:
    """The SDK writes such a range as `gte` and `lte`, without the `$` that its own models read."""
    created = create_chart(dateRange={"$gte": "2026-01-01", "$lte": "2026-02-01"})

    assert set(client.charts.get(created.id).data.dateRange.values()) == {"2026-01-01", "2026-02-01"}


def test_an_update_replaces_the_fields_that_it_names_and_leaves_the_others(
    client: HoneyHive, create_chart: Callable[..., Any]
) -> None:
    from honeyhive.models import UpdateChartRequest

    created = create_chart(func="sum")

    updated = client.charts.update(created.id, UpdateChartRequest(metric="cost"))

    assert (updated.data.metric, updated.data.func) == ("cost", "sum")
    assert client.charts.get(created.id).data.metric == "cost"


def test_a_deleted_chart_is_gone(client: HoneyHive, resource_name: str) -> None:
    from honeyhive._generated.api_config import HTTPException
    from honeyhive.models import CreateChartRequest

    chart_id = client.charts.create(CreateChartRequest(name=resource_name, metric="cost")).data.id

    assert client.charts.delete(chart_id).success is True

    with pytest.raises(HTTPException) as raised:
        client.charts.get(chart_id)
    assert raised.value.status_code == 404


def test_the_asynchronous_calls_do_the_same(client: HoneyHive, resource_name: str) -> None:
    from honeyhive.models import CreateChartRequest, UpdateChartRequest

    async def work() -> None:
        charts = client.charts
        created = (await charts.create_async(CreateChartRequest(name=resource_name, metric="cost"))).data.id
        await charts.update_async(created, UpdateChartRequest(description="changed"))
        assert (await charts.get_async(created)).data.description == "changed"
        assert created in [each.id for each in (await charts.list_async()).data]
        assert (await charts.delete_async(created)).success is True

    asyncio.run(work())


# ---- Of a project that is named ----------------------------------------------------------------------


@pytest.fixture
def data_plane_client(target: Target, minted_project: MintedProject) -> HoneyHive:
    """Make a client of a project of this test's own, with its data plane key too."""
    return client_of(target, minted_project, data_plane_api_key=minted_project.data_plane_api_key)


@pytest.mark.sdk(">=1.7")
@pytest.mark.needs("mint-project")
def test_the_charts_of_a_named_project_are_those_of_its_key(
    data_plane_client: HoneyHive, minted_project: MintedProject, resource_name: str
) -> None:
    from honeyhive.models import CreateChartRequest, UpdateChartRequest

    charts, project_id = data_plane_client.charts, minted_project.id
    new = CreateChartRequest(name=resource_name, metric="cost")
    created = charts.create(new, project_id=project_id).data

    assert [each.id for each in charts.list().data] == [created.id]
    updated = charts.update(created.id, UpdateChartRequest(func="avg"), project_id=project_id).data
    assert (updated.metric, updated.func) == ("cost", "avg")
    assert charts.get(created.id, project_id=project_id).data.func == "avg"
    assert [each.id for each in charts.list(project_id=project_id).data] == [created.id]
    assert charts.delete(created.id, project_id=project_id).success is True
    assert charts.list(project_id=project_id).data == []


@pytest.mark.sdk(">=1.7")
@pytest.mark.needs("mint-project")
def test_the_asynchronous_calls_for_a_named_project_do_the_same(
    data_plane_client: HoneyHive, minted_project: MintedProject, resource_name: str
) -> None:
    from honeyhive.models import CreateChartRequest, UpdateChartRequest

    async def work() -> None:
        charts, project_id = data_plane_client.charts, minted_project.id
        new = CreateChartRequest(name=resource_name, metric="cost")
        created = (await charts.create_async(new, project_id=project_id)).data
        await charts.update_async(created.id, UpdateChartRequest(func="avg"), project_id=project_id)
        assert (await charts.get_async(created.id, project_id=project_id)).data.func == "avg"
        assert [each.id for each in (await charts.list_async(project_id=project_id)).data] == [created.id]
        assert (await charts.delete_async(created.id, project_id=project_id)).success is True

    asyncio.run(work())


@pytest.mark.sdk(">=1.7")
@pytest.mark.needs("mint-project")
def test_a_data_plane_key_opens_its_own_project_alone_and_not_when_it_is_revoked(
    data_plane_client: HoneyHive,
    target: Target,
    minted_project: MintedProject,
    mint: Mint,
    cleanup: Cleanup,
    resource_name: str,
) -> None:
    from honeyhive._generated.api_config import HTTPException

    other = mint.project(f"{resource_name}-other")
    cleanup.register(other.name, lambda: mint.delete(other))
    revoked = mint.key(minted_project, "data_plane")
    mint.revoke(revoked)

    with pytest.raises(HTTPException) as foreign:
        data_plane_client.charts.list(project_id=other.id)
    with pytest.raises(HTTPException) as refused:
        client_of(target, minted_project, data_plane_api_key=revoked).charts.list(project_id=minted_project.id)
    assert (foreign.value.status_code, refused.value.status_code) == (404, 401)
