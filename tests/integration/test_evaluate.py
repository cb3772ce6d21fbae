"""`evaluate()`: a function, a dataset and evaluators become a run, a session per datapoint, and scores.

It is slow and makes a tracer per datapoint that nobody shuts down, so the datasets are small.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from honeyhive import HoneyHive

    from tests.support.cleanup import Cleanup
    from tests.support.server import Event, Server

DATASET = [
    {"inputs": {"x": 1}, "ground_truth": {"y": 2}},
    {"inputs": {"x": 2}, "ground_truth": {"y": 4}},
]


def doubled(datapoint: dict[str, Any]) -> dict[str, Any]:
    return {"answer": datapoint["inputs"]["x"] * 2}


def incremented(datapoint: dict[str, Any]) -> dict[str, Any]:
    return {"answer": datapoint["inputs"]["x"] + 1}


def exact(outputs: dict[str, Any], _inputs: dict[str, Any], ground_truth: dict[str, Any]) -> float:
    return float(outputs["answer"] == ground_truth["y"])


def _result(server: Server, run_id: str, scores: int) -> Event:
    """Return the result of a run once it has that many scores of `exact`: what evaluate() was shown may be behind."""

    def complete() -> Event:
        result = server.get(f"/v1/runs/{run_id}/result")
        details = [detail for detail in result["metrics"]["details"] if detail["metric_name"] == "exact"]
        found = sum(len(detail["values"]) for detail in details)
        assert found == scores, f"run {run_id} has {found} scores, not {scores}"
        return result

    return eventually(complete)


def test_an_evaluation_becomes_a_run_with_a_session_per_datapoint(
    run_evaluation: Callable[..., Any], server: Server, resource_name: str
) -> None:
    result = run_evaluation(doubled, dataset=DATASET, evaluators=[exact])

    run = server.get(f"/v1/runs/{result.run_id}")["evaluation"]
    assert (run["name"], run["status"]) == (resource_name, "completed")
    assert len(run["event_ids"]) == len(run["datapoint_ids"]) == len(DATASET)
    sessions = [server.session(session_id) for session_id in run["event_ids"]]
    assert sorted(session["outputs"]["answer"] for session in sessions) == [2, 4]
    assert sorted(session["feedback"]["ground_truth"]["y"] for session in sessions) == [2, 4]
    assert {session["metadata"]["run_id"] for session in sessions} == {result.run_id}
    assert {session["metadata"]["datapoint_id"] for session in sessions} == set(run["datapoint_ids"])


@pytest.mark.sdk(">=1.0.2")
def test_the_scores_of_evaluators_are_on_the_events_and_in_the_result(
    run_evaluation: Callable[..., Any], server: Server
) -> None:
    result = run_evaluation(incremented, dataset=DATASET, evaluators=[exact])

    run = server.get(f"/v1/runs/{result.run_id}")["evaluation"]
    events = [server.event(session_id, "incremented") for session_id in run["event_ids"]]
    assert sorted(event["metrics"]["exact"] for event in events) == [0, 1]
    assert {event["event_type"] for event in events} == {"chain"}

    assert (result.status, result.success) == ("completed", True)
    shown = _result(server, result.run_id, len(DATASET))
    assert sorted(shown["passed"]) == sorted(run["datapoint_ids"])
    (detail,) = [each for each in shown["metrics"]["details"] if each["metric_name"] == "exact"]
    assert (detail["aggregate"], sorted(detail["values"])) == (0.5, [0, 1])
    assert {datapoint["session_id"] for datapoint in shown["datapoints"]} == set(run["event_ids"])


def test_an_evaluator_that_explains_its_score_leaves_score_explanation_and_extras(
    run_evaluation: Callable[..., Any], server: Server
) -> None:
    def explained(*_: object) -> dict[str, Any]:
        return {"score": 0.5, "explanation": "half of it", "confidence": 0.25}

    result = run_evaluation(doubled, evaluators=[explained, exact], dataset=DATASET[:1])

    (session_id,) = server.get(f"/v1/runs/{result.run_id}")["evaluation"]["event_ids"]
    metrics = server.event(session_id, "doubled")["metrics"]
    assert {name: value for name, value in metrics.items() if name.startswith("explained")} == {
        "explained": 0.5,
        "explained_explanation": "half of it",
        "explained_confidence": 0.25,
    }
    assert metrics["exact"] == 1


def test_an_asynchronous_function_is_scored_too(run_evaluation: Callable[..., Any], server: Server) -> None:
    async def answered(datapoint: dict[str, Any]) -> dict[str, Any]:
        return {"answer": datapoint["inputs"]["x"] * 2}

    async def patient(outputs: dict[str, Any], *_: object) -> float:
        return float(outputs["answer"])

    result = run_evaluation(answered, evaluators=[patient, exact], dataset=DATASET[:1])

    (session_id,) = server.get(f"/v1/runs/{result.run_id}")["evaluation"]["event_ids"]
    metrics = server.event(session_id, "answered")["metrics"]
    assert (metrics["patient"], metrics["exact"]) == (2, 1)


def test_an_evaluation_aggregates_as_it_is_asked(run_evaluation: Callable[..., Any], client: HoneyHive) -> None:
    from honeyhive.experiments import get_run_result

    result = run_evaluation(incremented, dataset=DATASET, evaluators=[exact])

    def aggregate(function: str) -> float:
        (detail,) = get_run_result(client, result.run_id, None, function).metrics.details
        return float(detail.aggregate)

    assert eventually(lambda: (aggregate("max"), aggregate("average")) == (1, 0.5))


class Instrumentor:
    """What an instrumentor is to `evaluate()`. It traces the calls of `call`, once it is told where to."""

    def __init__(self) -> None:
        self.provider: Any = None
        self.instrumented = 0

    def instrument(self, *, tracer_provider: object) -> None:
        self.provider = tracer_provider
        self.instrumented += 1

    def uninstrument(self) -> None:
        self.provider = None

    def call(self) -> None:
        if self.provider is not None:
            with self.provider.get_tracer("some.instrumentor").start_as_current_span("instrumented"):
                pass


def test_an_instrumentor_is_given_the_evaluations_provider_and_taken_off_afterwards(
    run_evaluation: Callable[..., Any], server: Server
) -> None:
    instrumentor = Instrumentor()

    def calling(datapoint: dict[str, Any]) -> dict[str, Any]:
        instrumentor.call()
        return {"answer": datapoint["inputs"]["x"]}

    result = run_evaluation(calling, instrumentors=[lambda: instrumentor], dataset=DATASET[:1])

    (session_id,) = server.get(f"/v1/runs/{result.run_id}")["evaluation"]["event_ids"]
    assert server.event(session_id, "instrumented")["parent_id"] == server.event(session_id, "calling")["event_id"]
    assert instrumentor.provider is None


@pytest.mark.sdk(">=1.1")
def test_from_1_1_an_evaluation_instruments_once_whatever_the_number_of_its_datapoints(
    run_evaluation: Callable[..., Any],
) -> None:
    """Once per datapoint made a model event of one datapoint's call for each of the others."""
    instrumentor = Instrumentor()

    run_evaluation(doubled, dataset=DATASET, instrumentors=[lambda: instrumentor])

    assert instrumentor.instrumented == 1


def test_a_function_that_raises_leaves_an_error_on_its_event_and_the_run_completes(
    run_evaluation: Callable[..., Any], server: Server
) -> None:
    def picky(datapoint: dict[str, Any]) -> dict[str, Any]:
        if datapoint["inputs"]["x"] == 1:
            raise ValueError("not one")
        return {"answer": 4}

    result = run_evaluation(picky, dataset=DATASET, evaluators=[exact])

    run = server.get(f"/v1/runs/{result.run_id}")["evaluation"]
    assert run["status"] == "completed"
    held = [event for session_id in run["event_ids"] for event in server.events(session_id=session_id)]
    errors = [event["error"] for event in held if event["event_name"] == "picky" and event["error"]]
    assert len(errors) == 1
    assert "not one" in errors[0]


def test_two_evaluations_are_compared_datapoint_by_datapoint(
    run_evaluation: Callable[..., Any], client: HoneyHive, server: Server, resource_name: str
) -> None:
    old = run_evaluation(incremented, dataset=DATASET, evaluators=[exact], name=f"{resource_name}-old")
    new = run_evaluation(doubled, dataset=DATASET, evaluators=[exact], name=f"{resource_name}-new")

    for evaluated in (old, new):
        _result(server, evaluated.run_id, len(DATASET))
    comparison = client.experiments.compare_runs(str(new.run_id), str(old.run_id))

    assert len(comparison["commonDatapoints"]) == len(DATASET)
    (metric,) = [metric for metric in comparison["metrics"] if metric["metric_name"] == "exact"]
    assert (metric["old_aggregate"], metric["new_aggregate"]) == (0.5, 1)
    assert (metric["improved_count"], metric["degraded_count"], metric["same_count"]) == (1, 0, 1)


def test_a_metric_of_the_server_scores_the_events_of_an_evaluation(
    run_evaluation: Callable[..., Any], create_metric: Callable[..., str], server: Server, resource_name: str
) -> None:
    def answered(datapoint: dict[str, Any]) -> dict[str, Any]:
        return {"answer": datapoint["inputs"]["x"]}

    answered.__name__ = answered.__qualname__ = f"answered_{resource_name.replace('-', '_')}"
    only = {"field": "event_name", "operator": "is", "value": answered.__name__, "type": "string"}
    metric = f"duration-{resource_name}"
    create_metric(
        name=metric,
        type="PYTHON",
        criteria="def has_duration(event):\n    return event['duration'] >= 0",
        return_type="boolean",
        filters={"filterArray": [only]},
    )

    result = run_evaluation(answered, dataset=DATASET)

    def scored() -> list[Event]:
        answer = server.get(f"/v1/runs/{result.run_id}/result")
        details = [detail for detail in answer["metrics"]["details"] if detail["metric_name"] == metric]
        return details if details and len(details[0]["values"]) == len(DATASET) else []

    (detail,) = eventually(scored)
    assert (detail["metric_type"], detail["event_name"]) == ("PYTHON", answered.__name__)
    assert detail["aggregate"] == 1


@pytest.mark.parametrize("dataset", [[], DATASET[:1]])
def test_an_evaluation_of_few_or_no_datapoints_has_a_result_of_the_full_shape(
    run_evaluation: Callable[..., Any], server: Server, dataset: list[dict[str, Any]]
) -> None:
    result = run_evaluation(doubled, evaluators=[exact], dataset=dataset)

    assert result.status == "completed"
    assert len(_result(server, result.run_id, len(dataset))["datapoints"]) == len(dataset)


def test_an_evaluation_of_a_managed_dataset_names_its_dataset_and_its_datapoints(
    run_evaluation: Callable[..., Any], client: HoneyHive, server: Server, cleanup: Cleanup, resource_name: str
) -> None:
    from honeyhive.models import CreateDatapointRequest, CreateDatasetRequest

    created = [client.datapoints.create(CreateDatapointRequest(**datapoint)) for datapoint in DATASET]
    datapoints = [str(each.result.insertedIds[0]) for each in created]
    for datapoint in datapoints:
        cleanup.register(f"{resource_name} {datapoint}", functools.partial(client.datapoints.delete, datapoint))
    dataset = client.datasets.create(CreateDatasetRequest(name=resource_name, datapoints=datapoints))
    dataset_id = str(dataset.result.insertedId)
    cleanup.register(f"{resource_name} {dataset_id}", lambda: client.datasets.delete(dataset_id))

    result = run_evaluation(doubled, evaluators=[exact], dataset_id=dataset_id)

    run = server.get(f"/v1/runs/{result.run_id}")["evaluation"]
    assert (run["status"], run["dataset_id"]) == ("completed", dataset_id)
    shown = _result(server, result.run_id, len(DATASET))
    assert {each["datapoint_id"] for each in shown["datapoints"]} == set(datapoints)
    sessions = [server.session(session_id) for session_id in run["event_ids"]]
    assert sorted(session["feedback"]["ground_truth"]["y"] for session in sessions) == [2, 4]


def test_a_function_that_returns_text_has_its_output_and_its_ground_truth_on_the_session(
    run_evaluation: Callable[..., Any], server: Server
) -> None:
    result = run_evaluation(lambda datapoint: f"doubled: {datapoint['inputs']['x'] * 2}", dataset=DATASET)

    sessions = [server.session(one) for one in server.get(f"/v1/runs/{result.run_id}")["evaluation"]["event_ids"]]
    held = sorted((session["feedback"].get("ground_truth") or {}).get("y", 0) for session in sessions)
    assert held == [2, 4], "the ground truth is lost"
    assert all("doubled" in str(session["outputs"]) for session in sessions), "the output is lost"


def test_an_evaluator_that_raises_is_seen_in_the_result(run_evaluation: Callable[..., Any], server: Server) -> None:
    def raising(*_: object) -> float:
        raise ValueError("no score for this")

    result = run_evaluation(doubled, dataset=DATASET, evaluators=[raising])

    sessions = server.get(f"/v1/runs/{result.run_id}")["evaluation"]["event_ids"]
    told = [str(event) for session_id in sessions for event in server.events(session_id=session_id)]
    assert any("no score for this" in one for one in [*told, str(result)]), "the evaluator's error is nowhere"
