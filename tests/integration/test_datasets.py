"""Datasets and datapoints: what a client writes is what any client reads."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.tracers import client_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from honeyhive import HoneyHive, HoneyHiveTracer

    from environments.inside.target import Target
    from tests.support.cleanup import Cleanup
    from tests.support.projects import Tenant

_ROW = {"question": "why?", "answer": "because", "difficulty": "hard"}
_MAPPING = {"inputs": ["question"], "ground_truth": ["answer"]}


@pytest.fixture
def create_dataset(client: HoneyHive, cleanup: Cleanup, resource_name: str) -> Callable[..., str]:
    """Create datasets that are deleted afterwards: `create_dataset(datapoints=[…])` returns the id."""
    from honeyhive.models import CreateDatasetRequest

    def create(**given: Any) -> str:  # noqa: ANN401 - whatever the request takes
        created = client.datasets.create(CreateDatasetRequest(**{"name": resource_name, **given}))
        dataset_id = str(created.result.insertedId)
        cleanup.register(f"{resource_name} {dataset_id}", lambda: client.datasets.delete(dataset_id))
        return dataset_id

    return create


@pytest.fixture
def create_datapoint(client: HoneyHive, cleanup: Cleanup, resource_name: str) -> Callable[..., str]:
    """Create datapoints that are deleted afterwards."""
    from honeyhive.models import CreateDatapointRequest

    def create(**given: Any) -> str:  # noqa: ANN401 - whatever the request takes
        # A datapoint has no name: this is what a sweep of killed runs finds it by.
        named = {"metadata": {"created_by": resource_name}, **given}
        created = client.datapoints.create(CreateDatapointRequest(**named))
        [datapoint_id] = created.result.insertedIds
        cleanup.register(f"{resource_name} {datapoint_id}", lambda: client.datapoints.delete(datapoint_id))
        return str(datapoint_id)

    return create


def _read(client: HoneyHive, dataset_id: str) -> Any:  # noqa: ANN401 - a model of the SDK
    [dataset] = client.datasets.list(dataset_id=dataset_id).datasets
    return dataset


def test_a_dataset_is_read_back_by_its_id_and_by_its_name(
    client: HoneyHive, create_dataset: Callable[..., str], resource_name: str
) -> None:
    dataset_id = create_dataset(description="for the test")

    dataset = _read(client, dataset_id)
    assert (dataset.id, dataset.name, dataset.description) == (dataset_id, resource_name, "for the test")
    assert dataset.datapoints == []
    assert [each.id for each in client.datasets.list(name=resource_name).datasets] == [dataset_id]
    assert dataset_id in [each.id for each in client.datasets.list().datasets]


def test_rows_become_datapoints_as_the_mapping_says(
    client: HoneyHive, create_dataset: Callable[..., str], cleanup: Cleanup, resource_name: str
) -> None:
    from honeyhive.models import AddDatapointsToDatasetRequest

    dataset_id = create_dataset()

    added = client.datasets.add_datapoints(
        dataset_id, AddDatapointsToDatasetRequest(data=[_ROW, {**_ROW, "question": "how?"}], mapping=_MAPPING)
    )
    cleanup.register(f"{resource_name} rows", lambda: [client.datapoints.delete(gone) for gone in added.datapoint_ids])

    assert added.inserted is True
    assert _read(client, dataset_id).datapoints == added.datapoint_ids
    [first] = client.datapoints.get(added.datapoint_ids[0]).datapoint
    assert first.inputs == {"question": "why?"}
    assert first.ground_truth == {"answer": "because"}
    assert first.metadata == {"difficulty": "hard"}
    assert first.linked_datasets == [dataset_id]


def test_a_dataset_is_renamed_and_its_datapoints_are_replaced(
    client: HoneyHive,
    create_dataset: Callable[..., str],
    create_datapoint: Callable[..., str],
    resource_name: str,
) -> None:
    from honeyhive.models import UpdateDatasetRequest

    one, two = create_datapoint(inputs={"n": 1}), create_datapoint(inputs={"n": 2})
    dataset_id = create_dataset(datapoints=[one])

    updated = client.datasets.update(
        UpdateDatasetRequest(dataset_id=dataset_id, name=f"{resource_name}-renamed", datapoints=[two])
    )

    assert updated.result.name == f"{resource_name}-renamed"
    assert _read(client, dataset_id).datapoints == [two]


def test_a_datapoint_that_is_removed_from_a_dataset_is_still_a_datapoint(
    client: HoneyHive, create_dataset: Callable[..., str], create_datapoint: Callable[..., str]
) -> None:
    dataset_id = create_dataset()
    datapoint_id = create_datapoint(inputs={"n": 1}, linked_datasets=[dataset_id])
    assert _read(client, dataset_id).datapoints == [datapoint_id]

    removed = client.datasets.remove_datapoint(dataset_id, datapoint_id)

    assert removed.dereferenced is True
    assert _read(client, dataset_id).datapoints == []
    [datapoint] = client.datapoints.get(datapoint_id).datapoint
    assert datapoint.inputs == {"n": 1}


def test_a_deleted_dataset_is_gone(client: HoneyHive, resource_name: str) -> None:
    from honeyhive.models import CreateDatasetRequest

    dataset_id = client.datasets.create(CreateDatasetRequest(name=resource_name)).result.insertedId

    deleted = client.datasets.delete(dataset_id)

    assert deleted.result.id == dataset_id
    assert client.datasets.list(dataset_id=dataset_id).datasets == []


# ---- Datapoints --------------------------------------------------------------------------------------


def test_a_datapoint_is_read_back_with_everything_it_was_created_with(
    client: HoneyHive, create_datapoint: Callable[..., str], tracer: HoneyHiveTracer
) -> None:
    history = [{"role": "user", "content": "hello"}]

    datapoint_id = create_datapoint(
        inputs={"question": "why?"},
        history=history,
        ground_truth={"answer": "because"},
        metadata={"split": "test"},
        linked_event=tracer.session_id,
    )

    [read] = client.datapoints.get(datapoint_id).datapoint
    assert (read.id, read.inputs, read.history) == (datapoint_id, {"question": "why?"}, history)
    assert (read.ground_truth, read.metadata) == ({"answer": "because"}, {"split": "test"})
    assert read.linked_event == tracer.session_id


def test_an_update_replaces_the_fields_that_it_names_and_leaves_the_others(
    client: HoneyHive, create_datapoint: Callable[..., str]
) -> None:
    from honeyhive.models import UpdateDatapointRequest

    datapoint_id = create_datapoint(inputs={"a": 1}, metadata={"split": "test"})

    updated = client.datapoints.update(datapoint_id, UpdateDatapointRequest(inputs={"b": 2}))

    assert updated.updated is True
    [read] = client.datapoints.get(datapoint_id).datapoint
    assert (read.inputs, read.metadata) == ({"b": 2}, {"split": "test"})


def test_a_list_of_datapoints_is_by_ids_and_by_the_name_of_their_dataset(
    client: HoneyHive,
    create_dataset: Callable[..., str],
    create_datapoint: Callable[..., str],
    resource_name: str,
) -> None:
    one, two, three = (create_datapoint(inputs={"n": number}) for number in range(3))
    create_dataset(datapoints=[two, three])

    def listed(**wanted: Any) -> set[str]:  # noqa: ANN401 - whatever `list` takes
        return {str(each.id) for each in client.datapoints.list(**wanted).datapoints}

    assert listed(datapoint_ids=[one]) == {one}
    assert listed(datapoint_ids=[one, two]) == {one, two}
    assert listed(dataset_name=resource_name) == {two, three}
    assert {one, two, three} <= listed()


def test_more_ids_than_fit_into_one_request_are_all_found(
    client: HoneyHive, create_dataset: Callable[..., str], cleanup: Cleanup, resource_name: str
) -> None:
    from honeyhive.models import AddDatapointsToDatasetRequest

    rows = [{"n": number} for number in range(120)]
    added = client.datasets.add_datapoints(
        create_dataset(), AddDatapointsToDatasetRequest(data=rows, mapping={"inputs": ["n"]})
    ).datapoint_ids

    def delete_all() -> None:
        async def all_at_once() -> None:
            await asyncio.gather(*map(client.datapoints.delete_async, added))

        asyncio.run(all_at_once())

    cleanup.register(f"{resource_name} rows", delete_all)

    found = client.datapoints.list(datapoint_ids=added).datapoints
    assert sorted(each.inputs["n"] for each in found) == list(range(120))


def test_a_deleted_datapoint_is_gone_and_out_of_its_dataset(
    client: HoneyHive, create_dataset: Callable[..., str]
) -> None:
    from honeyhive._generated.api_config import HTTPException
    from honeyhive.models import CreateDatapointRequest

    dataset_id = create_dataset()
    [datapoint_id] = client.datapoints.create(
        CreateDatapointRequest(inputs={}, linked_datasets=[dataset_id])
    ).result.insertedIds

    deleted = client.datapoints.delete(datapoint_id)

    assert deleted.deleted is True
    assert _read(client, dataset_id).datapoints == []
    with pytest.raises(HTTPException) as raised:
        client.datapoints.get(datapoint_id)
    assert raised.value.status_code == 404


# ---- Asynchronously, by the older names, and from elsewhere ------------------------------------------


def test_the_asynchronous_calls_do_the_same(client: HoneyHive, resource_name: str) -> None:
    from honeyhive.models import (
        AddDatapointsToDatasetRequest,
        CreateDatapointRequest,
        CreateDatasetRequest,
        UpdateDatapointRequest,
        UpdateDatasetRequest,
    )

    async def work() -> None:
        datasets, datapoints = client.datasets, client.datapoints
        dataset_id = (await datasets.create_async(CreateDatasetRequest(name=resource_name))).result.insertedId
        try:
            created = await datapoints.create_async(CreateDatapointRequest(inputs={"n": 0}))
            [first] = created.result.insertedIds
            request = AddDatapointsToDatasetRequest(data=[{"n": 1}], mapping={"inputs": ["n"]})
            [second] = (await datasets.add_datapoints_async(dataset_id, request)).datapoint_ids
            await datasets.update_async(UpdateDatasetRequest(dataset_id=dataset_id, datapoints=[first, second]))
            await datapoints.update_async(second, UpdateDatapointRequest(metadata={"seen": True}))
            await datasets.remove_datapoint_async(dataset_id, first)

            [dataset] = (await datasets.list_async(dataset_id=dataset_id)).datasets
            [read] = (await datapoints.get_async(second)).datapoint
            listed = (await datapoints.list_async(datapoint_ids=[first, second])).datapoints
            assert dataset.datapoints == [second]
            assert (read.inputs, read.metadata) == ({"n": 1}, {"seen": True})
            assert {each.id for each in listed} == {first, second}
            for datapoint_id in (first, second):
                assert (await datapoints.delete_async(datapoint_id)).deleted is True
        finally:
            await datasets.delete_async(dataset_id)

    asyncio.run(work())


def test_the_older_names_of_the_calls_do_the_same(client: HoneyHive, resource_name: str) -> None:
    from honeyhive.models import (
        CreateDatapointRequest,
        CreateDatasetRequest,
        UpdateDatapointRequest,
        UpdateDatasetRequest,
    )

    [datapoint_id] = client.datapoints.create_datapoint(CreateDatapointRequest(inputs={"n": 1})).result.insertedIds
    dataset_id = client.datasets.create_dataset(CreateDatasetRequest(name=resource_name)).result.insertedId
    client.datasets.update_dataset(UpdateDatasetRequest(dataset_id=dataset_id, datapoints=[datapoint_id]))
    client.datapoints.update_datapoint(datapoint_id, UpdateDatapointRequest(inputs={"n": 2}))

    [dataset] = client.datasets.get_dataset(dataset_id).datasets
    [datapoint] = client.datapoints.get_datapoint(datapoint_id).datapoint
    assert dataset.datapoints == [datapoint_id]
    assert datapoint.inputs == {"n": 2}
    assert dataset_id in [each.id for each in client.datasets.list_datasets().datasets]
    assert datapoint_id in [each.id for each in client.datapoints.list_datapoints().datapoints]
    client.datasets.delete_dataset(dataset_id)
    client.datapoints.delete_datapoint(datapoint_id)
    assert client.datasets.list(dataset_id=dataset_id).datasets == []


@pytest.mark.needs("second-project")
def test_another_project_neither_sees_nor_changes_a_dataset(
    target: Target, other_project: Tenant, client: HoneyHive, create_dataset: Callable[..., str], resource_name: str
) -> None:
    from honeyhive._generated.api_config import HTTPException
    from honeyhive.models import UpdateDatasetRequest

    dataset_id = create_dataset()
    stranger = client_of(target, other_project)

    assert stranger.datasets.list(dataset_id=dataset_id).datasets == []
    assert stranger.datasets.list(name=resource_name).datasets == []
    with pytest.raises(HTTPException) as deleting:
        stranger.datasets.delete(dataset_id)
    with pytest.raises(HTTPException) as updating:
        stranger.datasets.update(UpdateDatasetRequest(dataset_id=dataset_id, name="taken"))
    assert (deleting.value.status_code, updating.value.status_code) == (404, 404)
    assert _read(client, dataset_id).name == resource_name
