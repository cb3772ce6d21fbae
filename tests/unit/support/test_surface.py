from __future__ import annotations

import pytest

from tests.support.scenarios import TABLE
from tests.support.surface import NotAsDeclared, Tried, public_methods


class Datasets:
    def create(self) -> dict[str, int]:
        return {"id": 1}

    async def create_async(self) -> dict[str, int]:
        return {"id": 2}

    def names(self) -> list[str]:
        return ["a", 1]  # type: ignore[list-item]  # what a client that breaks its word returns

    def _private(self) -> None: ...


Datasets.__module__ = "honeyhive.api.client"


class Settings:
    def reload(self) -> int | None:
        return None


class Client:
    def __init__(self) -> None:
        self.datasets = self.sets = Datasets()
        self.settings = Settings()

    def ping(self) -> str:
        return 1  # type: ignore[return-value]  # the same


def test_the_methods_are_those_of_the_client_and_of_its_objects_that_make_requests() -> None:
    methods = public_methods(Client())
    assert set(methods) == {"client.ping", "sets.create", "sets.create_async", "sets.names"}


def test_a_call_waits_for_an_async_method() -> None:
    assert Tried(Datasets().create_async)() == {"id": 2}


def test_a_result_of_one_of_several_declared_types_is_accepted() -> None:
    tried = Tried(Settings().reload)
    assert tried() is None
    tried.check_types()


@pytest.mark.parametrize(("method", "returned"), [(Client().ping, "int: 1"), (Datasets().names, "int: 1")])
def test_a_result_that_is_not_as_declared_is_named(method: object, returned: str) -> None:
    tried = Tried(method)  # type: ignore[arg-type]  # a method
    tried()
    with pytest.raises(NotAsDeclared, match=returned):
        tried.check_types()


def test_no_method_stands_in_the_table_twice() -> None:
    names = [name for entry in TABLE for name in entry.names]
    assert len(names) == len(set(names)) > 100
