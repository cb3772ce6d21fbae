from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from environments.services.honeyhive.events.event import created, updated
from environments.services.honeyhive.storage.keys import Project
from environments.services.honeyhive.storage.store import Store
from environments.services.honeyhive.storage.visibility import Visibility

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from environments.services.honeyhive.storage.store import ProjectStore

_FOREVER_MS = 600_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path, Visibility(_FOREVER_MS))
    yield opened
    opened.close()


@pytest.fixture
def mine(store: Store) -> ProjectStore:
    return store.of(Project("mine"))


def _put(mine: ProjectStore, *ids: str) -> None:
    now_ns = time.time_ns()
    mine.put([created({"event_type": "tool", "inputs": {}, "event_id": each}, now_ns) for each in ids])


def _shown(mine: ProjectStore, *ids: str) -> set[str]:
    return {each for each in ids if mine.document(each) is not None}


def test_what_is_new_shows_when_the_lag_is_over_and_not_before(store: Store, mine: ProjectStore) -> None:
    _put(mine, "a", "b")
    assert _shown(mine, "a", "b") == set()
    store.visibility.lag_ms = 0
    assert _shown(mine, "a", "b") == {"a", "b"}


def test_what_showed_once_still_shows_when_the_lag_grows(store: Store, mine: ProjectStore) -> None:
    store.visibility.lag_ms = 0
    _put(mine, "a")
    store.visibility.lag_ms = _FOREVER_MS
    _put(mine, "b")
    assert _shown(mine, "a", "b") == {"a"}


def test_an_update_of_what_shows_shows_at_once(store: Store, mine: ProjectStore) -> None:
    store.visibility.lag_ms = 0
    _put(mine, "a")
    store.visibility.lag_ms = _FOREVER_MS
    mine.change("a", lambda event: updated(event, {"metadata": {"seen": 1}}))
    assert '"seen":1' in str(mine.document("a"))


def test_the_numbers_of_deleted_events_show_nothing_too_early(store: Store, mine: ProjectStore) -> None:
    store.visibility.lag_ms = 0
    _put(mine, "a", "b", "c")
    mine.delete_event("c")
    mine.delete_event("b")
    store.visibility.lag_ms = _FOREVER_MS
    _put(mine, "d")
    assert _shown(mine, "a", "d") == {"a"}


def test_everything_shows_after_a_restart(tmp_path: Path) -> None:
    first = Store(tmp_path, Visibility(_FOREVER_MS))
    _put(first.of(Project("mine")), "a")
    first.close()
    second = Store(tmp_path, Visibility(_FOREVER_MS))
    assert _shown(second.of(Project("mine")), "a") == {"a"}
    second.close()
