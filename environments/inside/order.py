"""The order of the tests: a random one, by pytest-randomly, that the seed in the record brings back.

`-- -p no:randomly` is the order of the files; `-- --randomly-seed=N` an earlier one.
"""

from __future__ import annotations

import random

import pytest


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    # The same random numbers for each test would be the same trace and span ids for each test.
    if hasattr(config.option, "randomly_reset_seed"):
        config.option.randomly_reset_seed = False


def seed(config: pytest.Config) -> int | None:
    """Return what brings this order back, or None where the order is not random."""
    told = getattr(config.option, "randomly_seed", None)
    return told if isinstance(told, int) else None


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    # Ordering seeds every worker alike, and with it OpenTelemetry's ids.
    random.seed()
