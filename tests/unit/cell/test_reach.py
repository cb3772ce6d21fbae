"""Cells of staging and production, against a stand-in that records what reaches it: the embedded service over TLS."""

from __future__ import annotations

import asyncio
import itertools
import socket
import ssl
import subprocess
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest

from environments.services.gateway import pacing
from tests.unit.conftest import PYTHON, until
from tests.unit.services.gateway.standin import KEYS, PROJECT_KEY, Standin, stand_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from environments import budget
    from tests.unit.conftest import Ended, Started

    Run = Callable[..., Ended]
    Suite = Callable[[str], str]

PRODUCTION = f"integration-{PYTHON}-production"
STAGING = f"integration-{PYTHON}-staging"

TRIES_A_WRITE = """
    import httpx, pytest

    def write(target):
        headers = {"Authorization": f"Bearer {target.api_key}"}
        return httpx.post(f"{target.base_url}/session/start", json={"session": {}}, headers=headers)

    @pytest.mark.read_only
    def test_it_writes(target):
        import honeyhive
        assert write(target).status_code == 403

    @pytest.mark.read_only
    @pytest.mark.expects_refused_write
    def test_it_writes_and_says_so(target):
        assert write(target).status_code == 403

    @pytest.mark.read_only
    def test_it_writes_with_a_key_that_it_made_up(target):
        answer = httpx.put(f"{target.base_url}/events", json={}, headers={"Authorization": "Bearer hh_made_up"})
        assert answer.status_code == 403
"""

ESCAPES = """
    import atexit, ctypes, os, pathlib, socket, subprocess, sys, threading
    import httpx, pytest

    pytestmark = pytest.mark.read_only
    PORT = {port}

    def test_imports_the_sdk():
        import honeyhive

    def test_a_raw_socket():
        socket.create_connection(("127.0.0.1", PORT), timeout=5)

    def test_connect_ex():
        with socket.socket() as one:
            assert one.connect_ex(("127.0.0.1", PORT)) == 0

    def test_a_program_that_is_no_python():
        subprocess.run(["bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{{PORT}}"], check=True)

    def test_a_shell():
        assert os.system(f"bash -c 'exec 3<>/dev/tcp/127.0.0.1/{{PORT}}'") == 0

    def by_the_c_library():
        libc = ctypes.CDLL(None, use_errno=True)
        one = libc.socket(socket.AF_INET, socket.SOCK_STREAM, 0)
        address = PORT.to_bytes(2, "big") + socket.inet_aton("127.0.0.1") + bytes(8)
        told = libc.connect(one, socket.AF_INET.to_bytes(2, sys.byteorder) + address, 16)
        libc.close(one)
        return told

    atexit.register(by_the_c_library)

    def test_the_c_library():
        assert by_the_c_library() == 0

    def test_a_thread():
        got = []
        thread = threading.Thread(target=lambda: got.append(by_the_c_library()))
        thread.start()
        thread.join()
        assert got == [0]

    def test_a_child_with_an_environment_of_its_own():
        connect = f"import socket; socket.create_connection(('127.0.0.1', {{PORT}}))"
        subprocess.run([sys.executable, "-c", connect], env={{}}, check=True)

    def test_a_target_that_was_edited(target):
        file = pathlib.Path(os.environ["MATRIX_TARGET"])
        file.write_text(file.read_text().replace('"writable": false', '"writable": true'))
        headers = {{"Authorization": f"Bearer {{target.api_key}}"}}
        assert httpx.post(f"{{target.base_url}}/session/start", json={{}}, headers=headers).status_code == 200

    def test_the_key_in_the_environment_of_the_supervisor():
        pathlib.Path(f"/proc/{{os.getppid()}}/environ").read_bytes()

    def test_the_key_in_the_environment_of_any_other_process():
        for process in pathlib.Path("/proc").glob("[0-9]*/environ"):
            try:
                told = process.read_bytes()
            except OSError:
                continue
            assert {canary!r}.encode() not in told, (process.parent / "cmdline").read_bytes()
"""
# What each of them gets.
REFUSED_BY = {
    "test_a_raw_socket": "fence: 127.0.0.1",
    "test_connect_ex": "fence: 127.0.0.1",
    "test_a_program_that_is_no_python": "returned non-zero exit status 1",
    "test_a_shell": "assert 256 == 0",
    "test_the_c_library": "assert -1 == 0",
    "test_a_thread": "assert [-1] == [0]",
    "test_a_child_with_an_environment_of_its_own": "child without the fence's variables",
    "test_a_target_that_was_edited": "the gateway refused POST /session/start",
    "test_the_key_in_the_environment_of_the_supervisor": "Permission denied",
}


@pytest.fixture(scope="module")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standin]:
    """Serve a stand-in of this module's own."""
    with stand_in(tmp_path_factory.mktemp("standin")) as served:
        yield served


def settings(standin: Standin, prefix: str = "PROD") -> Mapping[str, str]:
    """Return the variables that point an environment at the stand-in."""
    server = urlsplit(standin.url).netloc
    hosts = {"HH_PROD_HOSTS": server} if prefix == "PROD" else {}
    return {
        f"HH_{prefix}_API_KEY": PROJECT_KEY,
        f"HH_{prefix}_BASE_URL": standin.url,
        f"HH_{prefix}_PROJECT": "one",
        f"HH_{prefix}_CA_FILE": str(standin.ca_file),
        f"HH_{prefix}_INGESTION_API_KEY": KEYS["ingestion"],
        f"HH_{prefix}_DATA_PLANE_API_KEY": KEYS["data_plane"],
        **hosts,
    }


def fill(standin: Standin) -> None:
    """Put into it something of every kind that production's tests read."""
    verified = ssl.create_default_context(cafile=standin.ca_file)
    headers = {"Authorization": f"Bearer {PROJECT_KEY}"}
    with httpx.Client(base_url=standin.url, headers=headers, verify=verified) as http:

        def made(path: str, body: object) -> Any:  # noqa: ANN401 - JSON
            return http.post(path, json=body).raise_for_status().json()

        sessions = [made("/session/start", {"session": {"session_name": name}})["session_id"] for name in "abc"]
        for session, kind in itertools.product(sessions, ("model", "chain", "tool")):
            event = {"event_type": kind, "event_name": kind, "session_id": session, "inputs": {"a": 1}}
            made("/events", {"event": event})
        made("/v1/datapoints", {"inputs": {"x": 1}})
        made("/v1/datasets", {"name": "a dataset"})
        made("/v1/metrics", {"name": "a metric", "type": "PYTHON", "criteria": "return 1", "return_type": "float"})
        made(
            "/v1/configurations",
            {"name": "one", "provider": "openai", "parameters": {"call_type": "chat", "model": "m"}},
        )
        made("/v1/charts", {"name": "a chart", "metric": "duration"})
        made("/v1/runs", {"name": "a run", "event_ids": sessions, "status": "completed"})


@pytest.mark.parametrize(
    "line", [pytest.param(line, marks=pytest.mark.proof if line else ()) for line in ("", "-sdk1.0", "-sdk1.4")]
)
def test_production_is_only_read_and_is_afterwards_as_it_was(run_cell: Run, tmp_path: Path, line: str) -> None:
    with stand_in(tmp_path / "standin") as standin:
        fill(standin)
        before = standin.dump()
        with standin.watched() as reached:
            ended = run_cell("-n", "0", cell=PRODUCTION + line, **settings(standin))
        assert standin.dump() == before
    assert ended.record["outcome"] == "passed", ended
    assert {request.method for request in reached} == {"GET", "POST"}
    assert {request.path for request in reached if request.method == "POST"} == {"/v1/events/export"}


def test_production_runs_the_read_only_tests_and_nothing_but_reads_arrives(run_cell: Run, standin: Standin) -> None:
    with standin.watched() as reached:
        ended = run_cell("-n", "0", cell=PRODUCTION, **settings(standin))
    assert ended.record["outcome"] == "passed", ended
    assert ended.record["counts"]["passed"] >= 20, ended
    reads = {("GET", request.path.split("?")[0]) for request in reached if request.method == "GET"}
    assert {(request.method, request.path) for request in reached} - reads == {("POST", "/v1/events/export")}
    assert ended.record["requests"]["writes"] == 0
    assert ended.record["requests"]["refused"] >= 1  # of the test that expects it
    assert ended.record["base_url"] == standin.url
    assert {"upstream.latency.p50", "upstream.latency.p99"} <= {one["name"] for one in ended.record["measurements"]}


def test_production_says_what_it_is_about_to_do_before_it_does_it(
    run_cell: Run, suite: Suite, standin: Standin
) -> None:
    ended = run_cell(suite("def test_it(): pass"), cell=PRODUCTION, **settings(standin))
    said = f"production: reads, and nothing else, will go to {standin.url}, project 'one'"
    assert ended.output.index(said) < ended.output.index("running the tests"), ended


def test_a_test_that_tries_a_write_in_production_fails_unless_it_says_so(
    run_cell: Run, suite: Suite, standin: Standin
) -> None:
    with standin.watched() as reached:
        ended = run_cell(suite(TRIES_A_WRITE), "-m", "read_only", cell=PRODUCTION, **settings(standin))
    outcomes = {test["id"].rpartition("::")[2]: test for test in ended.record["tests"]}
    assert outcomes["test_it_writes"]["outcome"] == "failed", ended
    assert "the gateway refused POST /session/start" in outcomes["test_it_writes"]["reason"]
    assert outcomes["test_it_writes_and_says_so"]["outcome"] == "passed"
    assert "the gateway refused PUT /events" in outcomes["a key of no test"]["reason"]
    assert reached == []


@pytest.mark.parametrize("asked", [("-k", "test_it", "-n", "0"), ("-n", "0"), ("-n", "2")])
def test_asking_production_for_a_test_that_writes_gets_an_explanation(
    run_cell: Run, suite: Suite, standin: Standin, asked: tuple[str, ...]
) -> None:
    two = """
        import pytest
        @pytest.mark.read_only
        def test_it_reads(): pass
        def test_it(): pass
    """
    ended = run_cell(suite(two), *asked, cell=PRODUCTION, **settings(standin))
    assert ended.record["outcome"] == "failed", ended
    (told,) = ended.record["tests"]
    assert "production is only ever read, and these tests are not marked read_only" in told["reason"], ended


def test_a_cell_that_waits_for_another_to_leave_production_says_so_and_its_time_does_not_run(
    start_cell: Callable[..., Started], suite: Suite, standin: Standin
) -> None:
    async def taken() -> budget.Lease:
        return await pacing.cell_slot(pacing.folder_of("localhost", standin.port), 1, lambda _said: None)

    slot = asyncio.run(taken())
    try:
        waiting = start_cell(suite("def test_it(): pass"), cell=PRODUCTION, limit=0.5, **settings(standin))
        log = waiting.results / waiting.run_id / PRODUCTION / "log.txt"
        until(
            lambda: log.exists() and "waiting for a free slot of the cells that talk to localhost" in log.read_text(),
            "it",
        )
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.process.wait(1)  # twice its limit
    finally:
        slot.release()
    assert waiting.ended().record["outcome"] == "timed-out"  # its time runs now


def test_production_at_a_server_that_is_not_on_its_list_does_not_run(run_cell: Run, standin: Standin) -> None:
    ended = run_cell(cell=PRODUCTION, **{**settings(standin), "HH_PROD_HOSTS": "elsewhere.example"})
    assert (ended.status, ended.record["outcome"]) == (3, "not-run"), ended
    assert "none of the servers that production may be: elsewhere.example:443" in ended.record["reason"]


def test_what_a_test_in_production_tries_to_get_out_by_gets_it_nowhere(
    run_cell: Run, suite: Suite, standin: Standin
) -> None:
    # Whoever gets out finds somebody who listens, and waits in its queue.
    with socket.create_server(("127.0.0.1", 0)) as outside, standin.watched() as reached:
        source = ESCAPES.format(port=outside.getsockname()[1], canary=PROJECT_KEY)
        ended = run_cell(suite(source), "-n", "0", "-m", "read_only", cell=PRODUCTION, **settings(standin))
        outside.settimeout(0)
        with pytest.raises(BlockingIOError):
            outside.accept()
    got = {test["id"].rpartition("::")[2]: test for test in ended.record["tests"]}
    assert got["test_the_key_in_the_environment_of_any_other_process"]["outcome"] == "passed", ended
    for test, by in REFUSED_BY.items():
        assert got[test]["outcome"] == "failed", ended
        assert by in got[test]["reason"], got[test]
    assert reached == []


def test_no_real_key_stands_in_anything_that_a_failed_cell_leaves_or_says(
    run_cell: Run, suite: Suite, standin: Standin
) -> None:
    shows_all = """
        import os, pathlib, pytest
        @pytest.mark.read_only
        def test_it(target):
            import honeyhive
            print(dict(os.environ), target, pathlib.Path("/proc/self/environ").read_bytes())
            assert 0, dict(os.environ)
    """
    ended = run_cell(suite(shows_all), "-m", "read_only", "-s", cell=PRODUCTION, **settings(standin))
    assert ended.record["outcome"] == "failed", ended
    left = [path.read_bytes() for path in ended.folder.rglob("*") if path.is_file()]
    for key in KEYS.values():
        assert all(key.encode() not in content for content in (*left, ended.output.encode()))


def test_what_the_gateway_refuses_in_staging_is_the_tests_to_judge(
    run_cell: Run, suite: Suite, standin: Standin
) -> None:
    ambiguous = """
        import httpx
        def test_it(target):
            import honeyhive
            answer = httpx.post(target.base_url + "//events", headers={"Authorization": f"Bearer {target.api_key}"})
            assert answer.status_code == 403
    """
    ended = run_cell(suite(ambiguous), cell=STAGING, **settings(standin, "STAGING"))
    assert ended.record["requests"]["refused"] == 1
    assert ended.record["outcome"] == "passed", ended


def test_staging_writes_through_the_gateway_and_cleans_up(run_cell: Run, standin: Standin) -> None:
    ended = run_cell("-n", "0", "test_sessions.py", cell=STAGING, **settings(standin, "STAGING"))
    assert ended.record["outcome"] == "passed", ended
    assert ended.record["requests"]["writes"] > 0
    assert ended.record["resources"]["created"] > 0
    assert ended.record["resources"]["left"] == 0
    assert ended.record["requests"]["refused"] == 0
    assert ended.record["fence"].startswith("audit hook")


def test_a_server_that_cannot_be_reached_fails_the_tests_and_not_the_supervisor(
    run_cell: Run, standin: Standin
) -> None:
    nowhere = {**settings(standin), "HH_PROD_BASE_URL": "https://localhost:9", "HH_PROD_HOSTS": "localhost:9"}
    ended = run_cell("-n", "0", "test_deployment.py", cell=PRODUCTION, **nowhere)
    assert ended.record["outcome"] == "failed", ended
    assert ended.record["tests"][0]["id"].startswith("test_deployment.py")
