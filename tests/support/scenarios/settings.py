"""Configurations and charts: what a project keeps beside its data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.surface import Entry

if TYPE_CHECKING:
    from tests.support.surface import Tried, World

_PARAMETERS = {"call_type": "chat", "model": "small"}


def _new_configuration(world: World) -> str:
    new = {"name": world.name, "provider": "openai", "parameters": _PARAMETERS}
    return str(world.server.post("/v1/configurations", new)["insertedId"])


def _made_configuration(world: World) -> str:
    created = _new_configuration(world)
    world.delete_afterwards(f"/v1/configurations/{created}")
    return created


def _configurations(world: World) -> list[dict[str, Any]]:
    return list(world.server.get("/v1/configurations", name=world.name)["configurations"])


def _creates_a_configuration(world: World, call: Tried) -> None:
    from honeyhive.models import CreateConfigurationRequest

    request = CreateConfigurationRequest(name=world.name, provider="openai", parameters=_PARAMETERS)
    created = call(request).insertedId
    world.delete_afterwards(f"/v1/configurations/{created}")
    assert [(each["id"], each["parameters"]["model"]) for each in _configurations(world)] == [(created, "small")]


def _lists_configurations(world: World, call: Tried) -> None:
    created = _made_configuration(world)
    assert (created, world.name) in {(each.id, each.name) for each in call()}


def _gets_a_configuration(world: World, call: Tried) -> None:
    # Every release lists all of them, whatever the id.
    created = _made_configuration(world)
    assert (created, world.name) in {(each.id, each.name) for each in call(created)}


def _updates_a_configuration(world: World, call: Tried) -> None:
    from honeyhive.models import UpdateConfigurationRequest

    created = _made_configuration(world)
    assert call(created, UpdateConfigurationRequest(name=world.name, tags=["changed"])).acknowledged is True
    assert [each["tags"] for each in _configurations(world)] == [["changed"]]


def _deletes_a_configuration(world: World, call: Tried) -> None:
    created = _new_configuration(world)
    assert call(created).deletedCount == 1
    assert _configurations(world) == []


def _new_chart(world: World) -> str:
    return str(world.server.post("/v1/charts", {"name": world.name, "metric": "cost"})["data"]["id"])


def _made_chart(world: World) -> str:
    chart_id = _new_chart(world)
    world.delete_afterwards(f"/v1/charts/{chart_id}")
    return chart_id


def _chart(world: World, chart_id: str) -> dict[str, Any]:
    return dict(world.server.get(f"/v1/charts/{chart_id}")["data"])


def _creates_a_chart(world: World, call: Tried) -> None:
    from honeyhive.models import CreateChartRequest

    chart_id = call(CreateChartRequest(name=world.name, metric="cost", dateRange={"relative": "7d"})).data.id
    world.delete_afterwards(f"/v1/charts/{chart_id}")
    stored = _chart(world, chart_id)
    assert (stored["name"], stored["metric"], stored["dateRange"]) == (world.name, "cost", {"relative": "7d"})


def _lists_charts(world: World, call: Tried) -> None:
    chart_id = _made_chart(world)
    assert (chart_id, world.name) in {(each.id, each.name) for each in call().data}


def _gets_a_chart(world: World, call: Tried) -> None:
    chart_id = _made_chart(world)
    assert (call(chart_id).data.id, call(chart_id).data.name) == (chart_id, world.name)


def _updates_a_chart(world: World, call: Tried) -> None:
    from honeyhive.models import UpdateChartRequest

    chart_id = _made_chart(world)
    assert call(chart_id, UpdateChartRequest(func="sum")).data.func == "sum"
    stored = _chart(world, chart_id)
    assert (stored["name"], stored["func"]) == (world.name, "sum")


def _deletes_a_chart(world: World, call: Tried) -> None:
    chart_id = _new_chart(world)
    assert call(chart_id).success is True
    assert world.server.status(f"/v1/charts/{chart_id}") == 404


SETTINGS = (
    Entry("configurations", "create create_async create_configuration", _creates_a_configuration),
    Entry("configurations", "list list_async list_configurations", _lists_configurations),
    Entry("configurations", "get_configuration", _gets_a_configuration),
    Entry("configurations", "update update_async update_configuration", _updates_a_configuration),
    Entry("configurations", "delete delete_async delete_configuration", _deletes_a_configuration),
    Entry("charts", "create create_async", _creates_a_chart, since="1.1"),
    Entry("charts", "list list_async", _lists_charts, since="1.1"),
    Entry("charts", "get get_async", _gets_a_chart, since="1.1"),
    Entry("charts", "update update_async", _updates_a_chart, since="1.1"),
    Entry("charts", "delete delete_async", _deletes_a_chart, since="1.1"),
)
