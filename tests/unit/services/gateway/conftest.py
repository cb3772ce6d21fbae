from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.services.gateway.running import Gateway, supervised
from tests.unit.services.gateway.standin import Standin, stand_in

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standin]:
    """Serve a stand-in of this test module's own."""
    with stand_in(tmp_path_factory.mktemp("standin")) as running:
        yield running


@pytest.fixture(scope="module")
def production(standin: Standin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Start a gateway that lets reads through."""
    with supervised(standin, tmp_path_factory.mktemp("production"), arrives_within_s=1) as running:
        yield running


@pytest.fixture(scope="module")
def staging(standin: Standin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Start a gateway that lets everything through, without a limit."""
    with supervised(standin, tmp_path_factory.mktemp("staging"), policy="paced", arrives_within_s=1) as running:
        yield running
