"""The suite that the matrix runs: the real SDK, real sockets, no mocks. It runs inside a cell only.

The SDK is imported by fixtures and tests, never here: it takes two seconds, and the process that only hands tests out
to workers reads this file too.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import pytest

if "MATRIX_TARGET" not in os.environ:
    raise pytest.UsageError(
        "these tests run inside a cell of the matrix, which gives them a server and keys.\n"
        "  what to do: nox -s integration-3.12-development -- tests/integration/test_….py   (`nox -l` lists the cells)"
    )

from environments.inside.fixtures import worker
from tests.support import children as programs
from tests.support.cleanup import Cleanup
from tests.support.faults import Proxy
from tests.support.projects import Mint
from tests.support.server import Server
from tests.support.tracers import Tracers, client_of, fresh_context
from tests.support.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from honeyhive import HoneyHive, HoneyHiveTracer

    from environments.inside.target import Target
    from tests.support.projects import MintedProject, Tenant


@pytest.fixture(autouse=True)
def _own_context() -> Iterator[None]:
    """Let no test find another's session in its OpenTelemetry baggage."""
    with fresh_context():
        yield


# ---- What the server holds ---------------------------------------------------------------------------


@pytest.fixture(scope="session")
def server(target: Target) -> Iterator[Server]:
    """Read the target's project, over plain HTTP."""
    reader = Server(target.base_url, target.project, target.timeout_s)
    yield reader
    reader.close()


@pytest.fixture(scope="session")
def mint(target: Target) -> Iterator[Mint]:
    """Mint projects and keys. For tests marked `needs("mint-project")`."""
    assert target.control is not None, 'mark this test @pytest.mark.needs("mint-project")'
    minting = Mint(target.control, target.timeout_s)
    yield minting
    minting.close()


@pytest.fixture
def minted_project(mint: Mint, cleanup: Cleanup, resource_name: str) -> MintedProject:
    """Mint a project of this test's own, with a key of each kind. For tests marked `needs("mint-project")`."""
    project = mint.project(resource_name)
    cleanup.register(resource_name, lambda: mint.delete(project))
    return project


@pytest.fixture
def other_project(target: Target, request: pytest.FixtureRequest) -> Tenant:
    """Return another project of the same server, with its own key. For tests marked `needs("second-project")`.

    Where the target can mint one it is this test's own.
    """
    if "mint-project" in target.capabilities:
        minted: MintedProject = request.getfixturevalue("minted_project")
        return minted
    assert target.other_project is not None, 'mark this test @pytest.mark.needs("second-project")'
    return target.other_project


@pytest.fixture(scope="session")
def _readers() -> Iterator[contextlib.ExitStack]:
    """Close readers at the very end: the cleanup of a test still needs them."""
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def other_server(target: Target, other_project: Tenant, _readers: contextlib.ExitStack) -> Server:
    """Read the other project, over plain HTTP."""
    return _readers.enter_context(contextlib.closing(Server(target.base_url, other_project, target.timeout_s)))


@pytest.fixture
def wire(target: Target) -> Iterator[Wire]:
    """Stand between the SDK and the target: `make_tracer(server_url=wire.url)`, then `wire.sent`."""
    with Wire(target.base_url).up() as between:
        yield between


@pytest.fixture
def cleanup(target: Target) -> Iterator[Cleanup]:
    """Delete what this test creates when it ends."""
    registry = Cleanup(can_delete="delete" in target.capabilities)
    yield registry
    registry.run()


@pytest.fixture
def delete_session(cleanup: Cleanup, server: Server, resource_name: str) -> Callable[[str], None]:
    """Register a session that the test began in its own way: `delete_session(session_id)`."""

    def register(session_id: str) -> None:
        cleanup.register(f"{resource_name} {session_id}", lambda: server.delete_session(session_id))

    return register


# ---- Tracers -----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def first_tracer(target: Target, server: Server) -> Iterator[HoneyHiveTracer]:
    """Make the first tracer of this process. It owns OpenTelemetry's globals, and cannot be shut down without them.

    Every other tracer asks for it, so that whatever the order of tests, theirs is a later one.
    """
    registry = Cleanup(can_delete="delete" in target.capabilities)
    with fresh_context():
        tracer = Tracers(target, server, registry, f"{target.run_name}-{worker()}-first-tracer-{os.getpid()}")()
    yield tracer
    registry.run()


@pytest.fixture
def make_tracer(
    target: Target, server: Server, cleanup: Cleanup, resource_name: str, first_tracer: HoneyHiveTracer
) -> Tracers:
    """Make tracers of the target's project: `make_tracer(source="…")` takes what `HoneyHiveTracer.init` does."""
    del first_tracer
    return Tracers(target, server, cleanup, resource_name)


@pytest.fixture
def make_other_tracer(
    target: Target, other_server: Server, cleanup: Cleanup, resource_name: str, first_tracer: HoneyHiveTracer
) -> Tracers:
    """Make tracers of the other project."""
    del first_tracer
    return Tracers(target, other_server, cleanup, f"{resource_name}-other")


@pytest.fixture
def tracer(make_tracer: Tracers) -> HoneyHiveTracer:
    """Make a tracer of this test's own, with a session of its own."""
    return make_tracer()


@pytest.fixture(params=["first", "later"])
def each_tracer(request: pytest.FixtureRequest) -> HoneyHiveTracer:
    """Give the test the first tracer of the process, then a later one: they reach the server by different ways."""
    tracer: HoneyHiveTracer = request.getfixturevalue("first_tracer" if request.param == "first" else "tracer")
    return tracer


# ---- Failures ----------------------------------------------------------------------------------------


@pytest.fixture
def proxy(target: Target) -> Iterator[Proxy]:
    """Stand in front of the target, and go wrong as the test says: `proxy.fail(…)`, `proxy.lift()`.

    Ask for it before tracers, so that it outlives them.
    """
    with Proxy(target.base_url) as standing:
        yield standing


# ---- Clients -----------------------------------------------------------------------------------------


@pytest.fixture
def client(target: Target) -> HoneyHive:
    """Make a client of the target's project."""
    return client_of(target, target.project)


@pytest.fixture
def create_metric(client: HoneyHive, server: Server, cleanup: Cleanup, resource_name: str) -> Callable[..., str]:
    """Create metrics through the client: `create_metric(type="PYTHON", criteria="…")` returns the id.

    Unless it is told otherwise, a metric applies to no event of any other test.
    """
    only = {"field": "event_name", "operator": "is", "value": resource_name, "type": "string"}
    own = {"name": resource_name, "filters": {"filterArray": [only]}}

    def create(**fields: object) -> str:
        from honeyhive.models import CreateMetricRequest

        metric_id = str(client.metrics.create(CreateMetricRequest(**{**own, **fields})).metric_id)
        cleanup.register(f"{resource_name} {metric_id}", lambda: server.delete_metric(metric_id))
        return metric_id

    return create


@pytest.fixture
def create_run(client: HoneyHive, server: Server, cleanup: Cleanup, resource_name: str) -> Callable[..., str]:
    """Create experiment runs through the client: `create_run(metadata={…})` returns the id."""

    def create(**fields: object) -> str:
        from honeyhive.models import PostExperimentRunRequest

        run_id = str(
            client.experiments.create_run(PostExperimentRunRequest(**{"name": resource_name, **fields})).run_id
        )
        cleanup.register(f"{resource_name} {run_id}", lambda: server.delete_run(run_id))
        return run_id

    return create


@pytest.fixture
def start_session(client: HoneyHive, server: Server, cleanup: Cleanup, resource_name: str) -> Callable[..., str]:
    """Start sessions through the client: `start_session(inputs={…})` returns the id that the server issued."""

    def start(**session: object) -> str:
        answer = client.sessions.start({"session": {"session_name": resource_name, "source": "test", **session}})
        session_id = str(answer.session_id)
        cleanup.register(f"{resource_name} {session_id}", lambda: server.delete_session(session_id))
        return session_id

    return start


@pytest.fixture
def run_evaluation(
    target: Target, server: Server, cleanup: Cleanup, resource_name: str, first_tracer: HoneyHiveTracer
) -> Callable[..., Any]:
    """Run `evaluate()` against the target: `run_evaluation(function, dataset=[…])` returns its result."""
    del first_tracer  # else the first datapoint's tracer would be it

    def run(function: Callable[..., object], **given: object) -> Any:  # noqa: ANN401 - a type of the SDK's
        from honeyhive import evaluate

        result = evaluate(
            function=function,
            **{
                "name": resource_name,
                "api_key": server.project.api_key,
                "server_url": target.base_url,
                "max_workers": 1,
                "print_results": False,
                **given,
            },
        )
        cleanup.register(f"{resource_name} {result.run_id}", lambda: server.delete_run(str(result.run_id)))
        return result

    return run


# ---- Other processes ---------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def _nursery() -> Iterator[programs.Nursery]:
    """Have a process that has imported the SDK, from the first test on that needs one."""
    with programs.nursery() as nursery:
        yield nursery


@pytest.fixture
def children(
    target: Target, delete_session: Callable[[str], None], tmp_path: Path, _nursery: programs.Nursery
) -> Iterator[programs.Children]:
    """Run programs that are pointed at the target by their environment, as a user's are."""
    variables = {"HH_API_KEY": target.api_key, "HH_API_URL": target.base_url, "HH_PROJECT": target.project.name}
    running = programs.Children(tmp_path, variables, target.timeout_s * 2, _nursery, delete_session)
    yield running
    running.close()
