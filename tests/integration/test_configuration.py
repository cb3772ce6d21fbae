"""Where tracer and client take their settings from: explicit arguments first, then the environment.

The SDK's default server is production, and it never says when it falls back to it. A cell's fence does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.tracers import UNKNOWN_KEY, pointed_at

if TYPE_CHECKING:
    from environments.inside.target import Target
    from tests.support.cleanup import Cleanup
    from tests.support.server import Server
    from tests.support.tracers import Tracers


@pytest.fixture
def variables(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the environment name the target, its key and project, and a source."""
    monkeypatch.setenv("HH_API_KEY", target.api_key)
    monkeypatch.setenv("HH_API_URL", target.base_url)
    monkeypatch.setenv("HH_PROJECT", target.project.name)
    monkeypatch.setenv("HH_SOURCE", "from-environment")


@pytest.fixture
def misleading_variables(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the environment name a key that the server does not know, a path that it does not have, and a source."""
    monkeypatch.setenv("HH_API_KEY", UNKNOWN_KEY)
    monkeypatch.setenv("HH_API_URL", f"{target.base_url}/nowhere")
    monkeypatch.setenv("HH_PROJECT", "another-project")
    monkeypatch.setenv("HH_SOURCE", "from-environment")


@pytest.mark.usefixtures("variables", "first_tracer")
def test_a_tracer_is_configured_by_the_environment(
    target: Target, server: Server, make_tracer: Tracers, resource_name: str
) -> None:
    from honeyhive import HoneyHiveTracer

    tracer = HoneyHiveTracer.init(session_name=resource_name)
    make_tracer.delete_afterwards(tracer)
    with tracer.trace("span"):
        pass
    tracer.flush()

    assert tracer.project == target.project.name
    assert server.session(tracer.session_id)["source"] == "from-environment"
    assert server.event(tracer.session_id, "span")["source"] == "from-environment"


@pytest.mark.usefixtures("misleading_variables")
def test_explicit_arguments_of_a_tracer_win_over_the_environment(
    target: Target, server: Server, make_tracer: Tracers, resource_name: str
) -> None:
    from honeyhive import HoneyHiveTracer

    tracer = HoneyHiveTracer.init(
        api_key=target.api_key,
        server_url=target.base_url,
        project=target.project.name,
        source="explicit",
        session_name=resource_name,
    )
    make_tracer.delete_afterwards(tracer)
    with tracer.trace("span"):
        pass
    tracer.flush()

    assert tracer.project == target.project.name
    assert server.session(tracer.session_id)["source"] == "explicit"
    assert server.event(tracer.session_id, "span")["source"] == "explicit"


@pytest.mark.usefixtures("variables")
def test_a_client_is_configured_by_the_environment(server: Server, cleanup: Cleanup, resource_name: str) -> None:
    from honeyhive import HoneyHive

    started = HoneyHive().sessions.start({"session": {"session_name": resource_name, "source": "test"}})
    cleanup.register(resource_name, lambda: server.delete_session(started.session_id))

    assert server.session(started.session_id)["event_name"] == resource_name


@pytest.mark.usefixtures("misleading_variables")
@pytest.mark.parametrize("url_argument", ["base_url", "server_url"])
def test_explicit_arguments_of_a_client_win_over_the_environment(
    target: Target, server: Server, cleanup: Cleanup, resource_name: str, url_argument: str
) -> None:
    from honeyhive import HoneyHive

    client = HoneyHive(api_key=target.api_key, **{url_argument: target.base_url})
    started = client.sessions.start({"session": {"session_name": resource_name, "source": "test"}})
    cleanup.register(resource_name, lambda: server.delete_session(started.session_id))

    assert server.session(started.session_id)["event_name"] == resource_name


@pytest.mark.usefixtures("variables")
def test_an_argument_that_is_left_out_is_filled_from_the_environment(make_tracer: Tracers, server: Server) -> None:
    tracer = make_tracer()

    assert server.session(tracer.session_id)["source"] == "from-environment"


@pytest.mark.sdk(">=1.6")
def test_from_1_6_the_older_names_of_the_variables_still_work(
    target: Target, make_tracer: Tracers, server: Server, resource_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from honeyhive import HoneyHiveTracer

    monkeypatch.setenv("HONEYHIVE_API_KEY", target.api_key)
    monkeypatch.setenv("HONEYHIVE_SERVER_URL", target.base_url)

    tracer = HoneyHiveTracer.init(session_name=resource_name, project=target.project.name)
    make_tracer.delete_afterwards(tracer)

    assert server.session(tracer.session_id)["event_name"] == resource_name


@pytest.mark.sdk(">=1.6")
def test_from_1_6_an_empty_key_counts_as_none_and_the_environment_fills_it(
    target: Target, make_tracer: Tracers, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HH_API_KEY", target.api_key)

    tracer = make_tracer(api_key="")
    with tracer.trace("span"):
        pass
    tracer.flush()

    assert server.session(tracer.session_id)
    # Before 1.6 the session was started with the environment's key, and the spans were sent with none.
    assert server.event(tracer.session_id, "span")


@pytest.mark.sdk("<1.6")
def test_before_1_6_a_bare_variable_named_source_changes_the_tracers_source(
    make_tracer: Tracers, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE", "bare")

    assert server.session(make_tracer().session_id)["source"] == "bare"


@pytest.mark.sdk(">=1.6")
def test_from_1_6_a_bare_variable_named_source_means_nothing(
    make_tracer: Tracers, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE", "bare")

    assert server.session(make_tracer().session_id)["source"] == "dev"


@pytest.mark.sdk(">=1.6")
@pytest.mark.parametrize(
    "key", ["ingestion_api_key", pytest.param("data_plane_api_key", marks=pytest.mark.sdk(">=1.7"))]
)
def test_a_typed_key_of_the_wrong_shape_is_refused_at_construction(target: Target, key: str) -> None:
    from honeyhive import HoneyHive

    with pytest.raises(ValueError, match=key):
        HoneyHive(**pointed_at(target, target.project), **{key: "not-of-that-shape"})
