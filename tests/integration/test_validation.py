"""What tracer and client refuse, correct or ignore of what they are given. Neither may take the program down."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tests.support.eventually import eventually
from tests.support.tracers import client_of, pointed_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from environments.inside.target import Target
    from tests.support.children import Children
    from tests.support.server import Server
    from tests.support.tracers import Tracers


# ---- The client --------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["", None], ids=["empty", "none"])
def test_a_client_without_a_key_is_constructed_all_the_same(target: Target, key: str | None) -> None:
    client = client_of(target, target.project, api_key=key)

    assert not client.api_key


@pytest.mark.parametrize("url", ["", None], ids=["empty", "none"])
def test_a_client_with_an_empty_url_takes_that_of_the_environment(
    target: Target, monkeypatch: pytest.MonkeyPatch, url: str | None
) -> None:
    monkeypatch.setenv("HH_API_URL", target.base_url)

    client = client_of(target, target.project, base_url=url)

    assert client.server_url.rstrip("/") == target.base_url
    assert client.datasets.list(name="none-of-this-name").datasets == []


def test_a_client_refuses_a_keyword_that_it_does_not_know(target: Target) -> None:
    with pytest.raises(TypeError):
        client_of(target, target.project, no_such_option=True)


@pytest.mark.parametrize(
    ("error", "key"),
    [
        pytest.param("ValidationError", 42, marks=pytest.mark.sdk("<1.6")),
        pytest.param("TypeError", 42, marks=pytest.mark.sdk(">=1.6")),
    ],
)
def test_a_client_refuses_a_key_that_is_no_text(target: Target, error: str, key: int) -> None:
    with pytest.raises(Exception, match=r"(?i)str") as raised:
        client_of(target, target.project, api_key=key)

    assert type(raised.value).__name__ == error


def test_a_client_tells_how_it_is_configured(target: Target) -> None:
    client = client_of(target, target.project, test_mode=True)

    assert (client.api_key, client.server_url, client.test_mode) == (target.api_key, target.base_url, True)


def test_a_slash_at_the_end_of_the_url_of_a_client_changes_nothing(target: Target) -> None:
    client = client_of(target, target.project, base_url=f"{target.base_url}/")

    assert client.datasets.list(name="none-of-this-name").datasets == []


@pytest.mark.parametrize("argument", ["base_url", "server_url"])
def test_the_variable_hh_base_url_is_read_by_no_release(
    target: Target, server: Server, make_tracer: Tracers, monkeypatch: pytest.MonkeyPatch, argument: str
) -> None:
    """The public guide names it; what works is HH_API_URL."""
    monkeypatch.setenv("HH_BASE_URL", f"{target.base_url}/nowhere")
    monkeypatch.setenv("HH_API_URL", target.base_url)
    client = client_of(target, target.project, **{"base_url": None, argument: None})
    tracer = make_tracer()

    assert client.server_url == target.base_url
    assert server.session(tracer.session_id)


# ---- The tracer --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("first_tracer")
@pytest.mark.parametrize("key", ["", None], ids=["empty", "none"])
def test_a_tracer_without_a_key_raises_nothing_and_stores_nothing(
    target: Target, make_tracer: Tracers, server: Server, resource_name: str, key: str | None
) -> None:
    from honeyhive import HoneyHiveTracer

    keyless = HoneyHiveTracer.init(api_key=key, server_url=target.base_url, session_name=resource_name)
    with keyless.trace("lost"):
        keyless.enrich_span(metadata={"a": 1})
    keyless.enrich_session(metadata={"a": 1})
    keyless.flush()

    known = make_tracer(session_name=f"{resource_name}-known")
    with known.trace("kept"):
        pass
    known.flush()
    server.event(known.session_id, "kept")  # sent last
    assert server.events(event_name=resource_name) == []
    assert keyless.session_id is None or server.events(session_id=keyless.session_id) == []


def test_a_tracer_ignores_a_keyword_that_it_does_not_know(target: Target, make_tracer: Tracers, server: Server) -> None:
    """`base_url` is such a one, though the client knows it: who misspells the URL talks to production."""
    tracer = make_tracer(no_such_option=True, base_url=f"{target.base_url}/nowhere")

    assert server.session(tracer.session_id)


def test_a_slash_at_the_end_of_the_url_of_a_tracer_changes_nothing(
    target: Target, make_tracer: Tracers, server: Server
) -> None:
    tracer = make_tracer(server_url=f"{target.base_url}/")
    with tracer.trace("span"):
        pass
    tracer.flush()

    def arrived() -> bool:
        assert server.children(tracer.session_id), "the span is lost"
        return True

    assert eventually(arrived, within=2)


def test_a_session_id_that_is_no_uuid_is_replaced_by_one(make_tracer: Tracers, server: Server) -> None:
    tracer = make_tracer(session_id="order-42")

    assert str(uuid.UUID(tracer.session_id)) == tracer.session_id
    assert server.session(tracer.session_id)


def test_a_session_id_in_capitals_is_the_same_in_small_letters(make_tracer: Tracers, server: Server) -> None:
    chosen = str(uuid.uuid4())

    tracer = make_tracer(session_id=chosen.upper())

    assert tracer.session_id == chosen
    assert server.session(chosen)


def test_a_tracer_takes_its_settings_as_an_object(
    target: Target, make_tracer: Tracers, server: Server, resource_name: str
) -> None:
    from honeyhive import HoneyHiveTracer
    from honeyhive.config.models import TracerConfig

    config = TracerConfig(
        **pointed_at(target, target.project), project=target.project.name, source="object", session_name=resource_name
    )
    tracer = HoneyHiveTracer(config=config)
    make_tracer.delete_afterwards(tracer)
    with tracer.trace("span"):
        pass
    tracer.flush()

    assert server.session(tracer.session_id)["source"] == "object"
    assert server.event(tracer.session_id, "span")["source"] == "object"


def test_an_argument_beside_the_object_wins_over_it(
    target: Target, make_tracer: Tracers, server: Server, resource_name: str
) -> None:
    from honeyhive import HoneyHiveTracer
    from honeyhive.config.models import TracerConfig

    config = TracerConfig(**pointed_at(target, target.project), project=target.project.name, source="object")
    tracer = HoneyHiveTracer(config=config, source="argument", session_name=resource_name)
    make_tracer.delete_afterwards(tracer)

    assert server.session(tracer.session_id)["source"] == "argument"


def test_a_session_without_a_name_has_that_of_the_program(children: Children, server: Server) -> None:
    told = children.answer(
        """
        from honeyhive import HoneyHiveTracer
        answer({"session_id": HoneyHiveTracer.init().session_id})
        """
    )

    assert server.session(told["session_id"])["event_name"] == "program"


def test_a_tracer_tells_how_it_is_configured(target: Target, make_tracer: Tracers, resource_name: str) -> None:
    tracer = make_tracer(source="told")

    assert (tracer.api_key, tracer.project, tracer.source) == (target.api_key, target.project.name, "told")
    assert (tracer.session_name, tracer.test_mode, tracer.is_initialized) == (resource_name, False, True)
    assert tracer.server_url == target.base_url


def test_neither_tracer_nor_client_shows_its_key(target: Target, make_tracer: Tracers) -> None:
    tracer, client = make_tracer(), client_of(target, target.project)

    assert target.api_key not in f"{tracer!r} {tracer} {client!r} {client}"


def test_a_talkative_program_does_not_print_its_key(children: Children, resource_name: str) -> None:
    ended = children.run(
        """
        import sys
        from honeyhive import HoneyHive, HoneyHiveTracer
        tracer = HoneyHiveTracer.init(session_name=sys.argv[1], verbose=True)
        with tracer.trace("span"):
            pass
        tracer.flush()
        HoneyHive(verbose=True).datasets.list(name="none-of-this-name")
        answer({"session_id": tracer.session_id})
        """,
        resource_name,
    )

    assert ended.status == 0, ended
    assert ended.out, "verbose says something"
    assert children.variables["HH_API_KEY"] not in ended.out + ended.err


def test_the_project_of_a_tracer_may_be_one_that_its_key_does_not_open(
    make_tracer: Tracers, server: Server, start_session: Callable[..., str]
) -> None:
    """The key decides; `project` is deprecated and says nothing."""
    own = server.session(start_session())["project_id"]

    tracer = make_tracer(project="of-somebody-else")

    assert server.session(tracer.session_id)["project_id"] == own
