"""Performance as data: the fixture `measure`, and the mark `performance`.

    @pytest.mark.performance             measures something
    @pytest.mark.performance(long=True)  takes a minute: runs where it is asked for, with `-m performance`

`measure(name, value, unit)` puts a number into the cell's record. Records are compared over time and lines by name, so
a name stays what it is. A long test that nobody asked for is *not applicable*, with the reason: never passed.
"""

from __future__ import annotations

import math
from typing import Protocol

import pytest

from environments.inside import ledger


class Measure(Protocol):
    """Puts one number into the record."""

    def __call__(self, name: str, value: float, unit: str) -> None: ...


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "performance(long=False): measures something; a long one runs with `-m performance` only"
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    is_long = any(marker.kwargs.get("long") for marker in item.iter_markers("performance"))
    if is_long and "performance" not in (item.config.getoption("markexpr") or ""):
        item.user_properties.append((ledger.OUTCOME_PROPERTY, "not-applicable"))
        pytest.skip("takes a minute; ask for it with `-m performance`")


@pytest.fixture
def measure(request: pytest.FixtureRequest) -> Measure:
    """Return what puts a number into the cell's record: `measure("span.cost.p50", 312.5, "µs")`."""
    if request.node.get_closest_marker("performance") is None:
        raise pytest.UsageError(f"{request.node.nodeid} measures; mark it @pytest.mark.performance")

    def write(name: str, value: float, unit: str) -> None:
        if not math.isfinite(value):
            raise ValueError(f"{name} is {value} {unit}: a measurement is a finite number")
        ledger.write(entry="measurement", name=name, value=round(float(value), 6), unit=unit)

    return write
