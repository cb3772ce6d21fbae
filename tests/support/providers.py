"""Where models are called: the one place that says under which URL, with which key, and by which name.

Today that is the environment's own LLM service, for which any key and any name will do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support.eventually import eventually

if TYPE_CHECKING:
    from environments.inside.target import Target
    from tests.support.server import Event, Server

# Known to nobody: whoever forwards a call to a real provider puts the real key in its place.
_ANY_KEY = "placeholder"


@dataclass(frozen=True)
class Provider:
    """How a provider is reached, and a model of it that answers. `base_url` is what its SDK calls so."""

    base_url: str
    model: str
    api_key: str = field(default=_ANY_KEY, repr=False)

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the client, without which it talks to the real provider."""
        return {"base_url": self.base_url, "api_key": self.api_key}


def openai_of(target: Target) -> Provider:
    """Return where OpenAI's models are. For tests marked `needs("llm")`."""
    return Provider(f"{_llm_url(target)}/v1", "gpt-of-the-house")


def anthropic_of(target: Target) -> Provider:
    """Return where Anthropic's models are. For tests marked `needs("llm")`."""
    return Provider(_llm_url(target), "claude-of-the-house")


def _llm_url(target: Target) -> str:
    assert target.llm_url is not None, 'mark this test @pytest.mark.needs("llm")'
    return target.llm_url


def instrumented_calls(server: Server, session_id: str | None, number: int) -> list[Event]:
    """Wait until a session has as many events of OpenInference's, and return them; more than that fail at once."""
    __tracebackhide__ = True

    def found() -> list[Event]:
        held = server.children(str(session_id))
        calls = [event for event in held if event["metadata"].get("instrumentor") == "openinference"]
        assert len(calls) >= number, f"session {session_id} has {len(calls)} calls of models, not {number}"
        return calls

    calls = eventually(found)
    if len(calls) > number:
        raise RuntimeError(f"session {session_id} has {len(calls)} calls of models, not {number}")
    return calls
