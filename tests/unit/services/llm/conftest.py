from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.services.llm.running import Llm, supervised

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def llm() -> Iterator[Llm]:
    """Start a service of this test module's own."""
    with supervised() as running:
        yield running
