"""xdist's groups: the tests of an `xdist_group` run in one worker, which alone pays for what they import.

xdist 3.8 writes a test's group into `_nodeid`, and pytest 9.2 reads a test's id from `_id`: no group was ever kept
together. This hands over what xdist wrote. Delete it when its test passes without it.
"""

from __future__ import annotations

import pytest


@pytest.hookimpl(trylast=True)  # after xdist
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        told = getattr(item, "_nodeid", item.nodeid)
        if told != item.nodeid:
            item._id = item.id.parse(told)  # noqa: SLF001 - where pytest's ids are; it has no public word for a change
