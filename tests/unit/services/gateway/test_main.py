"""The gateway as a process: started by a supervisor, gone with it, silent."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from typing import TYPE_CHECKING

import httpx
import pytest

from environments.inside import lifeline
from environments.services import process
from tests.unit.services.gateway.running import CONTROL_TOKEN, config, supervised
from tests.unit.services.programs import WITHIN_S, started
from tests.unit.waiting import is_gone, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.services.gateway.standin import Standin


def test_a_supervisor_starts_it_and_it_dies_with_that_supervisor(standin: Standin, tmp_path: Path) -> None:
    held = lifeline.hold(tmp_path / "lifeline")
    log = tmp_path / "gateway.txt"
    spec = process.ServiceSpec("gateway", "environments.services.gateway", json.loads(config(standin, tmp_path)))

    async def used() -> int:
        gateway = await process.start(spec, tmp_path / "lifeline", log)
        async with httpx.AsyncClient(timeout=WITHIN_S) as http:
            token = {"Authorization": f"Bearer {CONTROL_TOKEN}"}
            minted = await http.post(f"{gateway.urls['control_url']}/keys", json={"test": "t"}, headers=token)
            key = minted.json()["keys"]["project"]
            runs = await http.get(f"{gateway.url}/v1/runs", headers={"Authorization": f"Bearer {key}"})
            assert runs.status_code == 200
        os.close(held)
        await asyncio.wait_for(gateway.died(), WITHIN_S)
        return gateway.process.pid

    pid = asyncio.run(used())
    wait_until(lambda: is_gone(pid), "the gateway is gone")
    assert log.read_text(encoding="utf-8") == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_without_a_word_while_clients_are_connected(
    standin: Standin, tmp_path: Path, number: signal.Signals
) -> None:
    with supervised(standin, tmp_path) as gateway, socket.create_connection(gateway.address) as connection:
        connection.sendall(b"GET /v1/ru")
        assert gateway.http.get("/v1/runs").status_code == 200
        gateway.process.send_signal(number)
        out, err = gateway.process.communicate(timeout=WITHIN_S)
    assert (gateway.process.returncode, out, err) == (0, "", "")


@pytest.mark.parametrize("line", ["", "not json", "[]", "{}", '{"upstream": "https://a", "policy": "paced"}', "null"])
def test_a_line_that_is_no_configuration_is_a_usage_error(line: str) -> None:
    with started("gateway", "--config", "-", stdin=line) as ended:
        assert ended.wait(WITHIN_S) == 2
        assert ended.stderr is not None
        assert "the configuration on stdin" in ended.stderr.read()


def test_the_audit_of_an_earlier_gateway_is_gone_on_with(standin: Standin, tmp_path: Path) -> None:
    for _ in range(2):
        with supervised(standin, tmp_path) as gateway:
            gateway.http.get("/v1/runs")
    lines = gateway.audit()
    assert [line["path"] for line in lines] == ["/v1/runs"] * 2
    assert lines[0].keys() == {
        *("time", "test", "method", "path", "effect", "decision", "status", "ms", "waited_ms", "tries", "reason")
    }
