from __future__ import annotations

import pytest

from tests.unit.services.honeyhive.running import Service, answered, new_id, refused


def test_a_chart_has_every_key_that_the_sdk_insists_on(service: Service) -> None:
    chart = answered(service.post("/v1/charts", {"name": "c", "metric": "cost"}))["data"]
    assert {
        name: chart[name] for name in ("description", "func", "groupBy", "dateRange", "query", "owner_id")
    } == dict.fromkeys(("description", "func", "groupBy", "dateRange", "query", "owner_id"))
    assert (chart["bucketing"], chart["is_active"], chart["updated_at"]) == ("hour", True, None)
    assert answered(service.http.get(f"/v1/charts/{chart['id']}"))["data"] == chart


def test_both_paths_lead_to_the_same_charts(service: Service) -> None:
    project = service.mint()
    path = f"/v1/projects/{project['id']}/charts"
    with service.as_holder(project["keys"]["project"]) as old, service.as_holder(project["keys"]["data_plane"]) as new:
        made = answered(new.post(path, json={"name": "c", "metric": "cost"}))["data"]
        answered(new.patch(f"{path}/{made['id']}", json={"func": "sum"}))
        answered(old.put(f"/v1/charts/{made['id']}", json={"metric": "duration"}))
        [listed] = answered(new.get(path))["data"]
        assert (listed["func"], listed["metric"]) == ("sum", "duration")
        assert answered(old.get("/v1/charts"))["data"] == [listed]
        assert answered(new.delete(f"{path}/{made['id']}"))["success"] is True
        assert refused(old.get(f"/v1/charts/{made['id']}"))[0] == 404


@pytest.mark.parametrize(
    "date_range", [{"relative": "7d"}, {"$gte": 0, "$lte": "2026-01-01"}, {"gte": "2026-01-01", "lte": 5}]
)
def test_a_date_range_is_kept_as_it_comes(service: Service, date_range: dict[str, object]) -> None:
    body = {"name": "c", "metric": "cost", "dateRange": date_range}
    assert answered(service.post("/v1/charts", body))["data"]["dateRange"] == date_range


@pytest.mark.parametrize("date_range", [{"$gte": 0}, {"relative": 7}, "7d"])
def test_half_a_date_range_is_a_bad_request(service: Service, date_range: object) -> None:
    body = {"name": "c", "metric": "cost", "dateRange": date_range}
    status, message = refused(service.post("/v1/charts", body))
    assert (status, "dateRange" in message) == (400, True)


def test_an_unknown_chart_is_not_found(service: Service) -> None:
    for method, body in (("GET", None), ("PUT", {}), ("DELETE", None)):
        assert refused(service.http.request(method, f"/v1/charts/{new_id()}", json=body))[0] == 404
