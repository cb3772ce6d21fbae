"""Every public method of the client, its old names and its async twins: each is called, and what it did is read back.

Which methods there are is asked of the SDK under test; what each should do stands in `tests.support.scenarios`.
"""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

from tests.support.scenarios import TABLE
from tests.support.surface import Tried, World, public_methods

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _pytest.mark import ParameterSet
    from honeyhive import HoneyHive

    from tests.support.cleanup import Cleanup
    from tests.support.server import Server
    from tests.support.surface import Entry


def _lines() -> Iterator[ParameterSet]:
    for entry in TABLE:
        for name in entry.names:
            yield pytest.param(name, entry, id=name, marks=pytest.mark.sdk(f">={entry.since}"))


@pytest.mark.parametrize(("name", "entry"), _lines())
def test_a_public_method_succeeds_with_its_declared_type_and_its_effect_is_read_back(
    name: str, entry: Entry, client: HoneyHive, server: Server, cleanup: Cleanup, resource_name: str
) -> None:
    method = public_methods(client).get(name)
    assert method is not None, f"the client has no {name}, which the table expects since {entry.since}"
    tried = Tried(method)

    entry.scenario(World(server, cleanup, resource_name), tried)

    tried.check_types()


def test_every_public_method_of_the_client_is_in_the_table(client: HoneyHive) -> None:
    tested = Version(importlib.metadata.version("honeyhive"))
    known = {name for entry in TABLE if Version(entry.since) <= tested for name in entry.names}

    unknown = sorted(public_methods(client).keys() - known)

    assert not unknown, f"give each a line in tests/support/scenarios, or its entry an earlier `since`: {unknown}"


def test_evaluations_is_another_name_of_experiments(client: HoneyHive) -> None:
    assert client.evaluations is client.experiments
