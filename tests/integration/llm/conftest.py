"""The providers' real SDKs, and OpenInference's instrumentors for them.

They take seconds to import, so fixtures do that: only who asks for them pays. An instrumentor is the process's own, and
wraps the provider's classes: a test takes it from here, unbound, and leaves it unbound.
"""

from __future__ import annotations

import contextlib
import inspect
import types
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.providers import anthropic_of, openai_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anthropic import Anthropic, AsyncAnthropic
    from honeyhive import HoneyHiveTracer
    from openai import AsyncOpenAI, OpenAI
    from openinference.instrumentation.anthropic import AnthropicInstrumentor
    from openinference.instrumentation.openai import OpenAIInstrumentor

    from environments.inside.target import Target


@contextlib.contextmanager
def _unbound(instrumentor: Any, provider: type, method: str) -> Iterator[Any]:  # noqa: ANN401 - untyped
    assert not _is_wrapped(provider, method), "another test left the provider's SDK instrumented"
    yield instrumentor
    if instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.uninstrument()
    assert not _is_wrapped(provider, method), "uninstrumented, the provider's SDK is still wrapped"


def _is_wrapped(provider: type, method: str) -> bool:
    # isinstance() says what a wrapper wraps.
    return type(inspect.getattr_static(provider, method)) is not types.FunctionType


# ---- OpenAI ------------------------------------------------------------------------------------------


@pytest.fixture
def openai_model(target: Target) -> str:
    """Return the name of a model that answers."""
    return openai_of(target).model


@pytest.fixture
def openai_client(target: Target) -> Iterator[OpenAI]:
    """Make a client of OpenAI's."""
    from openai import OpenAI

    with OpenAI(**openai_of(target).arguments()) as client:
        yield client


@pytest.fixture
def async_openai(target: Target) -> Callable[[], AsyncOpenAI]:
    """Make asynchronous clients, to be entered in the loop that uses them."""
    from openai import AsyncOpenAI

    return lambda: AsyncOpenAI(**openai_of(target).arguments())


@pytest.fixture
def openai_instrumentor() -> Iterator[OpenAIInstrumentor]:
    """Give the test the process's instrumentor of OpenAI's SDK."""
    from openai import OpenAI
    from openinference.instrumentation.openai import OpenAIInstrumentor

    with _unbound(OpenAIInstrumentor(), OpenAI, "request") as instrumentor:
        yield instrumentor


@pytest.fixture
def openai_traced(openai_instrumentor: OpenAIInstrumentor, tracer: HoneyHiveTracer) -> None:
    """Have OpenAI's SDK traced by the test's tracer."""
    openai_instrumentor.instrument(tracer_provider=tracer.provider)


# ---- Anthropic ---------------------------------------------------------------------------------------


@pytest.fixture
def anthropic_model(target: Target) -> str:
    """Return the name of a model that answers."""
    return anthropic_of(target).model


@pytest.fixture
def make_anthropic(target: Target) -> Iterator[Callable[..., Anthropic]]:
    """Make clients of Anthropic's: `make_anthropic(open_telemetry=False)` takes what `Anthropic` does."""
    from anthropic import Anthropic

    with contextlib.ExitStack() as clients:
        yield lambda **given: clients.enter_context(Anthropic(**anthropic_of(target).arguments(), **given))


@pytest.fixture
def anthropic_client(make_anthropic: Callable[..., Anthropic]) -> Anthropic:
    """Make a client of Anthropic's, as it is unless it is told otherwise."""
    return make_anthropic()


@pytest.fixture
def async_anthropic(target: Target) -> Callable[[], AsyncAnthropic]:
    """Make asynchronous clients, to be entered in the loop that uses them."""
    from anthropic import AsyncAnthropic

    return lambda: AsyncAnthropic(**anthropic_of(target).arguments())


@pytest.fixture
def anthropic_instrumentor() -> Iterator[AnthropicInstrumentor]:
    """Give the test the process's instrumentor of Anthropic's SDK."""
    from anthropic.resources.messages import Messages
    from openinference.instrumentation.anthropic import AnthropicInstrumentor

    with _unbound(AnthropicInstrumentor(), Messages, "create") as instrumentor:
        yield instrumentor


@pytest.fixture
def anthropic_traced(anthropic_instrumentor: AnthropicInstrumentor, tracer: HoneyHiveTracer) -> None:
    """Have Anthropic's SDK traced by the test's tracer."""
    anthropic_instrumentor.instrument(tracer_provider=tracer.provider)
