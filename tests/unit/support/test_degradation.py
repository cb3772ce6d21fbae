"""The table of how the SDK degrades, as data: whole, and of one mind. That it is true is tested in the cells."""

from __future__ import annotations

from itertools import product

import pytest
from packaging.specifiers import SpecifierSet

from environments import project
from tests.support.degradation.entries import ENTRIES
from tests.support.degradation.table import EVALUATE, FAULTS, RETRIES, STATUSES, TABLE

LINES = [line.version for line in project.load_matrix().lines]


@pytest.mark.parametrize("line", LINES)
def test_no_two_rows_of_a_line_speak_of_the_same_thing(line: str) -> None:
    said = [(row.entry, fault) for row in TABLE if SpecifierSet(row.sdk).contains(line) for fault in row.faults]

    assert len(said) == len(set(said))
    assert {entry for entry, _ in said} == set(ENTRIES)


def test_every_fault_of_the_table_can_be_made_and_every_one_that_can_be_made_is_in_it() -> None:
    named = {fault for row in TABLE for fault in row.faults}
    named |= {row.fault for row in RETRIES} | {part.fault for part in EVALUATE}

    assert named == set(FAULTS)


@pytest.mark.parametrize(("entry", "status"), list(product(("init", "span export", "flush", "client"), STATUSES)))
def test_every_status_stands_at_each_of_the_main_entry_points(entry: str, status: str) -> None:
    assert [row for row in TABLE if row.entry == entry and status in row.faults]
