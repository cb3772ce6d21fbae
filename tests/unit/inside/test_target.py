from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from environments.inside import target

if TYPE_CHECKING:
    from tests.unit.inside.running import Inside


@pytest.mark.parametrize("other", [None, target.Project("q", "OTHER_KEY")], ids=["one project", "two projects"])
def test_a_target_is_read_as_it_was_written(
    inside: Inside, monkeypatch: pytest.MonkeyPatch, other: target.Project | None
) -> None:
    written = inside.aim(other_project=other, capabilities=("delete", "second-project"))
    monkeypatch.setenv(target.VARIABLE, inside.variables[target.VARIABLE])

    assert target.load() == written


def test_where_projects_are_minted_is_read_as_it_was_written_and_its_token_stands_in_the_environment(
    inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = inside.aim(control=target.Control("http://127.0.0.1:2", "TOKEN"))
    monkeypatch.setenv(target.VARIABLE, inside.variables[target.VARIABLE])
    monkeypatch.setenv("TOKEN", "token_canary_123456")

    loaded = target.load()

    assert loaded == written
    assert loaded is not None
    assert loaded.control is not None
    assert loaded.control.token == "token_canary_123456"  # noqa: S105 - made up
    assert "canary" not in (inside.folder / "target.json").read_text() + repr(loaded)


def test_no_key_stands_in_the_file(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "hh_canary_123456")
    written = inside.aim()

    assert written.api_key == "hh_canary_123456"
    assert "canary" not in (inside.folder / "target.json").read_text() + repr(written)


def test_a_process_outside_of_a_cell_has_no_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(target.VARIABLE, raising=False)

    assert target.load() is None
