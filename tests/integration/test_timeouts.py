"""How long a client waits for the server."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.support.tracers import client_of

if TYPE_CHECKING:
    from honeyhive import HoneyHive

    from environments.inside.target import Target

# A server needs far longer to read this than a client waits for it.
MUCH = {"lists": [[0]] * 300_000}
TOO_SHORT_S = 0.001


def _ask_much(client: HoneyHive) -> None:
    """Send a large update of an event that does not exist: whether in time or not, nothing is stored."""
    from honeyhive.models import UpdateEventRequest

    client.events.update(UpdateEventRequest(event_id=str(uuid.uuid4()), metadata=MUCH))


@pytest.mark.sdk(">=1.3")
def test_from_1_3_a_client_gives_up_after_its_timeout(target: Target) -> None:
    with pytest.raises(httpx.TimeoutException):
        _ask_much(client_of(target, target.project, timeout=TOO_SHORT_S))


@pytest.mark.sdk(">=1.3")
def test_from_1_3_the_environment_sets_the_timeout(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HH_API_TIMEOUT", str(TOO_SHORT_S))

    with pytest.raises(httpx.TimeoutException):
        _ask_much(client_of(target, target.project))


@pytest.mark.sdk("<1.3")
def test_before_1_3_a_client_accepts_a_timeout_and_ignores_it(target: Target) -> None:
    from honeyhive._generated.api_config import HTTPException

    with pytest.raises(HTTPException) as raised:
        _ask_much(client_of(target, target.project, timeout=TOO_SHORT_S))

    assert raised.value.status_code == 404
