from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.unit.services.honeyhive.running import Service, supervised

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """Start a service of this test module's own, with projects `one` and `two`."""
    with supervised() as running:
        yield running


@pytest.fixture(scope="module")
def stranger(service: Service) -> Iterator[httpx.Client]:
    """Make a client with project two's key."""
    with httpx.Client(base_url=service.url, headers={"Authorization": "Bearer key-two"}) as http:
        yield http
