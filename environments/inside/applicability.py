"""Which tests apply to which cell: the markers `sdk` and `needs`.

    @pytest.mark.sdk(">=1.3")             a version specifier for the SDK under test
    @pytest.mark.needs("second-project")  a capability of the profile

A test that doesn't apply is *not applicable*, with the reason: neither passed nor skipped.
"""

from __future__ import annotations

import importlib.metadata

import pytest
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from environments.inside import target
from environments.inside.ledger import OUTCOME_PROPERTY


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "sdk(specifier): applies to these releases of the SDK only")
    config.addinivalue_line("markers", "needs(capability): applies where the profile has this capability only")


def pytest_runtest_setup(item: pytest.Item) -> None:
    reason = _why_not(item)
    if reason:
        item.user_properties.append((OUTCOME_PROPERTY, "not-applicable"))
        pytest.skip(reason)


def _why_not(item: pytest.Item) -> str:
    version = importlib.metadata.version("honeyhive")
    for marker in item.iter_markers("sdk"):
        specifier = _specifier(item, marker)
        if not specifier.contains(version, prereleases=True):
            return f"needs honeyhive {specifier}, this cell tests {version}"
    aim = target.load()
    for marker in item.iter_markers("needs"):
        if not marker.args:
            raise pytest.UsageError(f'{item.nodeid}: needs() names no capability; write @pytest.mark.needs("…")')
        if aim is not None and marker.args[0] not in aim.capabilities:
            return f"needs {marker.args[0]}, which {aim.environment} does not have"
    return ""


def _specifier(item: pytest.Item, marker: pytest.Mark) -> SpecifierSet:
    try:
        return SpecifierSet(marker.args[0])
    except (InvalidSpecifier, IndexError, TypeError):  # no specifier, nothing at all, no text
        raise pytest.UsageError(
            f'{item.nodeid}: sdk{marker.args!r} is no version specifier; write @pytest.mark.sdk(">=1.3")'
        ) from None
