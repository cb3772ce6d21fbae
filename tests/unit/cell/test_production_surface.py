"""Every public method of the SDK, called from inside a production cell: whatever they try, only reads arrive."""

from __future__ import annotations

import re
import sqlite3
import ssl
from typing import TYPE_CHECKING

import httpx
import pytest

from environments.services.gateway import operations
from tests.unit.cell.test_reach import settings
from tests.unit.conftest import PYTHON
from tests.unit.services.gateway.standin import PROJECT_KEY, Reached, stand_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.unit.conftest import Ended
    from tests.unit.services.gateway.standin import Standin

# Found by introspection, so that what a new release brings is called as well.
CALLS_EVERYTHING = """
    import asyncio, inspect, typing, uuid
    import pytest
    from tests.support.surface import public_methods
    from tests.support.tracers import client_of

    WITHIN_S = 20
    # Ends what the others need.
    LAST = ("close", "shutdown")

    def made_up(wanted):
        "Return something of this type, good or bad: what the method makes of it is its own affair."
        options = [each for each in typing.get_args(wanted) if each is not type(None)]
        if typing.get_origin(wanted) in (list, typing.List):
            return [made_up(options[0] if options else str)]
        if options and typing.get_origin(wanted) not in (dict, typing.Dict):
            return made_up(options[0])
        if hasattr(wanted, "model_construct"):
            needed = {name: field.annotation for name, field in wanted.model_fields.items() if field.is_required()}
            return wanted.model_construct(**{name: made_up(kind) for name, kind in needed.items()})
        return {int: 1, float: 1.0, bool: True, dict: {}}.get(typing.get_origin(wanted) or wanted, str(uuid.uuid4()))

    def call(method):
        try:
            hints = typing.get_type_hints(method)
            parameters = inspect.signature(method).parameters.values()
            needed = [one.name for one in parameters if one.default is one.empty and "VAR_" not in one.kind.name]
            result = method(**{name: made_up(hints.get(name, str)) for name in needed})
            if inspect.isawaitable(result):
                asyncio.run(asyncio.wait_for(result, WITHIN_S))
        except Exception as error:
            return type(error).__name__
        return "returned"

    @pytest.mark.read_only
    @pytest.mark.expects_refused_write
    def test_everything(target):
        import honeyhive

        client = client_of(target, target.project)
        called = {name: call(method) for name, method in sorted(public_methods(client).items())}
        tracer = honeyhive.HoneyHiveTracer.init(
            api_key=target.api_key, server_url=target.base_url, project=target.project.name, test_mode=False
        )
        with tracer.trace("in production"):
            tracer.enrich_session(metadata={"in": "production"})
        own = [name for name in dir(tracer) if not name.startswith("_") and callable(getattr(tracer, name))]
        for name in sorted(own, key=lambda name: (name in LAST, name)):
            called[f"tracer.{name}"] = call(getattr(tracer, name))
        functions = [name for name in honeyhive.__all__ if inspect.isfunction(getattr(honeyhive, name))]
        called |= {name: call(getattr(honeyhive, name)) for name in sorted(functions)}
        called["evaluate"] = call(lambda: honeyhive.evaluate(
            function=lambda datapoint: {}, dataset=[{"inputs": {}}], name="in production",
            api_key=target.api_key, server_url=target.base_url,
        ))
        print("CALLED", called)
"""
_CALLED = re.compile(r"^CALLED (\{.*\})$", re.MULTILINE)
_AT_LEAST = 100


@pytest.fixture
def standin(tmp_path: Path) -> Iterator[Standin]:
    """Serve a stand-in of this test's own, with a session and an event in it."""
    with stand_in(tmp_path / "standin") as served:
        headers = {"Authorization": f"Bearer {PROJECT_KEY}"}
        trusted = ssl.create_default_context(cafile=str(served.ca_file))
        with httpx.Client(base_url=served.url, headers=headers, verify=trusted) as http:
            session = http.post("/session/start", json={"session": {"session_name": "kept"}}).json()["session_id"]
            event = {"event_type": "tool", "inputs": {}, "session_id": session}
            http.post("/events", json={"event": event}).raise_for_status()
        yield served


def dumped(folder: Path) -> list[str]:
    """Return all that a stand-in stores."""
    (file,) = folder.glob("*.sqlite")
    with sqlite3.connect(file) as connection:
        return list(connection.iterdump())


@pytest.mark.proof
@pytest.mark.parametrize("line", ["-sdk1.0", "-sdk1.4", ""])
def test_whatever_of_the_sdk_is_called_in_production_only_reads_arrive_and_nothing_changes(
    run_cell: Callable[..., Ended], suite: Callable[[str], str], standin: Standin, tmp_path: Path, line: str
) -> None:
    before = dumped(tmp_path / "standin")
    with standin.watched() as reached:
        ended = run_cell(
            *(suite(CALLS_EVERYTHING), "-m", "read_only", "-n", "0", "-s"),
            cell=f"integration-{PYTHON}-production{line}",
            **settings(standin),
        )
    called = _CALLED.search(ended.output)
    assert called is not None, ended
    names = re.findall(r"'([\w.]+)': '(\w+)'", called[1])
    refused = ended.record["requests"]["refused"]
    print(f"{line or 'newest'}: {len(names)} methods called, {refused} requests refused, {len(reached)} reads arrived")
    assert len(names) > _AT_LEAST, ended
    assert refused > 0
    assert [request for request in reached if not _is_read(request)] == []
    assert dumped(tmp_path / "standin") == before


def _is_read(request: Reached) -> bool:
    operation = operations.find(request.method, request.path)
    return operation is not None and operation.read
