"""What evaluators and evaluated functions may be, and what becomes of it: scores, explanations, nested spans."""

# The SDK isn't installed where types are checked.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from honeyhive import HoneyHiveTracer

    from environments.inside.target import Target
    from tests.support.server import Event, Server

DATASET = [{"inputs": {"x": 1}, "ground_truth": {"y": 2}}]


def doubled(datapoint: dict[str, Any]) -> dict[str, Any]:
    return {"answer": datapoint["inputs"]["x"] * 2}


def exact(outputs: dict[str, Any], _inputs: dict[str, Any], ground_truth: dict[str, Any]) -> float:
    return float(outputs["answer"] == ground_truth["y"])


def _only_event(server: Server, run_id: str, name: str) -> Event:
    (session_id,) = server.get(f"/v1/runs/{run_id}")["evaluation"]["event_ids"]
    return server.event(session_id, name)


def test_an_evaluator_says_why_and_how_much_more_than_a_score(
    run_evaluation: Callable[..., Any], server: Server
) -> None:
    def judge(_outputs: object, _inputs: object, _ground_truth: object) -> dict[str, Any]:
        return {"score": 0.5, "explanation": "half of it", "tokens": 7}

    result = run_evaluation(doubled, dataset=DATASET, evaluators=[judge])

    metrics = _only_event(server, result.run_id, "doubled")["metrics"]
    assert metrics == {"judge": 0.5, "judge_explanation": "half of it", "judge_tokens": 7}


@pytest.mark.parametrize("score", [True, 3, 0.25, "good"], ids=["bool", "int", "float", "text"])
def test_a_score_keeps_its_type(run_evaluation: Callable[..., Any], server: Server, score: object) -> None:
    def judge(*_arguments: object) -> object:
        return score

    result = run_evaluation(doubled, dataset=DATASET, evaluators=[judge])

    held = _only_event(server, result.run_id, "doubled")["metrics"]["judge"]
    assert (held, type(held)) == (score, type(score))


def test_asynchronous_functions_and_evaluators_are_awaited(run_evaluation: Callable[..., Any], server: Server) -> None:
    async def halved(datapoint: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"answer": datapoint["inputs"]["x"] / 2}

    async def judge(outputs: dict[str, Any], _inputs: object, _ground_truth: object) -> float:
        await asyncio.sleep(0)
        return float(outputs["answer"])

    result = run_evaluation(halved, dataset=DATASET, evaluators=[judge])

    assert _only_event(server, result.run_id, "halved")["metrics"] == {"judge": 0.5}


def test_an_evaluator_that_raises_costs_its_own_score_and_no_other(
    run_evaluation: Callable[..., Any], server: Server
) -> None:
    def broken(*_arguments: object) -> float:
        raise RuntimeError("no judge today")

    result = run_evaluation(doubled, dataset=DATASET, evaluators=[broken, exact])

    assert result.status == "completed"
    assert _only_event(server, result.run_id, "doubled")["metrics"] == {"exact": 1}


def test_the_evaluator_decorator_makes_an_evaluator_that_scores_as_the_function_does(
    run_evaluation: Callable[..., Any], server: Server
) -> None:
    from honeyhive import evaluator

    @evaluator
    def decorated(outputs: dict[str, Any], _inputs: object, _ground_truth: object) -> float:
        return float(outputs["answer"])

    result = run_evaluation(doubled, dataset=DATASET, evaluators=[decorated])

    assert _only_event(server, result.run_id, "doubled")["metrics"]["decorated"] == 2


def test_datapoints_without_a_ground_truth_are_scored_by_outputs_and_inputs(
    run_evaluation: Callable[..., Any], server: Server
) -> None:
    def grew(outputs: dict[str, Any], inputs: dict[str, Any]) -> bool:
        return bool(outputs["answer"] > inputs["x"])

    result = run_evaluation(doubled, dataset=[{"inputs": {"x": 1}}], evaluators=[grew])

    assert _only_event(server, result.run_id, "doubled")["metrics"] == {"grew": True}


def test_what_the_function_traces_is_below_its_event_in_the_session_of_its_datapoint(
    run_evaluation: Callable[..., Any], server: Server
) -> None:
    def pipeline(datapoint: dict[str, Any], tracer: HoneyHiveTracer) -> dict[str, Any]:
        with tracer.trace("retrieve", event_type="tool"):
            tracer.enrich_span(metadata={"documents": datapoint["inputs"]["x"]})
        return {"answer": 1}

    result = run_evaluation(pipeline, dataset=DATASET)

    parent = _only_event(server, result.run_id, "pipeline")
    child = _only_event(server, result.run_id, "retrieve")
    assert child["parent_id"] == parent["event_id"]
    assert child["metadata"]["documents"] == 1
    assert child["metadata"]["run_id"] == result.run_id


@pytest.mark.concurrent
def test_datapoints_that_are_evaluated_at_once_each_keep_to_their_own_session(
    run_evaluation: Callable[..., Any], server: Server
) -> None:
    def echo(datapoint: dict[str, Any], tracer: HoneyHiveTracer) -> dict[str, Any]:
        with tracer.trace("inner"):
            tracer.enrich_span(metadata={"x": datapoint["inputs"]["x"]})
        return {"answer": datapoint["inputs"]["x"]}

    dataset = [{"inputs": {"x": number}} for number in range(4)]

    result = run_evaluation(echo, dataset=dataset, max_workers=4)

    run = server.get(f"/v1/runs/{result.run_id}")["evaluation"]
    assert len(set(run["event_ids"])) == 4
    seen = set()
    for session_id in run["event_ids"]:
        answer = server.session(session_id)["outputs"]["answer"]
        assert server.event(session_id, "inner")["metadata"]["x"] == answer
        seen.add(answer)
    assert seen == {0, 1, 2, 3}


def test_the_same_data_has_the_same_ids_in_every_run(run_evaluation: Callable[..., Any], server: Server) -> None:
    """What makes runs comparable."""
    runs = [run_evaluation(doubled, dataset=DATASET) for _ in range(2)]

    ids = [server.get(f"/v1/runs/{run.run_id}")["evaluation"]["datapoint_ids"] for run in runs]
    assert ids[0] == ids[1]
    assert runs[0].run_id != runs[1].run_id


@pytest.mark.parametrize(
    "given", [{}, {"dataset": DATASET, "dataset_id": "one-too-many"}], ids=["no data", "two sources of data"]
)
def test_without_data_or_with_two_sources_of_it_nothing_is_run(
    target: Target, server: Server, given: dict[str, Any]
) -> None:
    from honeyhive import evaluate

    def never(_datapoint: object) -> None:
        raise AssertionError("it was called")

    with pytest.raises(ValueError, match="dataset"):
        evaluate(function=never, api_key=server.project.api_key, server_url=target.base_url, **given)
