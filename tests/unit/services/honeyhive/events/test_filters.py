from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments.services.honeyhive.events import filters
from environments.services.honeyhive.storage.keys import Project
from environments.services.honeyhive.storage.store import Store
from tests.unit.services.honeyhive.running import perhaps_refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from environments.services.http.json_types import Json

_OPERATORS = (
    *("is", "is not", "contains", "not contains", "greater than", "less than"),
    *("after", "before", "exists", "not exists"),
)
_FIELDS = ("event_id", "start_time", "duration", "error", "metadata.a", "metadata.a.b", "inputs", "project")
_KINDS = ("string", "number", "boolean", "datetime")
_VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["1", "2024-01-01"])
_FILTER = st.fixed_dictionaries(
    {
        "field": st.sampled_from(_FIELDS) | st.text(),
        "operator": st.sampled_from(_OPERATORS),
        "value": _VALUES,
        "type": st.sampled_from(_KINDS),
    }
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Open an empty store: what a condition means is tested over HTTP, here only that SQLite takes it."""
    folder: Path = tmp_path_factory.mktemp("store")
    with closing(Store(folder)) as opened:
        yield opened


@given(st.lists(_FILTER, max_size=4), st.none() | st.fixed_dictionaries({"$gte": _VALUES, "$lte": _VALUES}))
def test_any_filters_are_sql_that_runs_or_a_bad_request(store: Store, sent: list[Json], date_range: Json) -> None:
    with perhaps_refused(400):
        condition = filters.condition(sent, date_range)
        assert store.of(Project("p")).find(condition, filters.page(1, 1)).total == 0


@given(_VALUES | st.lists(_VALUES), _VALUES)
def test_any_limit_and_page_are_read_or_a_bad_request(limit: Json, number: Json) -> None:
    with perhaps_refused(400):
        page = filters.page(limit, number)
        assert 1 <= page.limit <= filters.MAX_LIMIT
        assert page.offset < 2**63


def test_a_value_never_becomes_part_of_the_sql() -> None:
    sent = {"field": "event_name", "operator": "is", "value": "'; DROP TABLE events --", "type": "string"}
    condition = filters.condition([sent], None)
    assert "DROP" not in condition.sql
    assert "'; DROP TABLE events --" in condition.parameters.values()


@pytest.mark.parametrize("operator", _OPERATORS)
@pytest.mark.parametrize("kind", _KINDS)
def test_every_operator_goes_with_every_type(operator: str, kind: str) -> None:
    values: dict[str, Json] = {"boolean": True, "string": "x", "number": 1, "datetime": 1}
    filters.condition([{"field": "a.b", "operator": operator, "value": values[kind], "type": kind}], None)


def test_a_filter_without_a_type_is_about_text() -> None:
    with_type = filters.condition([{"field": "a", "operator": "is", "value": "x", "type": "string"}], None)
    assert filters.condition([{"field": "a", "operator": "is", "value": "x"}], None) == with_type


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1500, 1500),
        ("1500", 1500),
        ("1970-01-01T00:00:01.5Z", 1500),
        ("1970-01-01T00:00:01.500", 1500),
        ("1970-01-01T01:00:01.5+01:00", 1500),
        ("1969-12-31", -86_400_000),
    ],
)
def test_a_moment_is_milliseconds_or_iso_in_utc(value: Json, expected: float) -> None:
    assert filters.milliseconds(value) == expected


@pytest.mark.parametrize("value", ["never", "nan", math.inf, None, [], True, "9" * 400])
def test_what_is_no_moment_is_refused(value: Json) -> None:
    with pytest.raises((TypeError, ValueError)):
        filters.milliseconds(value)


def test_a_limit_above_the_maximum_gets_the_maximum() -> None:
    assert filters.page(10**9, None) == filters.Page(filters.MAX_LIMIT, 1)


def test_exports_of_a_session_a_name_or_a_type_use_an_index(tmp_path: Path) -> None:
    with closing(Store(tmp_path)), closing(sqlite3.connect(tmp_path / "events.sqlite")) as connection:
        for field, index in [("session_id", "session"), ("event_name", "name"), ("event_type", "time")]:
            sent = {"field": field, "operator": "is", "value": "x", "type": "string"}
            condition = filters.condition([sent], None)
            query = "EXPLAIN QUERY PLAN SELECT body FROM events WHERE project_id = 'p' AND "
            query += f"{condition.sql} ORDER BY start_ns DESC"
            plan = str(connection.execute(query, dict(condition.parameters)).fetchall())
            assert f"events_by_{index}" in plan
