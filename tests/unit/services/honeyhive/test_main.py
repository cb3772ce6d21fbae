from __future__ import annotations

import re
import resource
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.unit.services.honeyhive.running import (
    COMMAND,
    answered,
    config,
    otlp,
    refused,
    span,
    started,
    supervised,
    where,
)
from tests.unit.services.programs import ROOT, WITHIN_S, end_without_supervisor, first_line

if TYPE_CHECKING:
    from pathlib import Path

_READY = re.compile(
    r"HoneyHive-compatible service ready at (http://127\.0\.0\.1:\d+)  key: (\S+)  project: (\S+)\n",
)


def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the program where it is expected to end by itself."""
    return subprocess.run(
        [*COMMAND, *arguments], cwd=ROOT, input=stdin, capture_output=True, text=True, timeout=WITHIN_S, check=False
    )


def test_a_person_gets_one_line_with_url_key_and_project_and_all_three_work() -> None:
    with started() as process:
        ready = _READY.fullmatch(first_line(process))
        assert ready
        url, key, project = ready.groups()
        assert key.startswith("hh_")
        assert project == "development"
        headers = {"Authorization": f"Bearer {key}"}
        projects = httpx.get(f"{url}/v1/projects", headers=headers).json()
        assert [each["name"] for each in projects] == ["development"]


def test_a_person_chooses_port_key_project_and_folder(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder = tmp_path / "not" / "there"
    with started("--port", str(port), "--api-key", "k", "--project", "p", "--data-dir", str(folder)) as process:
        ready = _READY.fullmatch(first_line(process))
        assert ready
        assert ready.groups() == (f"http://127.0.0.1:{port}", "k", "p")
        assert folder.is_dir()


def test_the_llm_service_comes_up_beside_it_where_a_person_says_so() -> None:
    with started("--llm-port", "0") as process:
        first = _READY.fullmatch(first_line(process))
        second = re.fullmatch(r"LLM service ready at (http://127\.0\.0\.1:\d+)/v1  key: any\n", first_line(process))
        assert first
        assert second
        headers = {"Authorization": f"Bearer {first.group(2)}"}
        ours, theirs = (f"{ready.group(1)}/v1" for ready in (first, second))
        assert httpx.get(f"{theirs}/models", headers=headers).json()["object"] == "list"
        assert httpx.get(f"{ours}/models", headers=headers).status_code == 404
        assert httpx.get(f"{ours}/projects", headers=headers).status_code == 200
        assert httpx.get(f"{theirs}/projects", headers=headers).status_code == 404


def test_a_busy_port_of_the_llm_service_is_an_error_before_anything_is_served() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        done = run("--llm-port", str(busy.getsockname()[1]))
    assert (done.returncode, done.stdout) == (1, "")
    assert "choose another port with --llm-port" in done.stderr


def test_a_person_may_mint_projects_through_a_port_that_is_named_when_it_answers() -> None:
    with started("--control-token", "mine") as process:
        control_url = first_line(process).strip().rpartition("  control: ")[2]
        minted = httpx.post(f"{control_url}/projects", headers={"Authorization": "Bearer mine"}, json={})
        assert answered(minted)["keys"]


def test_two_starts_mint_two_keys() -> None:
    keys = set()
    for _ in range(2):
        with started() as process:
            keys.add(first_line(process).split("key: ")[1].split()[0])
    assert len(keys) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_success_and_silence(number: signal.Signals) -> None:
    with started() as process:
        url = first_line(process).split()[4]
        with httpx.Client() as kept_open:
            kept_open.get(f"{url}/healthz")
            process.send_signal(number)
            out, err = process.communicate(timeout=WITHIN_S)
        assert (process.returncode, out, err) == (0, "", "")


def test_without_a_folder_nothing_stays_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with supervised():
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())


def test_a_busy_port_is_an_error_that_names_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        done = run("--port", str(port))
    assert done.returncode == 1
    assert f"error: cannot listen on 127.0.0.1:{port}: it is in use" in done.stderr
    assert "--port" in done.stderr
    assert not done.stdout


def test_a_port_that_is_none_is_a_usage_error() -> None:
    assert run("--port", "65536").returncode == 2


def test_a_second_process_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    with supervised(data_dir=str(tmp_path)):
        done = run("--data-dir", str(tmp_path))
        assert done.returncode == 1
        assert f"error: another process serves the data folder {tmp_path}" in done.stderr


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("--data-dir", str(tmp_path / "file" / "folder"))
    assert done.returncode == 1
    assert "error: cannot use the data folder" in done.stderr


def test_a_file_that_is_no_database_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "events.sqlite").write_text("this is no database, however long one looks at it" * 100)
    done = run("--data-dir", str(tmp_path))
    assert done.returncode == 1
    assert "error: cannot open the database" in done.stderr


def test_a_database_of_an_older_version_is_told_at_the_start(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "events.sqlite")) as older:
        older.execute(
            "CREATE TABLE events (project_id TEXT, session_id TEXT, start_ns INTEGER, event_type TEXT,"
            " event_name TEXT, error TEXT)"
        )
    done = run("--data-dir", str(tmp_path))
    assert done.returncode == 1
    assert "no such column: run_id" in done.stderr
    assert "or delete the database" in done.stderr


@pytest.mark.parametrize(
    "line",
    [
        "",
        "not json",
        "[]",
        "{}",
        '{"projects": []}',
        '{"projects": [{"name": "p", "keys": "sesame"}], "port": "x"}',
        '{"projects": [{"name": "p", "keys": [1]}]}',
        '{"projects": [{"name": "p", "keys": ["sesame"]}], "max_body_bytes": null}',
        '{"projects": [{"name": "p", "keys": ["sesame"]}], "prot": 1}',
    ],
)
def test_a_wrong_configuration_is_a_usage_error_that_shows_no_key(line: str) -> None:
    done = run("--config", "-", stdin=line + "\n")
    assert done.returncode == 2
    assert "the configuration on stdin" in done.stderr
    assert "sesame" not in done.stderr
    assert not done.stdout


def test_it_answers_within_a_second_of_being_started() -> None:
    # The promise is 0.7 s on an idle machine; this one may be busy, so the best of three counts.
    def measured() -> float:
        began = time.perf_counter()
        with supervised() as service:
            service.http.get("/healthz")
            return time.perf_counter() - began

    assert min(measured() for _ in range(3)) < 1


def test_an_answer_over_a_kept_connection_does_not_wait_for_an_acknowledgement() -> None:
    with supervised() as service:

        def measured() -> float:
            began = time.perf_counter()
            service.start_session()
            return time.perf_counter() - began

        # Nagle's algorithm against delayed acknowledgements costs each answer 40 ms, the best of them too.
        assert min(measured() for _ in range(20)) < 0.03


def test_it_dies_with_its_supervisor(tmp_path: Path) -> None:
    assert end_without_supervisor("honeyhive", config(), tmp_path) == -signal.SIGKILL


def test_what_was_acknowledged_survives_kill_9_under_load(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    enough = threading.Event()
    with supervised(data_dir=str(tmp_path)) as service:

        def load() -> None:
            headers = {"Authorization": "Bearer key-one"}
            with httpx.Client(base_url=service.url, headers=headers) as http:
                while True:
                    sent = [span(f"span {index}", "killed") for index in range(5)]
                    try:
                        http.post("/opentelemetry/v1/traces", json=otlp(*sent)).raise_for_status()
                    except httpx.TransportError:
                        return
                    acknowledged.extend(each["spanId"] for each in sent)
                    if len(acknowledged) >= 200:
                        enough.set()

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        assert enough.wait(WITHIN_S)
        service.process.kill()
        for thread in threads:
            thread.join(WITHIN_S)
    with supervised(data_dir=str(tmp_path)) as service:
        stored = service.export(where("session_id", "killed"), limit=7500)["events"]
    assert set(acknowledged) <= {event["metadata"]["span_id"] for event in stored}


def test_a_full_disk_is_a_reason_to_come_back_later_and_it_recovers(tmp_path: Path) -> None:
    with supervised(data_dir=str(tmp_path)) as service:
        session_id = service.start_session()["session_id"]
        largest = max(file.stat().st_size for file in tmp_path.iterdir())
        _, hard = resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (largest, hard))
        status, message = refused(service.send(span("lost", session_id, having={"big": "x" * 100_000})))
        assert status == 503
        assert "storage is unavailable" in message
        resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        answered(service.send(span("kept", session_id)))
        assert set(service.events_of(session_id)) == {"s", "kept"}


def test_ids_and_events_are_the_same_after_a_restart(tmp_path: Path) -> None:
    with supervised(data_dir=str(tmp_path)) as service:
        session = service.start_session()
    with supervised(data_dir=str(tmp_path)) as service:
        assert answered(service.http.get(f"/v1/events/{session['session_id']}"))["event"] == session
