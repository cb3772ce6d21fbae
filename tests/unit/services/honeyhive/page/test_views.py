from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments.services.honeyhive.events import trees
from environments.services.honeyhive.events.event import Event, session_of
from environments.services.honeyhive.page import views
from environments.services.honeyhive.storage.keys import Project

if TYPE_CHECKING:
    from environments.services.http.json_types import JsonObject

_IDS = st.sampled_from(["root", "a", "b", "c", "d"])
_TIMES = st.one_of(st.integers(0, 2**43), st.floats(0, 2**43))


@st.composite
def _others(draw: st.DrawFn) -> list[JsonObject]:
    ids = draw(st.lists(st.sampled_from(["a", "b", "c", "d"]), unique=True))
    return [
        Event(each, "root", draw(_IDS), "tool", each, "s", draw(_TIMES), draw(_TIMES), draw(_TIMES), 0).document(
            Project("p")
        )
        for each in ids
    ]


_ROOT = session_of("root", "r", "s", 10**18).document(Project("p"))


@given(_others())
def test_every_event_is_in_the_outline_once_whatever_its_parent(others: list[JsonObject]) -> None:
    outline = list(trees.outline(_ROOT, others))
    assert outline[0] == (0, _ROOT)
    assert sorted(str(event["event_id"]) for _, event in outline) == sorted(
        ["root", *(str(event["event_id"]) for event in others)]
    )


@given(_others())
def test_every_bar_lies_within_the_line(others: list[JsonObject]) -> None:
    outline = tuple(trees.outline(_ROOT, others))
    for row in views.rows(outline, 0, len(outline)):
        assert row.start >= 0
        assert row.width > 0
        assert row.start + row.width <= views.BAR_WIDTH + 0.02
    assert views.overview(_ROOT, others).facts[1] == ("Events", str(len(others)))


@pytest.mark.parametrize(
    ("ms", "told"),
    [
        (0, "0 ms"),
        (0.423, "0.42 ms"),
        (12.34, "12.3 ms"),
        (310, "310 ms"),
        (1240, "1.24 s"),
        (59_900, "59.9 s"),
        (123_000, "2 min 3 s"),
        (3_600_000_000, "60,000 min 0 s"),
    ],
)
def test_durations_are_told_to_three_digits(ms: float, told: str) -> None:
    assert views.duration(ms) == told


def test_a_chat_is_shown_as_its_messages() -> None:
    (value,) = views.values({"chat_history": [{"role": "user", "content": "hi"}]})
    assert value.messages == (views.Message("user", "hi", 0),)


def test_a_message_that_says_more_than_text_is_shown_as_it_is() -> None:
    message: JsonObject = {"role": "assistant", "content": "", "tool_calls": [{"id": "1"}]}
    (value,) = views.values({"chat_history": [message]})
    assert not value.messages
    assert json.loads(value.text) == [message]


def test_a_long_text_is_cut_and_says_how_much() -> None:
    (value,) = views.values({"text": "x" * (views.MAX_TEXT + 7)})
    assert (len(value.text), value.cut) == (views.MAX_TEXT, 7)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_pages_meet_without_gap_or_overlap(number: int, size: int, total: int) -> None:
    pages = views.Pages.of(number, size, total)
    if pages.next:
        following = views.Pages.of(pages.next, size, total)
        assert following.first == pages.last + 1
        assert following.previous == number
    elif size * (number - 1) < total:
        assert pages.last == total


@given(st.text(min_size=1))
def test_any_session_id_makes_one_segment_of_a_path(session_id: str) -> None:
    path = views.path_of(session_id)
    assert path.count("/") == 2
    assert path.isascii()
