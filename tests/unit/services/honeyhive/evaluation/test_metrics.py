from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from environments.services.honeyhive.evaluation.evaluators import Evaluators, Limits, rated, rendered
from tests.support.eventually import eventually
from tests.unit.services.honeyhive.running import Event, Service, answered, new_id, refused, span, supervised, where

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.unit.services.honeyhive.running import Value

_LENGTH = 'def length(event):\n    return len(event["outputs"]["text"])'
_REQUIRED = {
    *("name", "type", "criteria", "description", "return_type", "enabled_in_prod", "sampling_percentage"),
    *("needs_ground_truth", "filters", "id", "created_at", "updated_at"),
}


def create_metric(service: Service, **fields: object) -> str:
    sent = {"name": "length", "type": "PYTHON", "criteria": _LENGTH, **fields}
    answer = answered(service.post("/v1/metrics", sent))
    assert answer["inserted"] is True
    return str(answer["metric_id"])


def metric_of(service: Service, metric_id: str) -> Event:
    [metric] = answered(service.http.get("/v1/metrics", params={"id": metric_id}))["metrics"]
    found: Event = metric
    return found


def test_a_metric_is_created_read_updated_and_deleted(service: Service) -> None:
    metric_id = create_metric(service, name="mine", threshold={"min": 1}, sampling_percentage=50)
    metric = metric_of(service, metric_id)
    assert set(metric) >= _REQUIRED
    assert (metric["name"], metric["type"], metric["threshold"]) == ("mine", "PYTHON", {"min": 1})
    assert (metric["return_type"], metric["filters"], metric["updated_at"]) == ("float", {"filterArray": []}, None)

    assert answered(service.http.put("/v1/metrics", json={"id": metric_id, "description": "d"})) == {"updated": True}
    answered(service.http.put(f"/v1/metrics/{metric_id}", json={"return_type": "boolean"}))
    metric = metric_of(service, metric_id)
    assert (metric["description"], metric["return_type"], metric["name"]) == ("d", "boolean", "mine")
    assert metric["updated_at"] is not None

    assert answered(service.http.delete("/v1/metrics", params={"metric_id": metric_id})) == {"deleted": True}
    assert answered(service.http.get("/v1/metrics", params={"id": metric_id}))["metrics"] == []
    assert refused(service.http.delete(f"/v1/metrics/{metric_id}"))[0] == 404
    assert refused(service.http.put("/v1/metrics", json={"id": metric_id}))[0] == 404
    assert refused(service.http.delete("/v1/metrics"))[0] == 400


def test_metrics_are_listed_by_type(service: Service) -> None:
    human = create_metric(service, type="HUMAN", criteria="how good?")
    python = create_metric(service, type="PYTHON")
    listed = answered(service.http.get("/v1/metrics", params={"type": "HUMAN"}))["metrics"]
    assert {metric["type"] for metric in listed} == {"HUMAN"}
    assert human in {metric["id"] for metric in listed}
    for metric_id in (human, python):
        answered(service.http.delete(f"/v1/metrics/{metric_id}"))


@pytest.mark.parametrize(
    "field",
    [
        {"name": ""},
        {"name": "x" * 201},
        {"type": "JAVA"},
        {"criteria": ""},
        {"return_type": "int"},
        {"sampling_percentage": 101},
        {"scale": 0},
        {"scale": 1.5},
        {"threshold": {"least": 1}},
        {"threshold": {"min": "x"}},
        {"threshold": {"pass_when": "x"}},
        {"categories": [1]},
        {"filters": {}},
        {"filters": {"filterArray": [{"field": "a", "operator": "like", "value": 1}]}},
        {"enabled_in_prod": "yes"},
    ],
)
def test_a_metric_of_the_wrong_shape_is_a_bad_request(service: Service, field: dict[str, object]) -> None:
    sent = {"name": "n", "type": "PYTHON", "criteria": "result = 1", **field}
    assert refused(service.post("/v1/metrics", sent))[0] == 400


def test_versions_are_kept_and_one_of_them_is_the_metric(service: Service) -> None:
    metric_id = create_metric(service, criteria="result = 1")
    content = {"name": "length", "type": "PYTHON", "criteria": "result = 2"}
    path = f"/v1/metrics/{metric_id}/versions"
    made = answered(service.post(path, {"message": "second", "content": content}))["data"]
    assert (made["name"], made["message"], made["deployed"]) == ("v2", "second", False)
    assert made["content"]["return_type"] == "float"
    assert metric_of(service, metric_id)["criteria"] == "result = 1"

    deployed = answered(service.http.post(f"{path}/v2/deploy"))["data"]
    assert (deployed["deployed"], deployed["full_sha"]) == (True, made["full_sha"])
    assert metric_of(service, metric_id)["criteria"] == "result = 2"

    third = {"message": "third", "content": {**content, "criteria": "result = 3"}, "deploy_immediately": True}
    answered(service.post(path, third))
    versions = answered(service.http.get(path))["data"]
    assert [(version["name"], version["deployed"]) for version in versions] == [
        ("v1", False),
        ("v2", False),
        ("v3", True),
    ]
    assert metric_of(service, metric_id)["criteria"] == "result = 3"
    assert refused(service.http.post(f"{path}/v9/deploy"))[0] == 404
    assert refused(service.http.get(f"/v1/metrics/{new_id()}/versions"))[0] == 404
    assert refused(service.post(path, {"content": content}))[0] == 400
    answered(service.http.delete(f"/v1/metrics/{metric_id}"))


def test_no_project_sees_or_changes_anothers_metrics(service: Service, stranger: httpx.Client) -> None:
    metric_id = create_metric(service)
    assert answered(stranger.get("/v1/metrics", params={"id": metric_id}))["metrics"] == []
    assert refused(stranger.put(f"/v1/metrics/{metric_id}", json={"name": "x"}))[0] == 404
    assert refused(stranger.delete(f"/v1/metrics/{metric_id}"))[0] == 404
    assert refused(stranger.get(f"/v1/metrics/{metric_id}/versions"))[0] == 404
    assert refused(stranger.post(f"/v1/metrics/{metric_id}/versions/v1/deploy"))[0] == 404
    answered(service.http.delete(f"/v1/metrics/{metric_id}"))


# ---- Running them ------------------------------------------------------------------------------------

_EVENT: Event = {"outputs": {"text": "four"}, "inputs": {"q": "why"}, "feedback": {"ground_truth": "4"}}


@pytest.mark.parametrize("path", ["/v1/metrics/run_metric", "/v1/metrics/run"])
def test_a_metric_can_be_run_on_an_event_that_is_not_stored(service: Service, path: str) -> None:
    metric = {"name": "length", "type": "PYTHON", "criteria": _LENGTH}
    run = answered(service.post(path, {"metric": metric, "event": _EVENT}))
    assert run == {"success": True, "loading": False, "result": 4, "explanation": None}
    without = answered(service.post(path, {"metric": metric, "event": {}}))
    assert (without["success"], without["result"]) == (False, None)
    assert "KeyError" in without["explanation"]
    assert refused(service.post(path, {"event": _EVENT}))[0] == 400


@pytest.mark.parametrize(
    ("code", "return_type", "value"),
    [
        ("result = 1 + 1", "float", 2),
        ("def f(event): return 0.5", "float", 0.5),
        ("def f(event): return True", "boolean", True),
        ("def f(event): return event['inputs']['q']", "string", "why"),
        ("def helper(x): return x\ndef m(event): return helper(3)", "float", 3),
        ("def f(event): return '7'", "float", 7),
        ("import json, math, re\nprint('noise')\nresult = math.floor(2.5)", "float", 2),
        ("result = {'score': 1, 'explanation': 'because'}", "float", 1),
    ],
)
def test_a_python_metric_gives_what_its_code_gives(code: str, return_type: str, value: object) -> None:
    metric = {"name": "m", "type": "PYTHON", "criteria": code, "return_type": return_type}
    score = Evaluators().score(metric, _EVENT)
    assert (score.value, score.error) == (value, None)


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("def f(event): return event['nothing']", "KeyError"),
        ("this is no Python", "SyntaxError"),
        ("x = 1", "neither a function"),
        ("result = None", "NoneType"),
        ("result = 'text'", "no float"),
        ("result = float('nan')", "ValueError"),
        ("result = '\\ud800'", "no float"),
        ("raise SystemExit(0)", "SystemExit"),
        ("while True: pass", "CPU time"),
        ("x = 'a' * 10**9", "memory"),
        ("result = 'a' * 2_000_000", "too large"),
        ("import os\nos._exit(3)", "status 3"),
        ("import socket\nsocket.create_connection(('127.0.0.1', 9))", "may not do this"),
        ("import os\nos.system('true')", "may not do this"),
        ("import subprocess\nsubprocess.run(['true'])", "may not do this"),
        ("result = open('/etc/passwd').read()", "may not open"),
        ("import os, sys\nresult = open(os.__file__ + '/../../../../../etc/passwd').read()", "may not open"),
        ("open('/tmp/x', 'w')", "may not open"),
        ("import ctypes\nctypes.CDLL(None)", "may not"),
    ],
)
def test_a_python_metric_that_fails_or_goes_too_far_is_told_why(code: str, why: str) -> None:
    quick = Evaluators(limits=Limits(cpu_s=1, wall_s=60))
    score = quick.score({"name": "m", "type": "PYTHON", "criteria": code, "return_type": "float"}, _EVENT)
    assert score.value is None
    assert why in str(score.error)


def test_a_python_metric_that_takes_too_long_is_stopped() -> None:
    metric = {"name": "m", "type": "PYTHON", "criteria": "import time\ntime.sleep(60)", "return_type": "float"}
    assert "too long" in str(Evaluators(limits=Limits(wall_s=1)).score(metric, _EVENT).error)


def test_a_python_metric_sees_nothing_of_the_services_environment() -> None:
    code = "import os\nresult = len(os.environ)"
    score = Evaluators().score({"name": "m", "type": "PYTHON", "criteria": code, "return_type": "float"}, {})
    assert (score.error, score.value in {0, 1}) == (None, True)  # Python itself may set LC_CTYPE


def test_a_prompt_is_filled_from_the_event() -> None:
    template = "Q: {{ inputs.q }} A: {{outputs}} T: {{feedback.ground_truth}} N: {{nothing.here}}."
    assert rendered(template, _EVENT) == 'Q: why A: {"text":"four"} T: 4 N: .'


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("This is a mock explanation. Rating: [[5]]", 5),
        ("Rating: [[ 0.5 ]]", 0.5),
        ("[[1]] or rather [[2]]", 2),
        ("Rating: [[True]]", True),
        ("Rating: [[good]]", "good"),
    ],
)
def test_the_rating_is_read_from_a_models_answer(text: str, value: object) -> None:
    assert (rated(text).value, rated(text).explanation) == (value, text)


def test_an_answer_without_a_rating_is_told_as_such() -> None:
    assert "no rating" in str(rated("I like it").error)


@contextmanager
def model(text: str, status: int = 200) -> Iterator[tuple[str, list[Event]]]:
    """Serve an OpenAI-compatible model that always says the same; also return what it was asked."""
    asked: list[Event] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append({"path": self.path, **body})
            answer = json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:  # noqa: ANN401 - as its base has it
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1", asked
        finally:
            server.shutdown()
            thread.join()


_LLM: Event = {"name": "judge", "type": "LLM", "criteria": "Rate {{outputs.text}}", "return_type": "float"}


def test_an_llm_metric_asks_the_model_and_reads_its_rating() -> None:
    with model("This is a mock explanation. Rating: [[5]]") as (url, asked):
        score = Evaluators(url).score({**_LLM, "model_name": "deterministic/default/default"}, _EVENT)
    assert (score.value, score.explanation) == (5, "This is a mock explanation. Rating: [[5]]")
    assert asked[0]["path"] == "/v1/chat/completions"
    assert asked[0]["model"] == "deterministic/default/default"
    assert asked[0]["messages"] == [{"role": "user", "content": "Rate four"}]


def test_an_llm_metric_that_gets_no_answer_is_told_why() -> None:
    with model("x", status=500) as (url, _):
        assert "500" in str(Evaluators(url).score(_LLM, _EVENT).error)
    assert "did not answer" in str(Evaluators(url).score(_LLM, _EVENT).error)
    assert "without an LLM service" in str(Evaluators().score(_LLM, _EVENT).error)


# ---- Scoring what is stored --------------------------------------------------------------------------


@contextmanager
def metric(service: Service, **fields: object) -> Iterator[str]:
    """Have a metric for a while: in a shared service it applies to whatever else is written."""
    metric_id = create_metric(service, **fields)
    yield metric_id
    answered(service.http.delete(f"/v1/metrics/{metric_id}"))


def metrics_on(service: Service, event_id: str) -> Event:
    event = answered(service.http.get(f"/v1/events/{event_id}"))["event"]
    return {
        **event["metrics"],
        **{f"error:{name}": e for name, e in event["metadata"].get("metric_errors", {}).items()},
    }


def wait_for(service: Service, event_id: str, name: str) -> Any:  # noqa: ANN401 - whatever a score is
    def there() -> list[Any]:
        found = metrics_on(service, event_id)
        return [found[name]] if name in found else []

    return eventually(there, within=20)[0]


def only(name: str) -> Event:
    return {"filterArray": [where("event_name", name)]}


def test_a_metric_scores_the_events_of_a_run_that_its_filters_match(service: Service) -> None:
    name = new_id()
    fields: Event = {"outputs": {"text": "four"}, "metadata": {"run_id": "r"}}
    with metric(service, filters=only(name)):
        other = service.create_event(event_name="another", **fields)
        outside = service.create_event(event_name=name, outputs={"text": "four"})
        event_id = service.create_event(event_name=name, **fields)
        assert wait_for(service, event_id, "length") == 4
    assert metrics_on(service, other) == {}
    assert metrics_on(service, outside) == {}


def test_a_metric_that_is_enabled_in_production_scores_events_of_no_run_too(service: Service) -> None:
    name = new_id()
    with metric(service, filters=only(name), enabled_in_prod=True):
        event_id = service.create_event(event_name=name, outputs={"text": "four"})
        assert wait_for(service, event_id, "length") == 4


def test_a_span_is_scored_as_well_and_keeps_its_own_scores(service: Service) -> None:
    name, session_id = new_id(), new_id()
    having: dict[str, Value] = {
        "honeyhive_metadata.run_id": "r",
        "honeyhive_outputs.text": "four",
        "honeyhive_metrics.own": 1,
    }
    with metric(service, filters=only(name)):
        answered(service.send(span(name, session_id, having)))
        event_id = str(service.events_of(session_id)[name]["event_id"])
        assert wait_for(service, event_id, "length") == 4
    assert metrics_on(service, event_id)["own"] == 1


def test_an_update_is_scored_again(service: Service) -> None:
    name = new_id()
    with metric(service, filters=only(name)):
        event_id = service.create_event(event_name=name, metadata={"run_id": "r"})
        assert "KeyError" in wait_for(service, event_id, "error:length")
        answered(service.http.put("/events", json={"event_id": event_id, "outputs": {"text": "four"}}))
        assert wait_for(service, event_id, "length") == 4
    assert metrics_on(service, event_id) == {"length": 4}


def test_a_metric_that_needs_ground_truth_waits_for_it_on_the_session(service: Service) -> None:
    name = new_id()
    code = "result = event['feedback']['ground_truth'] == event['outputs']['text']"
    with metric(service, filters=only(name), name="right", criteria=code, needs_ground_truth=True):
        session_id = service.start_session(metadata={"run_id": "r"})["session_id"]
        fields: Event = {"outputs": {"text": "four"}, "metadata": {"run_id": "r"}}
        event_id = service.create_event(event_name=name, session_id=session_id, **fields)
        answered(service.http.put("/events", json={"event_id": session_id, "feedback": {"ground_truth": "four"}}))
        assert wait_for(service, event_id, "right") == 1


def test_a_composite_metric_weighs_its_parts(service: Service) -> None:
    name = new_id()
    parts = [{"name": "length", "weight": 3}, {"name": "own", "weight": 1}]
    with (
        metric(service, name="both", type="COMPOSITE", criteria="weighted", child_metrics=parts, filters=only(name)),
        metric(service, filters=only(name)),
    ):
        fields: Event = {"outputs": {"text": "four"}, "metadata": {"run_id": "r"}, "metrics": {"own": 0}}
        event_id = service.create_event(event_name=name, **fields)
        assert wait_for(service, event_id, "both") == 3


def test_an_llm_metric_scores_with_the_service_that_the_configuration_names() -> None:
    with model("Fine. Rating: [[4]]") as (url, _), supervised(llm_url=url) as service:
        create_metric(service, **_LLM)
        event_id = service.create_event(outputs={"text": "four"}, metadata={"run_id": "r"})
        assert wait_for(service, event_id, "judge") == 4
        assert metrics_on(service, event_id)["judge_explanation"] == "Fine. Rating: [[4]]"


def test_an_llm_metric_without_such_a_service_says_why_it_did_not_happen(service: Service) -> None:
    name = new_id()
    with metric(service, **_LLM, filters=only(name)):
        event_id = service.create_event(event_name=name, metadata={"run_id": "r"})
        assert "llm_url" in wait_for(service, event_id, "error:judge")


def test_a_result_knows_a_metric_of_the_server_and_its_threshold(service: Service) -> None:
    name = new_id()
    with metric(service, filters=only(name), threshold={"min": 5}):
        run_id = answered(service.post("/v1/runs", {}))["run_id"]
        metadata = {"run_id": run_id, "datapoint_id": "d"}
        event_id = service.create_event(event_name=name, outputs={"text": "four"}, metadata=metadata)
        wait_for(service, event_id, "length")
        result = answered(service.http.get(f"/v1/runs/{run_id}/result"))
    [detail] = result["metrics"]["details"]
    assert (detail["metric_type"], detail["passing_range"], result["failed"]) == ("PYTHON", {"min": 5}, ["d"])
