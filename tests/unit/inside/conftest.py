from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.unit.inside.running import Inside

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def service() -> Iterator[socket.socket]:
    """Listen where the cell may go."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture
def stranger() -> Iterator[socket.socket]:
    """Listen where the cell may not go."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)  # noqa: FBT003 - the standard library's
        yield listening


@pytest.fixture
def inside(tmp_path: Path, service: socket.socket) -> Inside:
    """Lay out a cell whose processes may reach `service` alone."""
    return Inside(tmp_path / "cell", frozenset({("127.0.0.1", service.getsockname()[1])}))
