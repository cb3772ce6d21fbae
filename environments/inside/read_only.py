"""Which tests a cell of an environment that is only ever read collects: those marked `read_only`, and no others.

    @pytest.mark.read_only               safe wherever it runs: it reads, and needs nothing made first
    @pytest.mark.expects_refused_write   tries a write on purpose, to see what the SDK makes of the refusal

Asking for another test, by name, -k or -m, gets an explanation. This is for people: what holds a test that lies about
itself is the gateway, which forwards reads only.
"""

from __future__ import annotations

import pytest

from environments.inside import ledger, target

_SHOWN = 5
_EXPLANATION = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "read_only: reads only, so that it may run in production")
    config.addinivalue_line("markers", "expects_refused_write: a write of it is refused where writing is forbidden")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    aim = target.load()
    if aim is None or aim.writable:
        return
    others = [item for item in items if item.get_closest_marker("read_only") is None]
    if others and _asked_for_something(config):
        named = "\n    ".join(item.nodeid for item in others[:_SHOWN])
        more = f"\n    … and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
        # One of them stands for all, and fails with the explanation: raised by a worker here, it is a crash of xdist's.
        others[0].stash[_EXPLANATION] = (
            f"{aim.environment} is only ever read, and these tests are not marked read_only:\n    {named}{more}\n"
            f"  what to do: run them in staging or development; or choose read_only tests (-m read_only)"
        )
        items[:] = others[:1]
        return
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    explanation = item.stash.get(_EXPLANATION, None)
    if explanation is not None:
        pytest.fail(explanation, pytrace=False)
    if item.get_closest_marker("expects_refused_write") is not None:
        ledger.write(entry="expects-refused-write", test=ledger.test_id(item.nodeid))


def _asked_for_something(config: pytest.Config) -> bool:
    options = config.option
    by_name = any("::" in each or each.endswith(".py") for each in config.args)
    return bool(options.keyword or options.markexpr or by_name)
