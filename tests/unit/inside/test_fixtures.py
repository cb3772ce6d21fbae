from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.unit.inside.running import Inside


def test_a_cell_without_its_fence_runs_nothing(inside: Inside) -> None:
    inside.aim()
    inside.install_sdk("1.2.0")
    (inside.path / "sitecustomize.py").unlink()

    ended = inside.pytest("def test_one(): pass")

    assert ended.status == 4
    assert "this cell is without its fence: sitecustomize did not run" in ended.text
    assert inside.entries("phase") == []


def test_the_target_is_a_fixture(inside: Inside) -> None:
    inside.aim(timeout_s=7.5)
    inside.install_sdk("1.2.0")

    ended = inside.pytest("def test_one(target): assert (target.project.name, target.timeout_s) == ('p', 7.5)")

    assert ended.status == 0, ended


def test_what_a_test_creates_is_named_after_the_run_and_the_test(inside: Inside) -> None:
    inside.aim(run_name="hhm-run-1")
    inside.install_sdk("1.2.0")

    inside.pytest(
        """
        import pytest

        @pytest.mark.parametrize("word", ["Ä b/c", "Ä b/d"])
        def test_one(resource_name, word): print(resource_name)
        """,
        *("-s", "-q"),
    )
    ended = inside.pytest((inside.suite / "test_it.py").read_text(), "-s", "-q")

    names = re.findall(r"hhm-run-1\S*", ended.out)
    assert len(set(names)) == 2
    assert all(re.fullmatch(r"hhm-run-1-main-test-one-[a-z0-9-]+-\d+-\d+", name) for name in names), ended
