from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.services.honeyhive.running import Event, Service, answered, new_id, refused

if TYPE_CHECKING:
    import httpx

_REQUIRED = {
    *("id", "run_id", "metadata", "results", "event_ids", "configuration", "is_active", "created_at"),
    *("scope_type", "scope_id"),
}


def create_run(service: Service, **fields: object) -> Event:
    run: Event = answered(service.post("/v1/runs", fields))["evaluation"]
    return run


def scored_run(
    service: Service, scores: dict[str, dict[str, Any]], name: str = "answer", **fields: object
) -> tuple[str, dict[str, str]]:
    """Make a run as `evaluate()` does: a session and a scored event for each datapoint. Return it and its sessions."""
    run_id = str(create_run(service, **fields)["run_id"])
    sessions = {}
    for datapoint, metrics in scores.items():
        metadata = {"run_id": run_id, "datapoint_id": datapoint}
        sessions[datapoint] = service.start_session(session_name=f"{name} {run_id}", metadata=metadata)["session_id"]
        service.create_event(
            session_id=sessions[datapoint], event_type="chain", event_name=name, metrics=metrics, metadata=metadata
        )
    return run_id, sessions


def result_of(service: Service, run_id: str, **query: str) -> Event:
    return answered(service.http.get(f"/v1/runs/{run_id}/result", params=query))


def test_a_run_is_created_read_updated_and_deleted(service: Service) -> None:
    run_id = new_id()
    sent = {"run_id": run_id, "name": "mine", "metadata": {"a": 1}, "datapoint_ids": ["d"], "dataset_id": "s"}
    created = answered(service.post("/v1/runs", sent))
    run = created["evaluation"]
    assert created["run_id"] == run["run_id"] == run["id"] == run_id
    assert set(run) >= _REQUIRED
    assert (run["name"], run["status"], run["dataset_id"], run["is_active"]) == ("mine", "pending", "s", True)

    update = {"status": "completed", "event_ids": ["e"], "metadata": {"b": 2}}
    answered(service.http.put(f"/v1/runs/{run_id}", json=update))
    run = answered(service.http.get(f"/v1/runs/{run_id}"))["evaluation"]
    assert (run["status"], run["event_ids"], run["metadata"]) == ("completed", ["e"], {"a": 1, "b": 2})
    assert (run["name"], run["datapoint_ids"]) == ("mine", ["d"])
    assert run["updated_at"] >= run["created_at"]

    assert answered(service.http.delete(f"/v1/runs/{run_id}")) == {"id": run_id, "deleted": True}
    assert refused(service.http.get(f"/v1/runs/{run_id}"))[0] == 404
    assert refused(service.http.delete(f"/v1/runs/{run_id}"))[0] == 404
    assert refused(service.http.put(f"/v1/runs/{run_id}", json={}))[0] == 404


@pytest.mark.parametrize(
    "body",
    [
        {"status": "done"},
        {"name": 1},
        {"metadata": []},
        {"event_ids": "e"},
        {"event_ids": [1]},
        {"passing_ranges": {"a": 1}},
        {"passing_ranges": {"a": {"min": "x"}}},
        {"run_id": "x" * 300},
    ],
)
def test_a_run_of_the_wrong_shape_is_a_bad_request(service: Service, body: object) -> None:
    assert refused(service.post("/v1/runs", body))[0] == 400


def test_a_run_id_is_used_once(service: Service, stranger: httpx.Client) -> None:
    run_id = str(create_run(service)["run_id"])
    assert refused(service.post("/v1/runs", {"run_id": run_id}))[0] == 400
    answered(stranger.post("/v1/runs", json={"run_id": run_id}))


def test_runs_are_listed_by_what_is_asked(service: Service) -> None:
    dataset = new_id()
    ids = [str(create_run(service, name=name, dataset_id=dataset)["run_id"]) for name in ("b", "a", "c")]
    answered(service.http.put(f"/v1/runs/{ids[0]}", json={"status": "completed"}))

    def names(**query: Any) -> list[str]:  # noqa: ANN401 - whatever a query takes
        found = answered(service.http.get("/v1/runs", params={"dataset_id": dataset, **query}))
        return [run["name"] for run in found["evaluations"]]

    assert names() == ["c", "a", "b"]
    assert names(sort_by="name", sort_order="asc") == ["a", "b", "c"]
    assert names(sort_by="updated_at")[0] == "b"
    assert names(status="completed") == ["b"]
    assert names(name="a") == ["a"]
    assert names(**{"run_ids[]": ids[:2]}) == ["a", "b"]
    assert names(limit=2, page=2) == ["b"]
    assert names(dateRange=str({"$gte": "2020-01-01T00:00:00Z"})) == ["c", "a", "b"]
    assert names(dateRange=str({"$lte": "2020-01-01T00:00:00Z"})) == []
    page = answered(service.http.get("/v1/runs", params={"dataset_id": dataset, "limit": 2}))["pagination"]
    assert page.pop("total_unfiltered") >= 3
    assert page == {"page": 1, "limit": 2, "total": 3, "total_pages": 2, "has_next": True, "has_prev": False}


def test_runs_asked_for_by_id_all_come_on_one_page(service: Service) -> None:
    """The SDK asks for a hundred at once, and leaves out the limit."""
    ids = [str(create_run(service)["run_id"]) for _ in range(25)]
    found = answered(service.http.get("/v1/runs", params={"run_ids[]": ids}))
    assert len(found["evaluations"]) == 25


@pytest.mark.parametrize(
    "query", [{"sort_by": "x"}, {"sort_order": "up"}, {"limit": "0"}, {"page": "x"}, {"dateRange": "{1}"}]
)
def test_a_list_that_makes_no_sense_is_a_bad_request(service: Service, query: dict[str, str]) -> None:
    assert refused(service.http.get("/v1/runs", params=query))[0] == 400


# ---- Results -----------------------------------------------------------------------------------------


def test_a_result_has_every_score_by_metric_and_by_datapoint(service: Service) -> None:
    scores: dict[str, dict[str, Any]] = {
        "one": {"accuracy": 0.5, "accuracy_explanation": "so so", "ok": True},
        "two": {"accuracy": 1, "ok": False},
    }
    run_id, sessions = scored_run(service, scores, status="completed")
    result = result_of(service, run_id)
    assert (result["status"], result["success"], result["failed"]) == ("completed", True, [])
    assert result["passed"] == ["one", "two"]
    details = {detail["metric_name"]: detail for detail in result["metrics"]["details"]}
    assert result["metrics"]["aggregation_function"] == "average"
    assert set(details) == {"accuracy", "ok"}
    assert (details["accuracy"]["aggregate"], details["accuracy"]["values"]) == (0.75, [0.5, 1])
    assert (details["accuracy"]["event_name"], details["accuracy"]["event_type"]) == ("answer", "chain")
    assert details["accuracy"]["metric_type"] == "CLIENT_SIDE"
    assert details["ok"]["aggregate"] == 0.5
    one = result["datapoints"][0]
    assert (one["datapoint_id"], one["session_id"], one["passed"]) == ("one", sessions["one"], True)
    assert {metric["name"]: metric["value"] for metric in one["metrics"]} == {"accuracy": 0.5, "ok": 1}
    assert {"event_name": "answer", "event_type": "chain"} in result["event_details"]
    assert result["run_object"]["run_id"] == run_id
    assert answered(service.http.get(f"/v1/runs/{run_id}/summary")) == result


@pytest.mark.parametrize(
    ("function", "aggregate"),
    [
        ("average", 2.5),
        ("min", 1),
        ("max", 4),
        ("median", 2.5),
        ("sum", 10),
        ("count", 4),
        ("p90", 3.7),
        ("p99", 3.97),
    ],
)
def test_scores_are_aggregated_as_asked(service: Service, function: str, aggregate: float) -> None:
    run_id, _ = scored_run(service, {str(number): {"m": number} for number in (1, 2, 3, 4)})
    [detail] = result_of(service, run_id, aggregate_function=function)["metrics"]["details"]
    assert detail["aggregate"] == pytest.approx(aggregate)
    assert refused(service.http.get(f"/v1/runs/{run_id}/result?aggregate_function=mode"))[0] == 400


def test_a_datapoint_fails_by_a_score_outside_of_its_range(service: Service) -> None:
    run_id, _ = scored_run(service, {"low": {"m": 0.2}, "high": {"m": 0.9}}, passing_ranges={"m": {"min": 0.5}})
    result = result_of(service, run_id)
    assert (result["success"], result["passed"], result["failed"]) == (False, ["high"], ["low"])
    [detail] = result["metrics"]["details"]
    assert (detail["passing_range"], detail["datapoints"]) == ({"min": 0.5}, {"passed": ["high"], "failed": ["low"]})


def test_a_run_without_events_has_an_empty_result_of_the_full_shape(service: Service) -> None:
    result = result_of(service, str(create_run(service)["run_id"]))
    assert (result["datapoints"], result["metrics"]["details"]) == ([], [])
    assert refused(service.http.get(f"/v1/runs/{new_id()}/result"))[0] == 404


def test_sessions_that_a_run_names_belong_to_it(service: Service) -> None:
    session_id = service.start_session()["session_id"]
    service.create_event(session_id=session_id, metrics={"m": 1})
    run_id = str(create_run(service, event_ids=[session_id])["run_id"])
    [datapoint] = result_of(service, run_id)["datapoints"]
    assert (datapoint["datapoint_id"], datapoint["session_id"]) == (None, session_id)


def test_a_result_counts_only_what_its_filters_match(service: Service) -> None:
    run_id, _ = scored_run(service, {"one": {"m": 1}, "two": {"m": 3}})
    only = {"field": "metrics.m", "operator": "greater than", "value": 2, "type": "number"}
    result = result_of(service, run_id, **{"filters[]": repr(only)})
    assert [datapoint["datapoint_id"] for datapoint in result["datapoints"]] == ["two"]


def test_astronomical_scores_are_left_out_rather_than_break_the_sums(service: Service) -> None:
    run_id, _ = scored_run(service, {"one": {"m": 10**400, "n": 1e308}, "two": {"m": 1, "n": 1e308}})
    [detail] = result_of(service, run_id)["metrics"]["details"]
    assert (detail["metric_name"], detail["values"]) == ("m", [1])


def test_the_metrics_of_a_run_are_its_scored_events(service: Service) -> None:
    run_id, sessions = scored_run(service, {"one": {"m": 1}})
    found = answered(service.http.get(f"/v1/runs/{run_id}/metrics"))
    [event] = found["events"]
    assert found["totalEvents"] == 1
    assert (event["session_id"], event["metrics"], event["event_name"]) == (sessions["one"], {"m": 1}, "answer")
    assert event["metadata"]["datapoint_id"] == "one"
    listed = answered(service.http.get("/v1/runs", params={"run_ids[]": [run_id]}))
    assert listed["metrics"] == ["m"]


def test_the_schema_of_a_run_has_its_fields_only(service: Service) -> None:
    run_id, _ = scored_run(service, {"one": {f"m{new_id()}": 1}})
    names = {field["name"] for field in answered(service.http.get(f"/v1/runs/{run_id}/schema"))["fields"]}
    assert {"metadata.run_id", "metadata.datapoint_id"} < names
    assert names <= {field["name"] for field in answered(service.http.get("/v1/runs/schema"))["fields"]}
    assert refused(service.http.get(f"/v1/runs/{new_id()}/schema"))[0] == 404


# ---- Comparison --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1/runs/{}/compare-with/{}", "/v1/runs/{}/compare/{}"])
def test_a_comparison_says_what_improved_degraded_and_stayed(service: Service, path: str) -> None:
    old, _ = scored_run(service, {"a": {"m": 1}, "b": {"m": 2}, "c": {"m": 3}, "old": {"m": 9}}, "first")
    new, _ = scored_run(service, {"a": {"m": 2, "n": 1}, "b": {"m": 1}, "c": {"m": 3}, "new": {"m": 9}}, "second")
    comparison = answered(service.http.get(path.format(new, old)))
    assert comparison["commonDatapoints"] == ["a", "b", "c"]
    metrics = {metric["metric_name"]: metric for metric in comparison["metrics"]}
    m = metrics["m"]
    assert (m["improved"], m["degraded"], m["same"]) == (["a"], ["b"], ["c"])
    assert (m["improved_count"], m["degraded_count"], m["same_count"], m["found_count"]) == (1, 1, 1, 3)
    assert (m["old_values"], m["new_values"]) == ([1, 2, 3], [2, 1, 3])
    assert (m["old_aggregate"], m["new_aggregate"], m["difference"]) == (3.75, 3.75, 0)
    assert (metrics["n"]["old_aggregate"], metrics["n"]["percentage_change"]) == (None, None)
    presence = {detail["event_name"]: detail["presence"] for detail in comparison["event_details"]}
    assert (presence["first"], presence["second"]) == ("old", "new")
    assert (comparison["old_run"]["run_id"], comparison["new_run"]["run_id"]) == (old, new)


def test_events_of_two_runs_are_paired_by_datapoint(service: Service) -> None:
    old, old_sessions = scored_run(service, {"a": {"m": 1}, "b": {"m": 2}})
    new, new_sessions = scored_run(service, {"b": {"m": 3}, "c": {"m": 4}})
    query = {"run_id_1": new, "run_id_2": old, "event_type": "chain"}
    found = answered(service.http.get("/v1/runs/compare/events", params=query))
    [pair] = found["events"]
    assert (found["totalEvents"], pair["datapoint_id"]) == (1, "b")
    assert pair["event_1"]["session_id"] == new_sessions["b"]
    assert pair["event_2"]["session_id"] == old_sessions["b"]
    everything = answered(service.http.get(f"/v1/runs/{new}/compare/{old}/events", params={"limit": 1}))
    assert (everything["totalEvents"], len(everything["events"])) == (2, 1)
    only = {"filter": str({"event_name": "answer"})}
    assert answered(service.http.get(f"/v1/runs/{new}/compare/{old}/events", params=only))["totalEvents"] == 1
    assert refused(service.http.get("/v1/runs/compare/events"))[0] == 400


def test_no_project_sees_or_compares_anothers_runs(service: Service, stranger: httpx.Client) -> None:
    run_id, _ = scored_run(service, {"a": {"m": 1}})
    theirs = answered(stranger.post("/v1/runs", json={"event_ids": [run_id]}))["run_id"]
    for path in (f"/v1/runs/{run_id}", f"/v1/runs/{run_id}/result", f"/v1/runs/{theirs}/compare-with/{run_id}"):
        assert refused(stranger.get(path))[0] == 404
    assert refused(stranger.put(f"/v1/runs/{run_id}", json={"name": "x"}))[0] == 404
    assert refused(stranger.delete(f"/v1/runs/{run_id}"))[0] == 404
    listed = answered(stranger.get("/v1/runs", params={"run_ids[]": [run_id]}))
    assert (listed["evaluations"], listed["metrics"]) == ([], [])
    answered(stranger.post("/v1/runs", json={"run_id": run_id}))
    assert answered(stranger.get(f"/v1/runs/{run_id}/result"))["datapoints"] == []
