"""Experiments and metrics: what data is judged by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.surface import Entry

if TYPE_CHECKING:
    from tests.support.surface import Tried, World

_EVER = {"$gte": "2020-01-01T00:00:00Z", "$lte": "2100-01-01T00:00:00Z"}


# ---- Experiments -------------------------------------------------------------------------------------


def _scored_run(world: World, score: float) -> str:
    """Make a run with one session, in it one event with a score."""
    run_id = _made_run(world)
    metadata = {"run_id": run_id, "datapoint_id": "one"}
    session_id = world.made_session(metadata=metadata)
    about = {"session_id": session_id, "metadata": metadata, "metrics": {"accuracy": score}}
    event = {"event_type": "chain", "event_name": "answer", "inputs": {}, **about}
    world.server.post("/events", {"event": event})
    world.server.event(session_id, "answer")
    return run_id


def _made_run(world: World, **fields: object) -> str:
    run_id = world.server.post("/v1/runs", {"name": world.name, **fields})["run_id"]
    world.delete_afterwards(f"/v1/runs/{run_id}")
    return str(run_id)


def _run(world: World, run_id: str) -> dict[str, Any]:
    return dict(world.server.get(f"/v1/runs/{run_id}")["evaluation"])


def _creates_a_run(world: World, call: Tried) -> None:
    from honeyhive.models import PostExperimentRunRequest

    run_id = call(PostExperimentRunRequest(name=world.name, configuration={"temperature": 0.5})).run_id
    world.delete_afterwards(f"/v1/runs/{run_id}")
    stored = _run(world, run_id)
    assert (stored["name"], stored["configuration"]) == (world.name, {"temperature": 0.5})


def _gets_a_run(world: World, call: Tried) -> None:
    run_id = _made_run(world, status="running")
    found = call(run_id).evaluation
    assert (found.run_id, found.name, found.status) == (run_id, world.name, "running")


def _lists_runs(world: World, call: Tried) -> None:
    run_id = _made_run(world)
    assert [each.run_id for each in call(run_ids=[run_id]).evaluations] == [run_id]
    assert [each.run_id for each in call(name=world.name, limit=5).evaluations] == [run_id]


def _updates_a_run(world: World, call: Tried) -> None:
    from honeyhive.models import PutExperimentRunRequest

    run_id = _made_run(world)
    assert call(run_id, PutExperimentRunRequest(status="completed", results={"score": 1})).evaluation
    stored = _run(world, run_id)
    assert (stored["status"], stored["results"], stored["name"]) == ("completed", {"score": 1}, world.name)


def _deletes_a_run(world: World, call: Tried) -> None:
    run_id = world.server.post("/v1/runs", {"name": world.name})["run_id"]
    assert call(run_id).deleted is True
    assert world.server.status(f"/v1/runs/{run_id}") == 404


def _gets_a_result(world: World, call: Tried) -> None:
    run_id = _scored_run(world, 0.5)
    result = call(run_id, "max")
    assert [each["aggregate"] for each in result["metrics"]["details"]] == [0.5]
    assert result["run_object"]["run_id"] == run_id


def _compares_runs(world: World, call: Tried) -> None:
    old, new = (_scored_run(world, score) for score in (0.25, 0.75))
    [metric] = call(new, old)["metrics"]
    assert (metric["improved"], metric["old_aggregate"], metric["new_aggregate"]) == (["one"], 0.25, 0.75)


def _compares_the_events_of_runs(world: World, call: Tried) -> None:
    old, new = (_scored_run(world, score) for score in (0.25, 0.75))
    compared = call(new, old, event_name="answer", limit=5)
    [pair] = compared["events"] if isinstance(compared, dict) else [each.model_dump() for each in compared.events]
    scores = [pair[event]["metrics"] for event in ("event_1", "event_2")]
    assert scores == [{"accuracy": 0.75}, {"accuracy": 0.25}]


def _gets_a_schema(world: World, call: Tried) -> None:
    run_id = _scored_run(world, 0.5)
    schema = call(evaluation_id=run_id, dateRange=_EVER)
    assert ("metrics.accuracy", "chain") in {(each.name, each.event_type) for each in schema.fields}


# ---- Metrics -----------------------------------------------------------------------------------------


def _human(name: str, criteria: str = "Good?") -> dict[str, Any]:
    return {"name": name, "type": "HUMAN", "criteria": criteria}


def _made_metric(world: World) -> str:
    metric_id = world.server.post("/v1/metrics", _human(world.name))["metric_id"]
    world.delete_afterwards(f"/v1/metrics?metric_id={metric_id}")
    return str(metric_id)


def _metric(world: World, metric_id: str) -> dict[str, Any]:
    [found] = world.server.get("/v1/metrics", id=metric_id)["metrics"]
    return dict(found)


def _creates_a_metric(world: World, call: Tried) -> None:
    from honeyhive.models import CreateMetricRequest

    metric_id = call(CreateMetricRequest(**_human(world.name), threshold={"min": 0.5})).metric_id
    world.delete_afterwards(f"/v1/metrics?metric_id={metric_id}")
    stored = _metric(world, metric_id)
    assert (stored["name"], stored["type"], stored["threshold"]) == (world.name, "HUMAN", {"min": 0.5})


def _lists_metrics(world: World, call: Tried) -> None:
    metric_id = _made_metric(world)
    assert (metric_id, world.name) in {(each.id, each.name) for each in call(type="HUMAN")}


def _gets_a_metric(world: World, call: Tried) -> None:
    metric_id = _made_metric(world)
    assert [(each.id, each.name) for each in call(metric_id)] == [(metric_id, world.name)]


def _updates_a_metric(world: World, call: Tried) -> None:
    from honeyhive.models import UpdateMetricRequest

    metric_id = _made_metric(world)
    assert call(UpdateMetricRequest(id=metric_id, description="changed")).updated is True
    stored = _metric(world, metric_id)
    assert (stored["name"], stored["description"]) == (world.name, "changed")


def _deletes_a_metric(world: World, call: Tried) -> None:
    metric_id = world.server.post("/v1/metrics", _human(world.name))["metric_id"]
    assert call(metric_id).deleted is True
    assert world.server.get("/v1/metrics", id=metric_id)["metrics"] == []


def _versions(world: World, metric_id: str) -> list[dict[str, Any]]:
    return list(world.server.get(f"/v1/metrics/{metric_id}/versions")["data"])


def _with_two_versions(world: World) -> tuple[str, str]:
    metric_id = _made_metric(world)
    second = {"message": "second", "content": _human(world.name, "Better?")}
    return metric_id, world.server.post(f"/v1/metrics/{metric_id}/versions", second)["data"]["name"]


def _creates_a_version(world: World, call: Tried) -> None:
    from honeyhive.models import CreateMetricVersionRequest

    metric_id = _made_metric(world)
    content = _human(world.name, "Better?")
    version = call(metric_id, CreateMetricVersionRequest(message="second", content=content)).data
    stored = _versions(world, metric_id)[-1]
    assert (stored["name"], stored["content"]["criteria"]) == (version.name, "Better?")


def _lists_versions(world: World, call: Tried) -> None:
    metric_id, second = _with_two_versions(world)
    listed = call(metric_id).data
    assert ([each.deployed for each in listed], listed[-1].name) == ([True, False], second)


def _deploys_a_version(world: World, call: Tried) -> None:
    metric_id, second = _with_two_versions(world)
    assert call(metric_id, second).data.deployed is True
    assert [each["deployed"] for each in _versions(world, metric_id)] == [False, True]


JUDGING = (
    Entry("experiments", "create_run create_run_async", _creates_a_run),
    Entry("experiments", "get_run get_run_async", _gets_a_run),
    Entry("experiments", "list_runs list_runs_async", _lists_runs),
    Entry("experiments", "update_run update_run_async", _updates_a_run),
    Entry("experiments", "delete_run delete_run_async", _deletes_a_run),
    Entry("experiments", "get_result get_result_async get_run_result", _gets_a_result),
    Entry("experiments", "compare_runs compare_runs_async", _compares_runs),
    Entry("experiments", "compare_run_events", _compares_the_events_of_runs),
    Entry("experiments", "get_schema get_schema_async", _gets_a_schema),
    Entry("metrics", "create create_async create_metric", _creates_a_metric),
    Entry("metrics", "list list_async list_metrics", _lists_metrics),
    Entry("metrics", "get_metric", _gets_a_metric),
    Entry("metrics", "update update_async update_metric", _updates_a_metric),
    Entry("metrics", "delete delete_async delete_metric", _deletes_a_metric),
    Entry("metric_versions", "create create_async", _creates_a_version, since="1.2"),
    Entry("metric_versions", "list list_async", _lists_versions, since="1.2"),
    Entry("metric_versions", "deploy deploy_async", _deploys_a_version, since="1.2"),
)
