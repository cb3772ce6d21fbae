"""Configurations: what a client writes is what any client reads."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from honeyhive import HoneyHive

    from tests.support.cleanup import Cleanup

_PARAMETERS = {
    "call_type": "chat",
    "model": "gpt-4o",
    "hyperparameters": {"temperature": 0.2},
    "template": [{"role": "system", "content": "Be brief."}],
}


@pytest.fixture
def create_configuration(client: HoneyHive, cleanup: Cleanup, resource_name: str) -> Callable[..., str]:
    """Create configurations that are deleted afterwards."""
    from honeyhive.models import CreateConfigurationRequest

    def create(**given: Any) -> str:  # noqa: ANN401 - whatever the request takes
        wanted = {"name": resource_name, "provider": "openai", "parameters": _PARAMETERS, **given}
        configuration_id = str(client.configurations.create(CreateConfigurationRequest(**wanted)).insertedId)
        cleanup.register(f"{resource_name} {configuration_id}", lambda: client.configurations.delete(configuration_id))
        return configuration_id

    return create


def _read(client: HoneyHive, configuration_id: str) -> Any:  # noqa: ANN401 - a model of the SDK
    return next((each for each in client.configurations.list() if each.id == configuration_id), None)


def test_a_configuration_is_read_back_with_everything_it_was_created_with(
    client: HoneyHive, create_configuration: Callable[..., str], resource_name: str
) -> None:
    configuration_id = create_configuration(env=["dev", "prod"], tags=["blue"], user_properties={"team": "a"})

    read = _read(client, configuration_id)
    assert (read.name, read.provider, read.type) == (resource_name, "openai", "LLM")
    assert read.parameters.model_dump(exclude_none=True) == _PARAMETERS
    assert (read.env, read.tags, read.user_properties) == (["dev", "prod"], ["blue"], {"team": "a"})


def test_an_update_replaces_the_fields_that_it_names_and_leaves_the_others(
    client: HoneyHive, create_configuration: Callable[..., str], resource_name: str
) -> None:
    from honeyhive.models import UpdateConfigurationRequest

    configuration_id = create_configuration(tags=["blue"])

    updated = client.configurations.update(
        configuration_id, UpdateConfigurationRequest(name=f"{resource_name}-renamed", provider="anthropic")
    )

    assert (updated.acknowledged, updated.matchedCount) == (True, 1)
    read = _read(client, configuration_id)
    assert (read.name, read.provider, read.tags) == (f"{resource_name}-renamed", "anthropic", ["blue"])


def test_a_deleted_configuration_is_gone(client: HoneyHive, resource_name: str) -> None:
    from honeyhive.models import CreateConfigurationRequest

    created = client.configurations.create(
        CreateConfigurationRequest(name=resource_name, provider="openai", parameters=_PARAMETERS)
    )

    deleted = client.configurations.delete(created.insertedId)

    assert deleted.deletedCount == 1
    assert _read(client, created.insertedId) is None


def test_the_asynchronous_calls_do_the_same(client: HoneyHive, resource_name: str) -> None:
    from honeyhive.models import CreateConfigurationRequest, UpdateConfigurationRequest

    async def work() -> None:
        configurations = client.configurations
        new = CreateConfigurationRequest(name=resource_name, provider="openai", parameters=_PARAMETERS)
        created = (await configurations.create_async(new)).insertedId
        await configurations.update_async(created, UpdateConfigurationRequest(name=resource_name, tags=["green"]))
        [read] = [each for each in await configurations.list_async() if each.id == created]
        assert read.tags == ["green"]
        assert (await configurations.delete_async(created)).deletedCount == 1

    asyncio.run(work())


def test_the_older_names_of_the_calls_do_the_same(client: HoneyHive, resource_name: str) -> None:
    from honeyhive.models import CreateConfigurationRequest, UpdateConfigurationRequest

    configurations = client.configurations
    new = CreateConfigurationRequest(name=resource_name, provider="openai", parameters=_PARAMETERS)
    created = configurations.create_configuration(new).insertedId
    configurations.update_configuration(created, UpdateConfigurationRequest(name=resource_name, tags=["green"]))

    for found in (configurations.list_configurations(), configurations.get_configuration(created)):
        [read] = [each for each in found if each.id == created]
        assert read.tags == ["green"]
    assert configurations.delete_configuration(created).deletedCount == 1
