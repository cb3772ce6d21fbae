"""What stands behind the gateway: that it is there, its certificate, its clock and its keys.

A test cannot see any of this itself, because it sees the gateway; so it asks the gateway, which asks the deployment.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from environments.inside.target import Target

pytestmark = [pytest.mark.read_only, pytest.mark.needs("gateway")]

_GOOD_TLS = {"TLSv1.2", "TLSv1.3"}
# Certificates are renewed long before; a week is when somebody should be told.
_DAYS_LEFT = 7
# What a span's time may be off by before a session's events stand in the wrong order.
_SKEW_S = 5


@pytest.fixture(scope="module")
def deployment(target: Target) -> dict[str, Any]:
    """Return what the gateway tells of the deployment, asked once."""
    assert target.gateway is not None, "the capability says so"
    headers = {"Authorization": f"Bearer {target.gateway.token}"}
    answer = httpx.get(f"{target.gateway.url}/status", headers=headers, timeout=target.timeout_s)
    told: dict[str, Any] = answer.raise_for_status().json()
    return told


def test_the_deployment_is_reached(deployment: dict[str, Any]) -> None:
    assert deployment["reachable"], deployment.get("problem")


@pytest.fixture
def answering(deployment: dict[str, Any]) -> dict[str, Any]:
    """Return the same of a deployment that answers."""
    assert deployment["reachable"], deployment.get("problem")
    return deployment


def test_its_tls_is_of_today(answering: dict[str, Any]) -> None:
    assert answering["tls"]["version"] in _GOOD_TLS


def test_its_certificate_lasts(answering: dict[str, Any]) -> None:
    assert answering["tls"]["days_left"] >= _DAYS_LEFT, f"until {answering['tls']['certificate_expires']}"


def test_its_clock_is_ours(answering: dict[str, Any]) -> None:
    assert answering["clock_skew_s"] is not None, "its answers have no date"
    assert abs(answering["clock_skew_s"]) <= _SKEW_S


def test_each_key_to_it_looks_like_one_of_its_kind(deployment: dict[str, Any]) -> None:
    assert {kind: key["as_expected"] for kind, key in deployment["keys"].items()} == dict.fromkeys(
        deployment["keys"], True
    )


def test_it_refuses_a_wrong_key_in_json(answering: dict[str, Any]) -> None:
    assert answering["wrong_key"]["status"] == 401
    assert isinstance(json.loads(answering["wrong_key"]["body"]), dict)


def test_it_accepts_our_key(target: Target) -> None:
    headers = {"Authorization": f"Bearer {target.api_key}"}
    answer = httpx.get(f"{target.base_url}/v1/configurations", headers=headers, timeout=target.timeout_s)

    assert answer.status_code == 200, answer.text
