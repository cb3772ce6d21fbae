"""The fixtures that every test in a cell has, `target` and `resource_name`; and the check that the fence is up."""

from __future__ import annotations

import itertools
import os
import re

import pytest

from environments.inside import fence
from environments.inside import target as targets

_counter = itertools.count()


def pytest_configure(config: pytest.Config) -> None:
    del config
    if not fence.is_up():
        pytest.exit("this cell is without its fence: sitecustomize did not run", returncode=4)


@pytest.fixture(scope="session")
def target() -> targets.Target:
    """Return what this cell's tests are told."""
    found = targets.load()
    assert found is not None, "the plugin is loaded in a cell only"
    return found


@pytest.fixture
def resource_name(target: targets.Target, request: pytest.FixtureRequest) -> str:
    """Return a name for what this test creates: found by the run's prefix when the run was killed."""
    test = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    # The process, too: several cells of a run may share an environment.
    return f"{target.run_name}-{worker()}-{test}-{os.getpid()}-{next(_counter)}"


def worker() -> str:
    """Return xdist's name for this process; `main` where there are no workers."""
    return os.environ.get("PYTEST_XDIST_WORKER", "main")
