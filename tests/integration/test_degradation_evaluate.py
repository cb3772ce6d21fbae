"""`evaluate()` when a part of it fails: what is lost, what is left, and what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.degradation.entries import observe
from tests.support.degradation.table import EVALUATE, FAULTS
from tests.support.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from honeyhive import HoneyHiveTracer

    from environments.inside.target import Target
    from tests.support.cleanup import Cleanup
    from tests.support.degradation.table import Part
    from tests.support.faults import Proxy
    from tests.support.server import Server

WITHIN_S = 20.0


@pytest.fixture
def evaluating(
    proxy: Proxy, target: Target, server: Server, cleanup: Cleanup, resource_name: str, first_tracer: HoneyHiveTracer
) -> Callable[[], object]:
    """Return what runs an evaluation of two datapoints through the proxy, and says what it says of it."""
    del first_tracer  # else the first datapoint's tracer would be it

    def run() -> object:
        from honeyhive import evaluate

        def doubled(datapoint: dict[str, Any]) -> dict[str, Any]:
            return {"answer": datapoint["inputs"]["x"] * 2}

        def right(_outputs: dict[str, Any], _inputs: dict[str, Any], _ground_truth: dict[str, Any]) -> float:
            return 1.0

        result = evaluate(
            function=doubled,
            evaluators=[right],
            dataset=[{"inputs": {"x": x}, "ground_truth": {"y": 2 * x}} for x in (1, 2)],
            name=resource_name,
            api_key=target.api_key,
            server_url=proxy.url,
            max_workers=1,
            print_results=False,
        )
        return "success" if result.success else "failure"

    def delete() -> None:
        for run in _runs(server, resource_name):
            for event in server.events(**{"metadata.run_id": run["run_id"]}):
                server.delete_session(event["session_id"])
            server.delete_run(run["run_id"])

    cleanup.register(resource_name, delete)
    return run


def _runs(server: Server, name: str) -> list[dict[str, Any]]:
    return [run for run in server.get("/v1/runs", name=name)["evaluations"] if run["name"] == name]


@pytest.mark.parametrize("part", EVALUATE, ids=lambda part: f"{part.name}-{part.fault}")
def test_an_evaluation_loses_the_part_that_fails_and_no_other(
    part: Part, evaluating: Callable[[], object], proxy: Proxy, server: Server, resource_name: str
) -> None:
    proxy.fail(FAULTS[part.fault], part.path, method=part.method)

    ending = observe(evaluating)

    assert ending.says == part.says.format(fault=part.fault)
    assert ending.took_s <= WITHIN_S
    runs = _runs(server, resource_name)
    assert [run["status"] for run in runs] == ([part.status] if part.status else [])

    def left() -> tuple[int, int, int]:
        held = [event for run in runs for event in server.events(**{"metadata.run_id": run["run_id"]})]
        sessions = [event for event in held if event["event_type"] == "session"]
        outputs = [session for session in sessions if session["outputs"].get("answer")]
        return len(sessions), len(outputs), len([event for event in held if event["metrics"].get("right") == 1])

    def settled() -> bool:
        assert left() == (part.sessions, part.outputs, part.scores)
        return True

    assert eventually(settled)


@pytest.mark.parametrize("path", ["/opentelemetry/*", "/session/start", "/events"])
def test_an_evaluation_that_lost_something_is_no_success(
    path: str, evaluating: Callable[[], object], proxy: Proxy
) -> None:
    proxy.fail(FAULTS["503"], path)

    says = observe(evaluating).says

    assert says != "success", f"of an evaluation that lost something evaluate() says {says}"
