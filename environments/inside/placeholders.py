"""The keys that a test holds behind the gateway: placeholders of its own, so that every request names its test.

They are minted as a test begins and stand where the target says that its keys stand. A fixture that outlives its test
keeps the key of the test that made it. Where there is no gateway, nothing happens.
"""

from __future__ import annotations

import json
import os
import urllib.request

import pytest

from environments.inside import ledger, target

# What a request is said to come from that no test makes: an import, a session's end.
_NO_TEST = "outside any test"
_WITHIN_S = 10


def pytest_configure(config: pytest.Config) -> None:
    del config
    _hold(_NO_TEST)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    _hold(ledger.test_id(item.nodeid))


def _hold(test: str) -> None:
    aim = target.load()
    if aim is None or aim.gateway is None:
        return
    headers = {"Authorization": f"Bearer {aim.gateway.token}", "Content-Type": "application/json"}
    body = json.dumps({"test": test[: target.LONGEST_TEST_ID]}).encode()
    request = urllib.request.Request(f"{aim.gateway.url}/keys", body, headers)  # noqa: S310 - our own, on loopback
    # Without proxies: the cell's environment has none, and must not be given one.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=_WITHIN_S) as answer:
        minted = json.load(answer)["keys"]
    for kind, variable in target.KEY_VARIABLES.items():
        if kind in minted:
            os.environ[variable] = minted[kind]
