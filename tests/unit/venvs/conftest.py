from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.trees import copy_to

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Copy this project, to be changed."""
    return copy_to(tmp_path / "tree")
