from __future__ import annotations

import datetime as dt
import re

import pytest

from environments import project
from environments.venvs import lock

NOXFILE = lock.NOXFILE.read_text(encoding="utf-8")
PINS = re.findall(r'^#   "(.*)",$', lock._BLOCK.findall(NOXFILE)[0], re.MULTILINE)


@pytest.mark.parametrize(
    ("now", "days", "day"),
    [
        ("2026-11-22T12:30:00+00:00", 3, "2026-11-19T00:00:00Z"),
        ("2026-11-22T00:00:00+00:00", 3, "2026-11-19T00:00:00Z"),
        ("2026-11-22T01:00:00+02:00", 3, "2026-11-18T00:00:00Z"),
        ("2026-03-01T12:00:00+00:00", 1, "2026-02-28T00:00:00Z"),
        ("2026-11-22T12:30:00+00:00", 0, "2026-11-22T00:00:00Z"),
    ],
)
def test_cooled_down_is_what_is_that_many_full_days_old(now: str, days: int, day: str) -> None:
    assert lock.cooled_down(dt.datetime.fromisoformat(now), days) == day


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("# as of 2026-11-19T00:00:00Z; written by `nox -s lock`\na==1\n", "2026-11-19T00:00:00Z"),
        ('# [tool.uv]\n# exclude-newer = "2026-11-19T00:00:00Z"\n# ///\n', "2026-11-19T00:00:00Z"),
        ("a==1\n", ""),
    ],
    ids=["lock", "noxfile", "neither"],
)
def test_the_day_is_read_from_what_was_written(text: str, day: str) -> None:
    assert lock.as_of(text) == day


def test_the_block_of_the_noxfile_lists_every_pin_and_the_day() -> None:
    block = lock.script_block("httpx==0.28.1\nnox==2026.10.20\nuv==0.13.9 ; sys_platform == 'linux'\n", "2026-11-19")

    assert block == (
        "# /// script\n"
        '# requires-python = ">=3.11"\n'
        "# dependencies = [\n"
        '#   "httpx==0.28.1",\n'
        '#   "nox[uv]==2026.10.20",\n'
        "#   \"uv==0.13.9 ; sys_platform == 'linux'\",\n"
        "# ]\n"
        "#\n"
        "# [tool.uv]\n"
        '# exclude-newer = "2026-11-19"\n'
        "# ///\n"
    )


def test_every_pin_of_the_noxfile_is_exact() -> None:
    assert PINS
    assert [pin for pin in PINS if not re.fullmatch(r"[a-z0-9-]+(\[uv\])?==[0-9a-z.]+( ; .+)?", pin)] == []


def test_the_noxfile_brings_uv() -> None:
    assert [pin for pin in PINS if pin.startswith("nox[uv]==")]
    assert [pin for pin in PINS if pin.startswith("uv==")]


@pytest.mark.parametrize("path", [lock.TOOLS, lock.HIGHEST], ids=lambda path: path.name)
def test_every_pin_of_a_lock_is_exact_and_hashed(path: object) -> None:
    assert isinstance(path, type(lock.TOOLS))
    pins = re.split(r"\n(?=\S)", path.read_text(encoding="utf-8").strip())[1:]

    assert pins
    assert [pin for pin in pins if not re.match(r"[a-z0-9-]+==\S+ [^\n]*\\\n    --hash=sha256:", pin)] == []


def test_no_lock_pins_the_sdk_under_test() -> None:
    assert not [pin for pin in PINS if pin.startswith("honeyhive")]
    assert not [path for path in project.LOCKS.glob("*.txt") if "\nhoneyhive==" in path.read_text(encoding="utf-8")]


def test_all_was_resolved_for_one_day_that_has_cooled_down() -> None:
    days = {lock.as_of(path.read_text(encoding="utf-8")) for path in (lock.NOXFILE, *project.LOCKS.glob("*.txt"))}
    limit = lock.cooled_down(dt.datetime.now(dt.UTC), project.load_matrix().limits.cool_down_days)

    (day,) = days
    assert day <= limit


def test_what_is_locked_is_what_the_declarations_resolve_to() -> None:
    """Asks the package index for everything as it stood on the recorded day."""
    resolved = dict(lock.resolve(project.load_matrix(), lock.as_of(NOXFILE)).files)

    stale = [path.name for path, text in resolved.items() if not path.exists() or path.read_text("utf-8") != text]
    assert not stale, f"{', '.join(stale)}: not what pyproject.toml and releases.json resolve to; run `nox -s lock`"
    orphans = {path.name for path in project.LOCKS.glob("highest*.txt")} - {path.name for path in resolved}
    assert not orphans, f"{', '.join(orphans)}: of no line any more; run `nox -s lock`"
