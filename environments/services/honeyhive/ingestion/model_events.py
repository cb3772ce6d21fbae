"""A model event, as `POST /events/model` takes it, into an event as every other. Pure.

The keys are those of the SDK's `ModelEvent`; where each goes is inferred from the public attribute registry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from environments.services.honeyhive.ingestion import chat
from environments.services.honeyhive.ingestion.nesting import as_object
from environments.services.http.json_types import countable

if TYPE_CHECKING:
    from environments.services.http.json_types import Json, JsonObject

_CONFIG = ("model", "model_version", "provider", "template", "tools", "tool_choice", "response_format")
_TOKENS = {
    "prompt_tokens": ("prompt_tokens", "input_tokens"),
    "completion_tokens": ("completion_tokens", "output_tokens"),
    "total_tokens": ("total_tokens",),
}
_MOVED = frozenset({*_CONFIG, "model_name", "messages", "response", "usage", "cost", "hyperparameters"})
_TEMPLATE_INPUTS = "template_inputs"


def as_event(sent: JsonObject) -> JsonObject:
    """Rewrite a model event as the event that `event.created` reads."""
    event = {name: value for name, value in sent.items() if name not in _MOVED and name != _TEMPLATE_INPUTS}
    given = {name: sent[name] for name in _CONFIG if sent.get(name) is not None}
    if "model" not in given and sent.get("model_name") is not None:
        given["model"] = sent["model_name"]
    event["config"] = _laid_under(sent.get("config"), {**as_object(sent.get("hyperparameters")), **given})
    event["inputs"] = _laid_under(sent.get("inputs"), _inputs(sent))
    event["outputs"] = _laid_under(sent.get("outputs"), _outputs(sent.get("response")))
    event["metadata"] = _laid_under(sent.get("metadata"), _metadata(sent))
    event["event_type"] = sent.get("event_type") or "model"
    event["event_name"] = sent.get("event_name") or given.get("model") or "model"
    return event


def _laid_under(own: Json, told: JsonObject) -> Json:
    # What is no object is left for the reader of events to refuse.
    return {**told, **own} if isinstance(own, dict) else told if own is None else own


def _inputs(sent: JsonObject) -> JsonObject:
    history = chat.messages(sent.get("messages"), "user")
    return {**as_object(sent.get(_TEMPLATE_INPUTS)), **({"chat_history": history} if history else {})}


def _outputs(response: Json) -> JsonObject:
    if response is None:
        return {}
    return response if isinstance(response, dict) else {"content": response}


def _metadata(sent: JsonObject) -> JsonObject:
    usage = as_object(sent.get("usage"))
    found: dict[str, Json] = {}
    for name, sources in _TOKENS.items():
        value = next((usage[source] for source in sources if usage.get(source) is not None), None)
        if value is not None:
            found[name] = value
    parts = [found.get("prompt_tokens"), found.get("completion_tokens")]
    numbers = [part for part in parts if countable(part)]
    if numbers and "total_tokens" not in found:
        found["total_tokens"] = sum(numbers)
    return {**found, **({"cost": sent["cost"]} if sent.get("cost") is not None else {})}
