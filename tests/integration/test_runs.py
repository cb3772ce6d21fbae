"""Experiment runs, made by hand: what `evaluate()` does, step by step."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from honeyhive import HoneyHive

    from tests.support.server import Server


@pytest.fixture
def scored_run(
    client: HoneyHive, create_run: Callable[..., str], start_session: Callable[..., str], server: Server
) -> Callable[..., str]:
    """Make a run with a session and a scored event per datapoint: `scored_run({"datapoint": 0.5})` returns its id."""

    def make(scores: dict[str, float], **fields: object) -> str:
        from honeyhive.models import PostEventRequest, PutExperimentRunRequest

        run_id = create_run(**fields)
        sessions = []
        for datapoint, score in scores.items():
            metadata = {"run_id": run_id, "datapoint_id": datapoint}
            session_id = start_session(metadata=metadata)
            event = {
                "event_type": "chain",
                "event_name": "answer",
                "session_id": session_id,
                "inputs": {},
                "metrics": {"accuracy": score},
                "metadata": metadata,
            }
            client.events.create(PostEventRequest(event=event))
            server.event(session_id, "answer")
            sessions.append(session_id)
        client.experiments.update_run(run_id, PutExperimentRunRequest(status="completed", event_ids=sessions))
        return run_id

    return make


def test_a_run_is_read_back_as_it_was_created_and_updated(
    client: HoneyHive, create_run: Callable[..., str], resource_name: str
) -> None:
    from honeyhive.models import PutExperimentRunRequest

    run_id = create_run(metadata={"model": "small"}, configuration={"temperature": 0.5}, datapoint_ids=["one"])
    client.experiments.update_run(
        run_id, PutExperimentRunRequest(status="completed", metadata={"done": True}, results={"score": 1})
    )

    run = client.experiments.get_run(run_id).evaluation
    assert (run.run_id, run.name, run.status) == (run_id, resource_name, "completed")
    assert run.metadata["done"] is True
    assert (run.results, run.configuration) == ({"score": 1}, {"temperature": 0.5})


def test_runs_are_listed_by_id_and_by_status(client: HoneyHive, create_run: Callable[..., str]) -> None:
    ids = [create_run(status=status) for status in ("pending", "completed")]

    listed = client.experiments.list_runs(run_ids=ids)
    completed = client.experiments.list_runs(run_ids=ids, status="completed")
    today = client.experiments.list_runs(run_ids=ids, dateRange={"$gte": "2020-01-01T00:00:00Z"})

    assert {run.run_id for run in listed.evaluations} == set(ids)
    assert listed.pagination.total == 2
    assert [run.run_id for run in completed.evaluations] == ids[1:]
    assert len(today.evaluations) == 2


def test_more_run_ids_than_fit_into_one_request_are_all_found(
    client: HoneyHive, create_run: Callable[..., str]
) -> None:
    mine = [create_run(), create_run()]
    others = [str(uuid.uuid4()) for _ in range(120)]

    found = client.experiments.list_runs(run_ids=[mine[0], *others, mine[1]])

    assert {run.run_id for run in found.evaluations} == set(mine)


def test_a_run_that_is_deleted_is_gone(client: HoneyHive, resource_name: str) -> None:
    from honeyhive._generated.api_config import HTTPException
    from honeyhive.models import PostExperimentRunRequest

    run_id = client.experiments.create_run(PostExperimentRunRequest(name=resource_name)).run_id

    assert client.experiments.delete_run(run_id).deleted is True
    with pytest.raises(HTTPException):
        client.experiments.get_run(run_id)


def test_the_async_client_does_with_runs_what_the_other_does(client: HoneyHive, resource_name: str) -> None:
    from honeyhive.models import PostExperimentRunRequest, PutExperimentRunRequest

    async def live() -> tuple[str | None, int, bool]:
        runs = client.experiments
        run_id = (await runs.create_run_async(PostExperimentRunRequest(name=resource_name))).run_id
        await runs.update_run_async(run_id, PutExperimentRunRequest(status="failed"))
        status = (await runs.get_run_async(run_id)).evaluation.status
        listed = await runs.list_runs_async(run_ids=[run_id])
        result = await runs.get_result_async(run_id)
        assert result["datapoints"] == []
        return status, len(listed.evaluations), (await runs.delete_run_async(run_id)).deleted

    assert asyncio.run(live()) == ("failed", 1, True)


def test_a_result_aggregates_scores_as_asked(client: HoneyHive, scored_run: Callable[..., str]) -> None:
    run_id = scored_run({"one": 0.25, "two": 0.75})

    results = {name: client.experiments.get_result(run_id, aggregate_function=name) for name in ("average", "max")}

    aggregates = {name: result["metrics"]["details"][0]["aggregate"] for name, result in results.items()}
    assert aggregates == {"average": 0.5, "max": 0.75}
    datapoints = {each["datapoint_id"]: each for each in results["average"]["datapoints"]}
    assert datapoints["one"]["metrics"][0]["value"] == 0.25
    assert results["average"]["run_object"]["run_id"] == run_id


def test_a_score_outside_of_its_passing_range_fails_its_datapoint(
    client: HoneyHive, scored_run: Callable[..., str]
) -> None:
    run_id = scored_run({"one": 0.25, "two": 0.75}, passing_ranges={"accuracy": {"min": 0.5, "max": 1}})

    result = client.experiments.get_result(run_id)

    assert (result["success"], result["passed"], result["failed"]) == (False, ["two"], ["one"])


def test_runs_are_compared_per_metric_and_event_by_event(client: HoneyHive, scored_run: Callable[..., str]) -> None:
    old = scored_run({"better": 0.25, "worse": 0.5, "same": 1.0})
    new = scored_run({"better": 0.75, "worse": 0.25, "same": 1.0})

    comparison = client.experiments.compare_runs(new, old)
    events = client.experiments.compare_run_events(new, old, event_name="answer")

    assert sorted(comparison["commonDatapoints"]) == ["better", "same", "worse"]
    (metric,) = comparison["metrics"]
    assert (metric["improved"], metric["degraded"], metric["same"]) == (["better"], ["worse"], ["same"])
    assert comparison["event_details"]
    pairs = {pair.datapoint_id: pair for pair in events.events}
    assert set(pairs) == {"better", "worse", "same"}
    assert pairs["better"].event_1["metrics"] == {"accuracy": 0.75}
    assert pairs["better"].event_2["metrics"] == {"accuracy": 0.25}


def test_the_schema_names_the_fields_of_a_runs_events(client: HoneyHive, scored_run: Callable[..., str]) -> None:
    run_id = scored_run({"one": 1.0})

    schema = client.experiments.get_schema(
        evaluation_id=run_id, dateRange={"$gte": "2020-01-01T00:00:00Z", "$lte": "2100-01-01T00:00:00Z"}
    )

    assert ("metrics.accuracy", "chain") in {(field.name, field.event_type) for field in schema.fields}


def test_a_run_that_does_not_exist_is_an_error_of_the_client(client: HoneyHive) -> None:
    from honeyhive._generated.api_config import HTTPException

    with pytest.raises(HTTPException):
        client.experiments.get_result(str(uuid.uuid4()))
