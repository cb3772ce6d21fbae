"""The status document: what tests cannot see themselves, because they see the gateway and not what is behind it.

No real key is used for it: the upstream is asked once, with a wrong one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from environments.services.gateway.placeholders import PREFIXES, prefix_of
from environments.services.gateway.requests import Forward
from environments.services.http.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from environments.services.gateway.placeholders import Kind, Placeholders
    from environments.services.gateway.policy import Policy
    from environments.services.gateway.upstream import Answer, Upstream
    from environments.services.http.json_types import Json

_ASKED = "/v1/configurations"
_WITHIN_S = 10.0
_SHOWN = 2000
_SECONDS_A_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Asked:
    """The upstream's answer to a wrong key, and when it was asked and answered."""

    answer: Answer
    began: float
    ended: float


async def document(policy: Policy, placeholders: Placeholders, upstream: Upstream) -> Mapping[str, Json]:
    """Ask the upstream, and say what is known of it and of the keys to it."""
    told: dict[str, Json] = {
        "upstream": str(upstream.address),
        "policy": policy.value,
        "keys": {kind.value: _key(kind, placeholders.real(kind)) for kind in placeholders.kinds},
    }
    try:
        asked = await _ask(placeholders, upstream)
    except ApiError as error:
        return {**told, "reachable": False, "problem": error.message}
    return {
        **told,
        "reachable": True,
        "tls": _tls(upstream),
        "clock_skew_s": clock_skew_s(asked.answer.date, asked.began, asked.ended),
        "wrong_key": {
            "status": asked.answer.status,
            "body": asked.answer.body[:_SHOWN].decode(errors="replace"),
            "ms": round((asked.ended - asked.began) * 1000),
        },
    }


async def _ask(placeholders: Placeholders, upstream: Upstream) -> Asked:
    began = time.time()
    wrong = ("authorization", f"Bearer {placeholders.wrong('')}")
    answer = await upstream.answered(Forward("GET", _ASKED, {"accept": "application/json"}, b""), wrong, _WITHIN_S)
    return Asked(answer, began, time.time())


def _key(kind: Kind, key: str) -> Mapping[str, Json]:
    """Say of a key how it begins, which is no secret, and whether that is how keys of its kind begin."""
    return {"begins_with": prefix_of(key), "as_expected": prefix_of(key) == PREFIXES[kind]}


def _tls(upstream: Upstream) -> Mapping[str, Json] | None:
    if upstream.tls is None:
        return None
    left_s = (upstream.tls.expires - datetime.now(UTC)).total_seconds()
    return {
        "version": upstream.tls.version,
        "certificate_expires": upstream.tls.expires.isoformat(),
        "days_left": int(left_s // _SECONDS_A_DAY),
    }


def clock_skew_s(date: str, began: float, ended: float) -> float | None:
    """Return how far the upstream's clock is ahead of ours: 0 where its `Date` fits, which counts whole seconds."""
    try:
        theirs = parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
    if theirs > ended:
        return round(theirs - ended, 3)
    return round(min(0.0, theirs + 1 - began), 3)
