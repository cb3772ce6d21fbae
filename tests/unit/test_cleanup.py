from __future__ import annotations

import datetime as dt
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments import cleanup, lineage, project
from environments.inside.target import RUN_PREFIX
from tests.unit.services.gateway.standin import PROJECT_KEY, stand_in
from tests.unit.services.honeyhive.running import Service, answered, supervised
from tests.unit.trees import Ended

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OLD = f"{RUN_PREFIX}20250101T000000-abcdef-gw0-test-one-1-0"
YOUNG = f"{RUN_PREFIX}{lineage.new_run_id()}-main-test-one-1-0"
OTHER = "somebody-elses"
METRIC = {"type": "PYTHON", "criteria": "return 1", "return_type": "float"}
CONFIGURATION = {"provider": "openai", "parameters": {"call_type": "chat", "model": "m"}}


@pytest.fixture
def service() -> Iterator[Service]:
    """Start a service of this test's own."""
    with supervised() as running:
        yield running


def fill(service: Service, name: str) -> None:
    """Create one thing of each kind."""
    dataset = answered(service.post("/v1/datasets", {"name": name}))["result"]["insertedId"]
    for body in ({"linked_datasets": [dataset]}, {"metadata": {"created_by": name}}):
        answered(service.post("/v1/datapoints", {"inputs": {"x": 1}, **body}))
    service.start_session(session_name=name)
    answered(service.post("/v1/metrics", {"name": name, "description": "", **METRIC}))
    answered(service.post("/v1/configurations", {"name": name, **CONFIGURATION}))
    answered(service.post("/v1/charts", {"name": name, "metric": "duration"}))
    service.post("/v1/queues", {"name": name}).raise_for_status()
    session = service.start_session(session_name="initialization")
    answered(service.post("/v1/runs", {"name": name, "event_ids": [session["session_id"]], "status": "completed"}))


KINDS = [
    "chart", "configuration", "datapoint", "datapoint", "dataset", "metric", "queue", "run", "session", "session",
]  # fmt: skip


def held(service: Service) -> list[tuple[str, str]]:
    """Return the kind and the name of everything that is there."""

    def named(path: str, key: str) -> list[Any]:
        listed: list[Any] = answered(service.http.get(path))[key]
        return listed

    sessions = [one["event_name"] for one in service.export()["events"]]
    return sorted(
        [("session", name) for name in sessions]
        + [("run", one["name"]) for one in named("/v1/runs", "evaluations")]
        + [("dataset", one["name"]) for one in named("/v1/datasets", "datasets")]
        + [("datapoint", "") for _ in named("/v1/datapoints", "datapoints")]
        + [("metric", one["name"]) for one in named("/v1/metrics", "metrics")]
        + [("configuration", one["name"]) for one in named("/v1/configurations", "configurations")]
        + [("chart", one["name"]) for one in named("/v1/charts", "data")]
        + [("queue", one["name"]) for one in named("/v1/queues", "queues")]
    )


def swept(*arguments: str, **variables: str) -> Ended:
    command = [sys.executable, "-m", "environments.cleanup", *arguments]
    ran = subprocess.run(
        command, cwd=project.ROOT, env={"PATH": os.defpath, **variables}, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    return Ended(command, ran.returncode, ran.stdout, ran.stderr)


def sweep(service: Service, *arguments: str) -> Ended:
    return swept("development", *arguments, HH_DEV_BASE_URL=service.url, HH_DEV_API_KEY="key-one")


def test_what_old_runs_left_goes_and_nothing_else(service: Service) -> None:
    fill(service, YOUNG)
    fill(service, OTHER)
    stays = held(service)
    fill(service, OLD)

    ended = sweep(service)

    assert ended.status == 0, ended
    assert held(service) == stays
    deleted = re.findall(r"^deleted the (\w+) ", ended.out, re.MULTILINE)
    assert sorted(deleted) == KINDS
    assert f"development: {len(KINDS)} deleted; {len(KINDS)} left, younger or of unknown age" in ended.out


def test_a_dry_run_says_what_would_go_and_deletes_nothing(service: Service) -> None:
    fill(service, OLD)
    before = held(service)

    ended = sweep(service, "--dry-run")

    assert ended.status == 0, ended
    assert held(service) == before
    assert sorted(re.findall(r"^would delete the (\w+) ", ended.out, re.MULTILINE)) == KINDS


def test_an_age_of_nothing_takes_what_was_made_just_now_too(service: Service) -> None:
    fill(service, YOUNG)

    assert sweep(service, "--older-than", "0m").status == 0

    assert held(service) == []


def test_more_sessions_than_fit_on_a_page_all_go(service: Service) -> None:
    for number in range(205):
        service.start_session(session_name=f"{OLD}-{number}")

    assert "development: 205 deleted" in sweep(service).out
    assert held(service) == []


def test_an_id_is_asked_for_as_an_id_whatever_is_in_it(service: Service) -> None:
    others = service.start_session(session_name=OTHER)["session_id"]
    answered(service.post("/v1/runs", {"name": OLD, "event_ids": [f"{others}?"], "status": "completed"}))

    assert sweep(service).status == 0

    assert held(service) == [("session", OTHER)]


def test_staging_of_a_private_authority_is_swept_too(tmp_path: Path) -> None:
    with stand_in(tmp_path) as standin:
        ended = swept(
            "staging",
            HH_STAGING_BASE_URL=standin.url,
            HH_STAGING_API_KEY=PROJECT_KEY,
            HH_STAGING_CA_FILE=str(standin.ca_file),
        )

    assert ended.status == 0, ended
    assert "staging: 0 deleted; 0 left" in ended.out


def test_production_is_refused_whatever_is_set() -> None:
    ended = swept("production", "--older-than", "0m", HH_PROD_API_KEY="hh_canary_123456")

    assert ended.status == 2, ended
    assert "production is only ever read" in ended.err
    assert "canary" not in ended.text


@pytest.mark.parametrize("variable", ["HH_DEV", "HH_STAGING"])
def test_a_writable_environment_that_points_at_production_is_refused(variable: str) -> None:
    environment = {"HH_DEV": "development", "HH_STAGING": "staging"}[variable]
    told = {f"{variable}_BASE_URL": "https://api.honeyhive.ai", f"{variable}_API_KEY": "hh_canary_123456"}

    ended = swept(environment, **told)

    assert ended.status == 2, ended
    assert "is a production server" in ended.err
    assert "canary" not in ended.text


def test_the_embedded_service_keeps_nothing_and_that_is_said() -> None:
    ended = swept("development")

    assert ended.status == 0, ended
    assert "nothing to sweep" in ended.out
    assert "HH_DEV_BASE_URL" in ended.out


def test_an_environment_that_refuses_the_key_is_an_error_that_says_so(service: Service) -> None:
    ended = swept("development", HH_DEV_BASE_URL=service.url, HH_DEV_API_KEY="hh_canary_123456")

    assert ended.status == 3, ended
    assert "does not list what is there: HTTP 401" in ended.err
    assert "canary" not in ended.text


def test_what_is_no_age_is_refused_with_those_that_are() -> None:
    ended = swept("development", "--older-than", "yesterday")

    assert ended.status == 2, ended
    assert "'yesterday' is no age: write 90m, 12h, 1d or 2w" in ended.err


@given(st.integers(0, 999_999), st.sampled_from("mhdw"))
def test_an_age_is_a_number_of_its_unit(number: int, unit: str) -> None:
    seconds = {"m": 60, "h": 3600, "d": 86400, "w": 604800}[unit]
    assert cleanup.age(f"{number}{unit}") == dt.timedelta(seconds=number * seconds)


@given(st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2100, 1, 1)), st.text())  # noqa: DTZ001 - made aware below
def test_the_name_of_a_run_says_when_it_was_whatever_the_server_says(moment: dt.datetime, told: str) -> None:
    moment = moment.replace(microsecond=0, tzinfo=dt.UTC)

    assert cleanup.since(f"{RUN_PREFIX}{moment:%Y%m%dT%H%M%S}-abcdef-main-x", told) == moment


@given(st.text() | st.none() | st.integers())
def test_whatever_the_server_says_of_a_time_it_is_one_or_unknown(told: object) -> None:
    known = cleanup.since(f"{RUN_PREFIX}nightly-7-main-x", told)

    assert known is None or known.tzinfo is not None
    assert cleanup.since(f"{RUN_PREFIX}20259999T000000-abcdef-x", told) is None


def test_where_the_name_says_nothing_the_server_does() -> None:
    known = cleanup.since(f"{RUN_PREFIX}nightly-7-main-x", "2026-01-02T03:04:05.000Z")

    assert known == dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
