from __future__ import annotations

import re
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.unit.services.llm.running import COMMAND, DETERMINISTIC, EXPLANATION, answered, chat, started, supervised
from tests.unit.services.programs import ROOT, WITHIN_S, end_without_supervisor, first_line

if TYPE_CHECKING:
    from pathlib import Path

_READY = re.compile(r"LLM service ready at (http://127\.0\.0\.1:\d+/v1)  key: any\n")


def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the program where it is expected to end by itself."""
    return subprocess.run(
        [*COMMAND, *arguments], cwd=ROOT, input=stdin, capture_output=True, text=True, timeout=WITHIN_S, check=False
    )


def test_a_person_gets_one_line_with_the_base_url_of_openais_clients() -> None:
    with started() as process:
        ready = _READY.fullmatch(first_line(process))
        assert ready
        headers = {"Authorization": "Bearer any"}
        body = chat("Rate this", model=DETERMINISTIC)
        response = httpx.post(f"{ready.group(1)}/chat/completions", json=body, headers=headers)
        assert answered(response)["choices"][0]["message"]["content"] == EXPLANATION


def test_a_person_chooses_the_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with started("--port", str(port)) as process:
        assert first_line(process) == f"LLM service ready at http://127.0.0.1:{port}/v1  key: any\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_success_and_silence_faults_or_not(number: signal.Signals) -> None:
    with started() as process:
        url = first_line(process).split()[4]
        with httpx.Client(headers={"Authorization": "Bearer any"}) as kept_open:
            for model in ("cut", "malformed", "fail/500", "plain"):
                for stream in (False, True):
                    body = chat(model=model, stream=stream)
                    if model == "cut":
                        with pytest.raises(httpx.RemoteProtocolError):
                            kept_open.post(f"{url}/chat/completions", json=body)
                    else:
                        kept_open.post(f"{url}/chat/completions", json=body)
            process.send_signal(number)
            out, err = process.communicate(timeout=WITHIN_S)
        assert (process.returncode, out, err) == (0, "", "")


def test_a_client_that_goes_away_leaves_no_word() -> None:
    with started() as process:
        url = first_line(process).split()[4]
        headers = {"Authorization": "Bearer any"}
        for first in ("0", "60"):
            body = chat(model=f"slow?first={first}&between=0.1", stream=True)
            with pytest.raises(httpx.ReadTimeout):
                httpx.post(f"{url}/chat/completions", json=body, headers=headers, timeout=0.05)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=WITHIN_S)
        assert (process.returncode, out, err) == (0, "", "")


def test_a_busy_port_is_an_error_that_names_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        done = run("--port", str(port))
    assert (done.returncode, done.stdout) == (1, "")
    assert f"error: cannot listen on 127.0.0.1:{port}: it is in use" in done.stderr
    assert "--port" in done.stderr


@pytest.mark.parametrize("port", ["65536", "-1", "x"])
def test_a_port_that_is_none_is_a_usage_error(port: str) -> None:
    assert run("--port", port).returncode == 2


@pytest.mark.parametrize("line", ["", "not json", "[]", '{"port": "x"}', '{"port": 70000}', '{"prot": 1}'])
def test_a_wrong_configuration_is_a_usage_error(line: str) -> None:
    done = run("--config", "-", stdin=line + "\n")
    assert (done.returncode, done.stdout) == (2, "")
    assert "the configuration on stdin" in done.stderr


def test_it_answers_within_a_second_of_being_started() -> None:
    # This machine may be busy, so the best of three counts.
    def measured() -> float:
        began = time.perf_counter()
        with supervised() as llm:
            llm.http.get("/healthz")
            return time.perf_counter() - began

    assert min(measured() for _ in range(3)) < 1


def test_it_dies_with_its_supervisor(tmp_path: Path) -> None:
    assert end_without_supervisor("llm", "{}", tmp_path) == -signal.SIGKILL
