from __future__ import annotations

import itertools
import re
import time
from typing import TYPE_CHECKING

import pytest

from environments.inside import target
from tests.support.eventually import NotInTime, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_the_first_truthy_result_is_returned_at_once() -> None:
    started = time.monotonic()

    assert eventually(lambda: "found", within=60) == "found"
    assert time.monotonic() - started < 1


def test_a_falsy_result_means_look_again() -> None:
    results: Iterator[object] = iter([None, [], 0, "found"])

    assert eventually(lambda: next(results), within=60) == "found"


def test_a_failed_assertion_means_look_again() -> None:
    looks = itertools.count()

    def check() -> str:
        assert next(looks) == 3
        return "found"

    assert eventually(check, within=60) == "found"


def test_any_other_exception_goes_through_at_once() -> None:
    looks = []

    def check() -> None:
        looks.append(1)
        raise KeyError("event_id")

    with pytest.raises(KeyError, match="event_id"):
        eventually(check, within=60)
    assert len(looks) == 1


def test_it_looks_once_more_when_the_deadline_has_passed() -> None:
    started = time.monotonic()

    assert eventually(lambda: time.monotonic() - started >= 0.2, within=0.2)


def test_without_time_it_looks_once() -> None:
    with pytest.raises(NotInTime, match=re.escape("not within 0 s (looked once in 0.0 s)")):
        eventually(lambda: None, within=0)


def test_the_failure_tells_what_the_last_assertion_said_how_often_and_how_long() -> None:
    numbers = itertools.count(1)

    def check() -> bool:
        number = next(numbers)
        raise AssertionError(f"saw {number} events, not 1000")

    with pytest.raises(NotInTime) as raised:
        eventually(check, within=0.05)

    first, last = str(raised.value).splitlines()
    looks = re.fullmatch(r"not within 0\.05 s \(looked (\d+) times in 0\.\d s\); seen last:", first)
    assert looks
    assert int(looks[1]) > 2
    assert last == f"saw {looks[1]} events, not 1000"


def test_the_failure_tells_what_the_check_returned_last() -> None:
    with pytest.raises(NotInTime, match=re.escape("seen last:\nthe check returned []")):
        eventually(list, within=0)


def test_the_failure_says_so_when_the_assertion_has_no_message() -> None:
    def check() -> None:
        raise AssertionError

    with pytest.raises(NotInTime, match="an assertion without a message"):
        eventually(check, within=0)


def test_it_takes_no_longer_than_its_deadline() -> None:
    started = time.monotonic()

    with pytest.raises(NotInTime):
        eventually(lambda: None, within=0.3)
    assert time.monotonic() - started < 0.6


@pytest.mark.usefixtures("ledger")
def test_in_a_cell_it_waits_as_long_as_the_target_says() -> None:
    with pytest.raises(NotInTime, match=re.escape("not within 0.1 s")):
        eventually(lambda: None)


def test_outside_of_a_cell_it_asks_for_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(target.VARIABLE, raising=False)

    with pytest.raises(ValueError, match="pass within="):
        eventually(lambda: None)
