"""The sums that HoneyHive keeps on a session: events, model events, cost, tokens, feedback. Pure.

The names are the public attribute registry's. They are computed when a session is read, so they are never behind; a
cost or a token count that the session's own metadata has wins over the sum. Inferred: the session itself is not
counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from environments.services.http.json_types import MAX_COUNTED, countable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from environments.services.http.json_types import Json, JsonObject

SUMS = ("cost", "total_tokens", "prompt_tokens", "completion_tokens")

_NUMBER = (
    "CASE WHEN json_type(body, '$.metadata.{0}') IN ('integer', 'real')"
    f" AND body ->> '$.metadata.{{0}}' BETWEEN {-MAX_COUNTED:f} AND {MAX_COUNTED:f}"
    " THEN body ->> '$.metadata.{0}' END"
)
HAS_FEEDBACK = "coalesce(body -> '$.feedback', '{}') <> '{}'"
# What each sum is in SQL, over the rows of a session's events.
AGGREGATES = {
    "num_events": "count(*)",
    "num_model_events": "coalesce(sum(event_type = 'model'), 0)",
    "has_feedback": f"coalesce(max({HAS_FEEDBACK}), 0)",
    **{name: f"coalesce(sum({_NUMBER.format(name)}), 0)" for name in SUMS},
}


@dataclass(frozen=True, slots=True)
class Rollup:
    """What a session's events come to."""

    num_events: int = 0
    num_model_events: int = 0
    has_feedback: bool = False
    sums: Mapping[str, float] | None = None

    @classmethod
    def of(cls, events: Iterable[JsonObject]) -> Rollup:
        """Sum up a session's events, without its own."""
        events = tuple(events)
        return cls(
            len(events),
            sum(event["event_type"] == "model" for event in events),
            any(event["feedback"] for event in events),
            {name: sum(_number(event, name) for event in events) for name in SUMS},
        )

    def on(self, session: JsonObject) -> JsonObject:
        """Return a session with these sums in its metadata."""
        metadata: dict[str, Json] = {
            **(self.sums or dict.fromkeys(SUMS, 0)),
            **cast("JsonObject", session["metadata"]),
            "num_events": self.num_events,
            "num_model_events": self.num_model_events,
            "has_feedback": self.has_feedback or bool(session["feedback"]),
        }
        return {**session, "metadata": metadata}


def _number(event: JsonObject, name: str) -> float:
    value: Json = cast("JsonObject", event["metadata"]).get(name)
    return value if countable(value) else 0
