from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import junitparser
import pytest

from environments import project
from tests.unit.conftest import CELL, PYTHON, Ended, Started, clean_environment, until

Run = Callable[..., Ended]
Suite = Callable[[str], str]

PASSING = """
    import honeyhive

    def test_passes(target):
        assert honeyhive.HoneyHive(api_key=target.api_key, base_url=target.base_url)
"""


def test_a_cell_that_executed_a_passing_test_passes_and_says_what_ran(run_cell: Run, suite: Suite) -> None:
    ended = run_cell(suite(PASSING), "-n0")
    assert ended.status == 0, ended
    record = ended.record
    newest = project.load_matrix().newest
    assert record["outcome"] == "passed"
    assert record["counts"]["passed"] == 1
    assert record["sdk"]["version"] == newest.version
    assert record["sdk"]["sha256"] == newest.release.sha256
    assert record["sdk"]["origin"].endswith("site-packages/honeyhive/__init__.py")
    assert record["python"].startswith(f"{PYTHON}.")
    assert record["packages"]["honeyhive"] == newest.version
    assert record["base_url"].startswith("http://127.0.0.1:")
    assert record["started"] < record["finished"]
    assert record["duration_s"] > 0
    assert record["cpu_s"] > 0
    assert "record.json" in ended.output


def test_a_cell_leaves_a_log_and_junit_beside_its_record_and_latest_names_its_run(run_cell: Run, suite: Suite) -> None:
    ended = run_cell(suite(PASSING), "-n0")
    assert "1 passed" in (ended.folder / "log.txt").read_text(encoding="utf-8")
    junit = junitparser.JUnitXml.fromfile(str(ended.folder / "junit.xml"))
    assert (junit.tests, junit.failures, junit.errors) == (1, 0, 0)
    assert (ended.run.parent / "latest").resolve() == ended.run


def test_a_failing_test_fails_the_cell_by_name(run_cell: Run, suite: Suite) -> None:
    ended = run_cell(suite("import honeyhive\n\ndef test_fails(): assert 1 == 2"), "-n0")
    assert ended.status == 1, ended
    assert ended.record["outcome"] == "failed"
    assert ended.record["reason"] == "test_made_up.py::test_fails failed"
    assert "assert 1 == 2" in ended.record["tests"][0]["reason"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        pytest.param(
            "import pytest\n\ndef test_a(): pytest.skip('no')", "no test was executed (1 skipped)", id="skipped"
        ),
        pytest.param(
            "import pytest\n\n@pytest.mark.sdk('<1')\ndef test_a(): pass",
            "no test was executed (1 not applicable)",
            id="not-applicable",
        ),
        pytest.param("", "no test was executed (none was collected)", id="empty"),
    ],
)
def test_a_cell_that_executed_nothing_is_not_green(run_cell: Run, suite: Suite, source: str, reason: str) -> None:
    ended = run_cell(suite(source), "-n0")
    assert (ended.status, ended.record["outcome"], ended.record["reason"]) == (3, "no-tests", reason), ended


def test_a_cell_whose_tests_never_imported_the_sdk_fails(run_cell: Run, suite: Suite) -> None:
    ended = run_cell(suite("def test_a(): pass"), "-n0")
    assert ended.status == 1, ended
    assert "was to be tested, and imported was none" in ended.record["reason"]


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("from unittest import mock\n\ndef test_a(): pass", id="import"),
        pytest.param("def test_a(mocker): pass", id="mocker"),
        pytest.param("def test_a(monkeypatch): monkeypatch.setattr('os.name', 'x')", id="setattr"),
    ],
)
def test_a_test_module_that_mocks_fails_the_cell(run_cell: Run, suite: Suite, source: str) -> None:
    ended = run_cell(suite(source), "-n0")
    assert (ended.status, ended.record["outcome"]) == (1, "failed"), ended
    assert "Nothing is mocked in integration tests" in ended.output


def test_a_missing_interpreter_is_recorded_as_not_run(run_cell: Run) -> None:
    here = {path.name for path in Path("/usr/bin").glob("python3.*")}
    missing = next(python for python in ("3.15", "3.14") if f"python{python}" not in here)
    ended = run_cell(cell=f"integration-{missing}-development")
    assert ended.status == 3, ended
    assert ended.record["outcome"] == "not-run"
    assert ended.record["reason"].startswith(f"this machine has no Python {missing}")


def test_a_missing_credential_names_the_variables_that_would_do_and_installs_nothing(run_cell: Run) -> None:
    ended = run_cell(cell=f"integration-{PYTHON}-staging")
    assert ended.status == 3, ended
    assert ended.record["outcome"] == "not-run"
    assert "HH_STAGING_API_KEY (or HH_INTEGRATION_API_KEY)" in ended.output
    assert "installing" not in ended.output


def test_an_unknown_cell_is_answered_with_the_nearest_name(run_cell: Run) -> None:
    ended = run_cell(cell=f"integration-{PYTHON}-developement")
    assert ended.status == 2, ended
    assert f"did you mean '{CELL}'?" in ended.output


def test_a_release_that_is_no_line_runs_as_a_candidate(run_cell: Run, suite: Suite) -> None:
    ended = run_cell(suite(PASSING), "-n0", "--sdk", "1.0.0")
    assert ended.status == 0, ended
    assert ended.record["cell"] == f"{CELL}-candidate"
    assert ended.record["packages"]["honeyhive"] == "1.0.0"
    assert ended.record["sdk"]["sha256"]


def test_a_line_named_twice_differently_is_refused(run_cell: Run) -> None:
    ended = run_cell("--sdk", "1.0.0", cell=f"{CELL}-sdk1.5")
    assert ended.status == 2, ended
    assert f"nox -s {CELL} -- --sdk 1.0.0" in ended.output


def test_the_cells_environment_is_built_from_nothing(run_cell: Run, suite: Suite) -> None:
    source = """
        import os, subprocess, honeyhive

        def test_environment():
            assert not {"API_KEY", "PROJECT", "SESSION_ID", "HH_API_KEY", "HH_API_URL"} & set(os.environ)

        def test_outside_of_any_repository():
            asked = subprocess.run(["git", "rev-parse"], capture_output=True)
            assert asked.returncode == 128
    """
    bare = {"API_KEY": "x", "PROJECT": "x", "SESSION_ID": "x", "HH_API_KEY": "x", "HH_API_URL": "https://example.org"}
    assert run_cell(suite(source), "-n0", **bare).status == 0


LLM = """
    import json, urllib.request
    import honeyhive

    def test_asks(target):
        body = {"model": "deterministic/default/default", "messages": [{"role": "user", "content": "Rate this"}]}
        asked = urllib.request.Request(
            f"{target.llm_url}/v1/chat/completions",
            json.dumps(body).encode(),
            {"Content-Type": "application/json", "Authorization": "Bearer any"},
        )
        answered = json.load(urllib.request.urlopen(asked))
        assert answered["choices"][0]["message"]["content"] == "This is a mock explanation. Rating: [[5]]"
"""


def test_a_cells_tests_are_told_of_an_llm_service_behind_the_fence(run_cell: Run, suite: Suite) -> None:
    ended = run_cell(suite(LLM), "-n0")
    assert ended.status == 0, ended
    assert not ended.record["breaches"]


def test_a_cell_on_a_server_of_ones_own_has_an_llm_service_too(
    run_cell: Run, suite: Suite, own_server: tuple[str, str]
) -> None:
    url, key = own_server
    ended = run_cell(suite(LLM), "-n0", HH_DEV_BASE_URL=url, HH_DEV_API_KEY=key, HH_DEV_PROJECT="mine")
    assert ended.status == 0, ended
    assert ended.record["base_url"] == url


def test_every_way_past_the_fence_is_a_breach_named_by_its_test(run_cell: Run, suite: Suite) -> None:
    """The SDK's default address is production's, and it swallows every error of getting there."""
    source = """
        import atexit, subprocess, sys, threading
        import pytest
        from honeyhive import HoneyHive, HoneyHiveTracer

        def stray():
            HoneyHiveTracer.init(api_key="hh_nothing")

        def test_in_the_test():
            stray()

        def test_in_a_thread():
            thread = threading.Thread(target=stray)
            thread.start()
            thread.join()

        @pytest.fixture
        def late():
            yield
            stray()

        def test_in_teardown(late):
            pass

        def test_in_a_child():
            code = "from honeyhive import HoneyHiveTracer; HoneyHiveTracer.init(api_key='hh_nothing')"
            assert subprocess.run([sys.executable, "-c", code]).returncode == 0

        def at_exit():
            with pytest.raises(Exception):
                HoneyHive(api_key="hh_nothing").sessions.start({"session": {"source": "x"}})

        def test_at_exit():
            atexit.register(at_exit)
    """
    ended = run_cell(suite(source))
    assert ended.status == 1, ended
    assert ended.record["counts"]["passed"] == 5
    assert ended.record["outcome"] == "failed"
    breaches = {(breach["test"], breach["what"]) for breach in ended.record["breaches"]}
    production = "api.dp1.us.honeyhive.ai:443"
    assert breaches == {
        ("test_made_up.py::test_in_the_test (call)", production),
        ("test_made_up.py::test_in_a_thread (call)", production),
        ("test_made_up.py::test_in_teardown (teardown)", production),
        ("test_made_up.py::test_in_a_child (call)", production),
        ("outside any test", production),
    }
    assert ended.record["reason"].startswith(f"breach of the fence: {production} by ")


def test_a_cell_out_of_time_is_timed_out_with_the_stacks_of_all_threads(run_cell: Run, suite: Suite) -> None:
    source = """
        import threading, time

        def a_thread_that_waits():
            time.sleep(600)

        def test_that_never_ends():
            threading.Thread(target=a_thread_that_waits, daemon=True).start()
            time.sleep(600)
    """
    ended = run_cell(suite(source), limit=4)
    assert (ended.status, ended.record["outcome"]) == (1, "timed-out"), ended
    assert "longer than its limit of 4 s, during test_made_up.py::test_that_never_ends" in ended.record["reason"]
    log = (ended.folder / "log.txt").read_text(encoding="utf-8")
    assert "in a_thread_that_waits" in log
    assert "in test_that_never_ends" in log


def test_a_cell_out_of_time_before_its_tests_run_is_timed_out(run_cell: Run, suite: Suite) -> None:
    ended = run_cell(suite(PASSING), limit=0.01)
    assert (ended.status, ended.record["outcome"]) == (1, "timed-out"), ended
    assert "no test was running yet" in ended.output


def test_results_that_cannot_be_written_are_an_error_with_its_remedy(run_cell: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = run_cell(MATRIX_RESULTS=str(tmp_path / "file"))
    assert ended.status == 1, ended
    assert "cannot be written" in ended.output
    assert "MATRIX_RESULTS" in ended.output


def test_a_child_that_got_rid_of_the_fences_variables_does_not_start(run_cell: Run, suite: Suite) -> None:
    source = """
        import multiprocessing, os, subprocess, sys
        import honeyhive

        def test_children():
            assert subprocess.run(["env", "-u", "MATRIX_FENCE", sys.executable, "-c", "pass"]).returncode == 97
            assert subprocess.run(["sh", "-c", f"PYTHONPATH= {sys.executable} -c pass"]).returncode == 97
    """
    ended = run_cell(suite(source), "-n0")
    assert ended.status == 0, ended


def test_a_pytest_that_crashes_is_crashed(run_cell: Run, suite: Suite) -> None:
    ended = run_cell(suite("import os\n\ndef test_a(): os.abort()"), "-n0")
    assert (ended.status, ended.record["outcome"]) == (1, "crashed"), ended


def test_a_worker_that_crashes_fails_the_cell_and_is_not_replaced(run_cell: Run, suite: Suite) -> None:
    ended = run_cell(suite("import os\n\ndef test_a(): os.abort()"), "-n2")
    assert (ended.status, ended.record["outcome"]) == (1, "failed"), ended
    assert ended.output.count("node down") == 1


@pytest.fixture
def own_server(start: Callable[..., Started]) -> Iterator[tuple[str, str]]:
    """Serve a development server of one's own; yield its URL, and its key, which is a secret."""
    key = "hh_canary_of_my_own_server"
    served = start(sys.executable, "-m", "environments.services.honeyhive", "--api-key", key, "--project", "mine")
    assert served.process.stdout is not None
    line = served.process.stdout.readline()
    yield next(word for word in line.split() if word.startswith("http")), key
    served.process.send_signal(signal.SIGTERM)


def test_a_cell_runs_on_a_development_server_of_ones_own_and_its_key_reaches_no_text(
    run_cell: Run, suite: Suite, own_server: tuple[str, str], tmp_path: Path
) -> None:
    source = """
        import os, socket, sys
        import honeyhive
        import pytest

        @pytest.mark.parametrize("key", [os.environ["MATRIX_API_KEY"]])
        def test_leaks(target, key):
            with pytest.raises(OSError):
                socket.getaddrinfo(f"{key}.example.org", 443)
            print(target.api_key, dict(os.environ))
            sys.stderr.write(target.api_key)
            client = honeyhive.HoneyHive(api_key=target.api_key, base_url=target.base_url)
            client.sessions.start({"session": {"source": "test", "session_name": "x"}})
            raise AssertionError(f"the key is {target.api_key}")
    """
    url, key = own_server
    settings = {"HH_DEV_BASE_URL": url, "HH_DEV_API_KEY": key, "HH_DEV_PROJECT": "mine"}
    ended = run_cell(suite(source), "-k", f"leaks or {key}", **settings)
    assert ended.record["base_url"] == url, ended
    assert ended.record["outcome"] == "failed", ended
    assert "[hidden]" in ended.output
    written = b"".join(path.read_bytes() for path in (tmp_path / "results").rglob("*") if path.is_file())
    assert key.encode() not in written + ended.output.encode()


def test_pytest_outside_of_a_cell_stops_with_the_command_to_type() -> None:
    asked = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/integration", "-p", "no:cacheprovider"],
        cwd=project.ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.returncode == 4, asked
    assert "nox -s integration-3.12-development" in asked.stdout + asked.stderr


def test_a_lone_session_of_nox_ends_with_the_cells_own_exit_code(start: Callable[..., Started]) -> None:
    ended = start("nox", "-s", f"integration-{PYTHON}-staging").ended()
    assert ended.status == 3, ended


def test_ctrl_c_finishes_the_record(start: Callable[..., Started], suite: Suite) -> None:
    path = suite("import time\n\ndef test_waits(): time.sleep(600)")
    started = start("nox", "-s", CELL, "--", path, "-n0", "-v")
    log = started.results / started.run_id / CELL / "log.txt"
    until(lambda: log.exists() and "test_made_up" in log.read_text(encoding="utf-8"), "the first test")
    os.killpg(started.process.pid, signal.SIGINT)
    started.gone_after(5)
    record = started.ended().record
    assert record["outcome"] == "crashed"
    assert record["finished"] is not None
    assert "during test_made_up.py::test_waits" in record["reason"]


def test_the_seed_of_the_record_brings_a_random_order_back_and_without_it_the_order_is_the_files(
    run_cell: Run, suite: Suite
) -> None:
    path = suite("import honeyhive, pytest\n\n@pytest.mark.parametrize('n', range(9))\ndef test_a(n): assert n != 4")

    def order(ended: Ended) -> list[str]:
        return [test["id"] for test in ended.record["tests"]]

    first = run_cell(path, "-n0")
    again = run_cell(path, "-n0", f"--randomly-seed={first.record['seed']}")
    sorted_ = run_cell(path, "-n0", "-p", "no:randomly")

    assert f"in the same order again: -- --randomly-seed={first.record['seed']}" in first.output
    assert order(again) == order(first)
    assert sorted(order(first)) == order(sorted_)
    assert sorted_.record["seed"] is None


def test_workers_of_one_seed_make_different_random_numbers_and_so_does_each_test(run_cell: Run, suite: Suite) -> None:
    path = suite(
        """
        import honeyhive, pytest, random

        @pytest.mark.parametrize('n', range(4))
        def test_a(n): pytest.fail(f"rolled {random.getrandbits(64)}")
        """
    )

    ended = run_cell(path, "-n2", "--randomly-seed=1")

    rolled = {test["reason"] for test in ended.record["tests"]}
    assert len(rolled) == 4, rolled


def test_coverage_is_left_beside_the_record_with_that_of_workers_and_of_children(run_cell: Run, suite: Suite) -> None:
    path = suite(
        """
        import subprocess, sys

        def test_child():
            subprocess.run([sys.executable, "-c", "import colorsys; colorsys.rgb_to_hsv(1, 1, 1)"], check=True)
        def test_worker():
            import honeyhive
        """
    )

    ended = run_cell(path, "-n2", "--cov=colorsys", "--cov=honeyhive", "--cov-report=json")

    assert ended.status == 0, ended
    assert (ended.folder / ".coverage").exists()
    files = json.loads((ended.folder / "coverage.json").read_text(encoding="utf-8"))["files"]
    (child,) = [told for path, told in files.items() if path.endswith("colorsys.py")]
    assert child["functions"]["rgb_to_hsv"]["executed_lines"]
    assert any(path.endswith("site-packages/honeyhive/__init__.py") for path in files)
