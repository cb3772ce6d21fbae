"""What a release changed for its users, in the order of the releases. Each test fails on the release before.

What a change brought as a feature is tested with that feature: charts (1.1), metric versions (1.2), timeouts (1.3),
keys that are missing or revoked (1.7), a tracer without a project (1.1), scores on the event (1.0.2).
"""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.tracers import UNKNOWN_KEY, client_of, pointed_at
from tests.support.wire import TRACES

if TYPE_CHECKING:
    from collections.abc import Callable

    from honeyhive import HoneyHive

    from environments.inside.target import Target
    from tests.support.cleanup import Cleanup
    from tests.support.projects import MintedProject
    from tests.support.server import Server
    from tests.support.tracers import Tracers
    from tests.support.wire import Wire

_DATASET = [{"inputs": {"x": 1}, "ground_truth": {"y": 2}}]
_EXPORT = "/v1/events/export"


@pytest.fixture
def evaluated(
    target: Target, server: Server, cleanup: Cleanup, resource_name: str, first_tracer: object
) -> Callable[..., Any]:
    """Evaluate a function of one datapoint: `evaluated(server_url=…)` returns the result."""
    del first_tracer  # else the first datapoint's tracer would be it

    def run(function: Callable[..., object] = lambda _: {"answer": 2}, **given: object) -> Any:  # noqa: ANN401
        from honeyhive import evaluate

        own = {"dataset": _DATASET, "name": resource_name, "print_results": False}
        result = evaluate(function=function, **{**own, **pointed_at(target, server.project), **given})
        cleanup.register(f"{resource_name} {result.run_id}", lambda: server.delete_run(str(result.run_id)))
        return result

    return run


# ---- 1.0.1 and 1.0.2 ---------------------------------------------------------------------------------


@pytest.mark.sdk(">=1.0.1")
def test_from_1_0_1_a_client_that_is_told_no_server_knows_the_right_one() -> None:
    from honeyhive import HoneyHive

    assert HoneyHive(api_key=UNKNOWN_KEY).server_url == "https://api.dp1.us.honeyhive.ai"


@pytest.mark.sdk(">=1.0.1")
def test_from_1_0_1_a_project_is_deprecated(target: Target, make_tracer: Tracers) -> None:
    with pytest.warns(DeprecationWarning, match="'project' argument to HoneyHiveTracer"):
        make_tracer(project=target.project.name)


@pytest.mark.sdk(">=1.0.2")
def test_from_1_0_2_an_event_that_was_created_has_an_id_or_the_client_raises(target: Target, wire: Wire) -> None:
    from honeyhive.models import PostEventRequest
    from pydantic import ValidationError

    wire.answer("/events", 200, {"success": True})
    event = {"event_type": "tool", "event_name": "answered without an id", "inputs": {}}

    with pytest.raises(ValidationError, match="event_id"):
        client_of(target, target.project, base_url=wire.url).events.create(PostEventRequest(event=event))


@pytest.mark.sdk(">=1.0.2")
def test_from_1_0_2_events_are_filtered_by_dates_and_no_program_is_installed() -> None:
    from honeyhive.models import FilterFieldType

    assert FilterFieldType.DATETIME.value == "datetime"
    assert list(importlib.metadata.distribution("honeyhive").entry_points) == []


# ---- 1.1 ---------------------------------------------------------------------------------------------


@pytest.mark.sdk(">=1.1")
def test_from_1_1_the_url_of_a_control_plane_is_deprecated(target: Target) -> None:
    with pytest.warns(DeprecationWarning, match="cp_base_url"):
        client_of(target, target.project, cp_base_url=target.base_url)


@pytest.mark.sdk(">=1.1")
def test_from_1_1_a_request_of_the_client_tells_when_it_was_called(target: Target, wire: Wire) -> None:
    client = client_of(target, target.project, base_url=wire.url)
    client.datasets.list()
    client.datasets.list()

    first, second = (int(sent.headers["hh-client-timestamp"]) for sent in wire.to("/v1/datasets", "GET"))
    assert 1_700_000_000_000_000_000 < first < second


@pytest.mark.sdk(">=1.1")
def test_from_1_1_spans_do_not_name_a_project_in_their_header(make_tracer: Tracers, wire: Wire) -> None:
    assert "x-project" not in _sent_by(make_tracer(server_url=wire.url), wire).headers


@pytest.mark.sdk("<1.1")
def test_before_1_1_spans_name_their_project_in_a_header(target: Target, make_tracer: Tracers, wire: Wire) -> None:
    assert _sent_by(make_tracer(server_url=wire.url), wire).headers["x-project"] == target.project.name


@pytest.mark.sdk(">=1.1")
def test_from_1_1_an_evaluation_names_no_project_and_warns_whoever_does(
    evaluated: Callable[..., Any], wire: Wire
) -> None:
    with pytest.warns(DeprecationWarning, match=r"'project' argument to evaluate"):
        evaluated(server_url=wire.url, project="any")

    assert all("project" not in sent.json for sent in wire.to("/v1/runs"))


@pytest.mark.sdk("<1.1")
def test_before_1_1_an_evaluation_names_the_project_default(evaluated: Callable[..., Any], wire: Wire) -> None:
    evaluated(server_url=wire.url)

    assert [sent.json["project"] for sent in wire.to("/v1/runs")] == ["default"]


# ---- 1.2 ---------------------------------------------------------------------------------------------


@pytest.mark.sdk(">=1.2")
def test_from_1_2_whole_numbers_and_times_are_text_in_otlp_as_its_json_demands(
    make_tracer: Tracers, wire: Wire
) -> None:
    """Readers of JSON that hold every number as a double lose the last digits of larger ones."""
    assert _number_and_times(make_tracer(server_url=wire.url), wire) == (str, str, str)


@pytest.mark.sdk("<1.2")
def test_before_1_2_whole_numbers_and_times_are_numbers_in_otlp(make_tracer: Tracers, wire: Wire) -> None:
    assert _number_and_times(make_tracer(server_url=wire.url), wire) == (int, int, int)


# ---- 1.4 and 1.5 -------------------------------------------------------------------------------------


@pytest.mark.sdk(">=1.4")
def test_from_1_4_the_outputs_of_an_update_are_an_object() -> None:
    from honeyhive.models import UpdateEventRequest
    from pydantic import ValidationError

    with pytest.raises(ValidationError, match="outputs"):
        UpdateEventRequest(event_id="any", outputs=["a list"])


@pytest.mark.sdk("<1.4")
def test_before_1_4_the_outputs_of_an_update_may_be_a_list(target: Target, wire: Wire) -> None:
    from honeyhive.models import UpdateEventRequest

    wire.answer("/events", 200, {})
    client_of(target, target.project, base_url=wire.url).events.update(
        UpdateEventRequest(event_id="any", outputs=["a list"])
    )

    assert [sent.json["outputs"] for sent in wire.to("/events", "PUT")] == [["a list"]]


@pytest.mark.sdk(">=1.4")
def test_from_1_4_a_run_may_name_its_dataset_and_copilot_studio_has_an_adapter() -> None:
    from honeyhive._generated.models import ExperimentRunObject

    assert "dataset_name" in ExperimentRunObject.model_fields
    assert importlib.import_module("honeyhive.adapters.copilot_studio").copilot_studio_records_to_spans


@pytest.mark.sdk(">=1.5,<1.6")
def test_in_1_5_metrics_have_no_children() -> None:
    """Taken out by 1.5.1, and declared again by 1.6."""
    from honeyhive.models import CreateMetricRequest

    assert "child_metrics" not in CreateMetricRequest.model_fields


# ---- 1.6 ---------------------------------------------------------------------------------------------


@pytest.mark.sdk(">=1.6")
def test_from_1_6_an_evaluation_prefers_the_preferred_name_of_the_key(
    evaluated: Callable[..., Any], target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HH_API_KEY", target.api_key)
    monkeypatch.setenv("HONEYHIVE_API_KEY", UNKNOWN_KEY)

    assert evaluated(api_key=None).status == "completed"


@pytest.mark.sdk("<1.6")
def test_before_1_6_an_evaluation_prefers_the_older_name_of_the_key(
    evaluated: Callable[..., Any], target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HH_API_KEY", UNKNOWN_KEY)
    monkeypatch.setenv("HONEYHIVE_API_KEY", target.api_key)

    assert evaluated(api_key=None).status == "completed"


@pytest.mark.sdk(">=1.6")
@pytest.mark.needs("mint-project")
def test_from_1_6_a_client_writes_with_its_ingestion_key_and_reads_with_its_project_key(
    target: Target, minted_project: MintedProject, wire: Wire
) -> None:
    from honeyhive.models import PostEventBatchRequest, PostEventRequest, UpdateEventRequest

    client = client_of(target, minted_project, base_url=wire.url, ingestion_api_key=minted_project.ingestion_api_key)
    session_id = client.sessions.start({"session": {"session_name": "keys", "source": "test"}}).session_id
    event = {"event_type": "tool", "event_name": "written", "session_id": session_id, "inputs": {}}
    created = client.events.create(PostEventRequest(event=event))
    client.events.update(UpdateEventRequest(event_id=created.event_id, metrics={"score": 1}))
    client.events.create_batch(PostEventBatchRequest(events=[event]))
    client.events.export(filters=[])
    client.datasets.list()

    assert _keys(wire, minted_project) == {
        "POST /session/start": "ingestion",
        "POST /events": "ingestion",
        "PUT /events": "ingestion",
        "POST /events/batch": "ingestion",
        "POST /v1/events/export": "project",
        "GET /v1/datasets": "project",
    }


@pytest.mark.sdk(">=1.6")
@pytest.mark.needs("mint-project")
def test_from_1_6_a_tracer_writes_with_its_ingestion_key(
    make_other_tracer: Tracers, minted_project: MintedProject, wire: Wire
) -> None:
    tracer = make_other_tracer(server_url=wire.url, ingestion_api_key=minted_project.ingestion_api_key)
    _sent_by(tracer, wire)

    assert _keys(wire, minted_project) == {"POST /session/start": "ingestion", f"POST {TRACES}": "ingestion"}


@pytest.mark.sdk(">=1.6")
@pytest.mark.parametrize(("retries", "by_variable"), [(0, False), (1, False), (0, True)])
def test_from_1_6_an_export_retries_as_often_as_it_is_told(
    target: Target, wire: Wire, monkeypatch: pytest.MonkeyPatch, retries: int, *, by_variable: bool
) -> None:
    from honeyhive.utils.error_handler import APIError
    from honeyhive.utils.retry import RetryConfig

    if by_variable:
        monkeypatch.setenv("HH_MAX_RETRIES", str(retries))
    given = {} if by_variable else {"retry_config": RetryConfig.constant(delay=0.01, max_retries=retries)}
    wire.answer(_EXPORT, 503, {"message": "later"})

    with pytest.raises(APIError):
        client_of(target, target.project, base_url=wire.url, **given).events.export(filters=[])

    assert len(wire.to(_EXPORT)) == retries + 1


@pytest.mark.sdk(">=1.6")
def test_from_1_6_a_url_that_is_none_is_replaced_by_the_default() -> None:
    """By production: the client is not called here, and the fence would hold it."""
    from honeyhive import HoneyHive

    assert HoneyHive(api_key=UNKNOWN_KEY, base_url="localhost:99").server_url == "https://api.dp1.us.honeyhive.ai"


@pytest.mark.sdk("<1.6")
def test_before_1_6_a_url_that_is_none_is_kept() -> None:
    from honeyhive import HoneyHive

    assert HoneyHive(api_key=UNKNOWN_KEY, base_url="localhost:99").server_url == "localhost:99"


@pytest.mark.sdk(">=1.6")
def test_from_1_6_a_key_that_is_no_text_is_a_type_error(target: Target) -> None:
    with pytest.raises(TypeError):
        client_of(target, target.project, api_key=5)


_AFTER_SHUTDOWN = """
import os, sys
from honeyhive import HoneyHiveTracer
tracer = HoneyHiveTracer.init(session_name=sys.argv[1])
tracer.shutdown()
from opentelemetry.trace import get_tracer
try:
    get_tracer("some.library").start_span("late").end()
except RecursionError:
    sys.exit(42)
"""


@pytest.mark.parametrize(
    "status", [pytest.param(0, marks=pytest.mark.sdk(">=1.6")), pytest.param(42, marks=pytest.mark.sdk("<1.6"))]
)
def test_from_1_6_other_libraries_may_trace_after_the_shutdown_of_the_first_tracer_and_before_that_they_recurse(
    target: Target, server: Server, cleanup: Cleanup, resource_name: str, status: int
) -> None:
    import os
    import subprocess

    variables = {"HH_API_KEY": target.api_key, "HH_API_URL": target.base_url, "HH_PROJECT": target.project.name}
    ran = subprocess.run(
        [sys.executable, "-c", _AFTER_SHUTDOWN, resource_name],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=target.timeout_s * 2,
        check=False,
    )
    for session in server.events(event_name=resource_name, event_type="session"):
        cleanup.register(resource_name, lambda held=session: server.delete_session(held["session_id"]))  # type: ignore[misc]

    assert ran.returncode == status, f"{ran.stdout}\n{ran.stderr}"


# ---- 1.7 ---------------------------------------------------------------------------------------------


@pytest.mark.sdk(">=1.7")
def test_from_1_7_an_error_says_what_the_server_said_and_what_may_be_wrong(client: HoneyHive) -> None:
    from honeyhive._generated.api_config import HTTPException

    with pytest.raises(HTTPException) as raised:
        client.experiments.get_run("00000000-0000-4000-8000-000000000000")

    assert raised.value.status_code == 404
    assert raised.value.server_message
    assert raised.value.server_message in str(raised.value)
    assert "lacks access" in str(raised.value)


@pytest.mark.sdk(">=1.7")
def test_from_1_7_an_error_carries_the_servers_code(target: Target, wire: Wire) -> None:
    from honeyhive._generated.api_config import HTTPException

    wire.answer("/v1/datasets", 400, {"message": "no such filter", "errorCode": "BAD_FILTER"})

    with pytest.raises(HTTPException, match="no such filter") as raised:
        client_of(target, target.project, base_url=wire.url).datasets.list()

    assert (raised.value.server_message, raised.value.error_code) == ("no such filter", "BAD_FILTER")


@pytest.mark.sdk(">=1.7")
def test_from_1_7_charts_without_a_project_are_deprecated(client: HoneyHive) -> None:
    with pytest.warns(DeprecationWarning, match="project_id"):
        client.charts.list()


@pytest.mark.sdk(">=1.7")
def test_from_1_7_the_older_errors_are_deprecated() -> None:
    with pytest.warns(DeprecationWarning, match="AuthenticationError"):
        from honeyhive.utils.error_handler import AuthenticationError  # noqa: F401 - importing it is the test


@pytest.mark.sdk("<1.7")
def test_before_1_7_the_older_errors_are_imported_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        from honeyhive.utils.error_handler import AuthenticationError

    assert issubclass(AuthenticationError, Exception)


@pytest.mark.sdk(">=1.7")
def test_from_1_7_urllib3_is_at_least_2_8() -> None:
    required = importlib.metadata.requires("honeyhive") or []

    assert [one for one in required if one.startswith("urllib3")] == ["urllib3>=2.8.0"]


# ---- What was sent -----------------------------------------------------------------------------------


def _sent_by(tracer: Any, wire: Wire) -> Any:  # noqa: ANN401 - a tracer of the SDK's; and a Sent
    """Return the one request with which a tracer sends a span."""
    with tracer.trace("span"):
        tracer.enrich_span(metadata={"whole": 7})
    tracer.flush()
    (sent,) = wire.to(TRACES)
    return sent


def _number_and_times(tracer: Any, wire: Wire) -> tuple[type, type, type]:  # noqa: ANN401 - a tracer of the SDK's
    _sent_by(tracer, wire)
    (span,) = wire.spans()
    (number,) = [each["value"] for each in span["attributes"] if each["key"] == "honeyhive_metadata.whole"]
    return type(number["intValue"]), type(span["startTimeUnixNano"]), type(span["endTimeUnixNano"])


def _keys(wire: Wire, project: MintedProject) -> dict[str, str]:
    """Return which key opened each route."""
    kinds = {f"Bearer {project.api_key}": "project", f"Bearer {project.ingestion_api_key}": "ingestion"}
    return {f"{sent.method} {sent.path}": kinds[sent.headers["authorization"]] for sent in wire.sent}
