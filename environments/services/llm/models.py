"""What a model's name says: the grammar by which a request chooses how it is answered, or how it is failed.

    deterministic/default/default   answers exactly `This is a mock explanation. Rating: [[5]]`, whatever is asked:
                                    the convention of HoneyHive's own stand-in
    fail/STATUS                     the error of that status (400 to 599); parameters: retry_after, times, after
    malformed                       an answer that is no JSON: a whole one is half there, a stream has an event that
                                    is; parameters: times, after
    cut                             the connection ends in the middle of the answer; parameters: times, after
    slow                            waits before it answers; parameters: first, between
    any other name                  answers as `answering` says

Parameters follow the name as in a URL: `fail/429?retry_after=2&times=1`.

    retry_after=SECONDS   the Retry-After header of the error
    times=N               only the first N attempts fail, as the SDKs count them in `x-stainless-retry-count`; so it is
                          the request that says, and a client that does not count is failed each time
    after=N               a stream has sent N events before its fault (of `fail`: it begins with 200 and has an error
                          event); without it `fail` answers with its status, `malformed` sends 2, `cut` 3
    first=SECONDS         how long the first byte is waited for (default 1, at most 60)
    between=SECONDS       how long each later event of a stream is waited for (default 0, at most 5)

A name that begins like one of these and does not fit is a model that does not exist: 404.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from environments.services.llm.http_errors import LlmError, invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

EXPLANATION = "This is a mock explanation. Rating: [[5]]"
DETERMINISTIC = "deterministic/default/default"
# What a list of models shows: each kind once, with a name that works.
LISTED = (
    DETERMINISTIC,
    "plain",
    "fail/401",
    "fail/429?retry_after=1",
    "fail/500",
    "fail/529",
    "malformed",
    "cut",
    "slow",
)

_MAX_NAME = 256
_LEAST_STATUS, _MOST_STATUS = 400, 599
_NUMBER = re.compile(r"[0-9]{1,4}(\.[0-9]{1,3})?")
_WHOLE = re.compile(r"[0-9]{1,4}")


class Fault(enum.Enum):
    """How an answer goes wrong."""

    FAIL = "fail"
    MALFORMED = "malformed"
    CUT = "cut"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a request is answered: what it says exactly, what goes wrong, how long it takes."""

    says: str | None = None
    fault: Fault | None = None
    status: int = 0
    retry_after: str | None = None
    times: int | None = None
    after: int | None = None
    first_s: float = 0
    between_s: float = 0

    def fault_at(self, attempt: int) -> Fault | None:
        """Return what goes wrong with this attempt, counted from 0."""
        return None if self.times is not None and attempt >= self.times else self.fault

    def error(self) -> LlmError:
        """Return the error that `fail` answers with."""
        headers = {} if self.retry_after is None else {"retry-after": self.retry_after}
        return LlmError(self.status, f"the model's name asks for a {self.status}", headers=headers)


ORDINARY = Behaviour()
_AFTER = {Fault.MALFORMED: 2, Fault.CUT: 3}
_PARAMETERS = {
    "fail": {"retry_after": _NUMBER, "times": _WHOLE, "after": _WHOLE},
    "malformed": {"times": _WHOLE, "after": _WHOLE},
    "cut": {"times": _WHOLE, "after": _WHOLE},
    "slow": {"first": _NUMBER, "between": _NUMBER},
    "deterministic": {},
}
_MOST = {"first": 60.0, "between": 5.0}


def parse(model: str) -> Behaviour:
    """Return how a model answers, or raise the 404 of a model that does not exist."""
    if not model or len(model) > _MAX_NAME:
        raise invalid(f"a model's name has 1 to {_MAX_NAME} characters", "model")
    name, _, query = model.partition("?")
    kind, _, rest = name.partition("/")
    if kind not in _PARAMETERS:
        return ORDINARY
    return _MAKERS[kind](model, rest, _parameters(model, kind, query))


def _parameters(model: str, kind: str, query: str) -> Mapping[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True)
    allowed = _PARAMETERS[kind]
    given = dict(pairs)
    fits = all(name in allowed and allowed[name].fullmatch(value) for name, value in pairs)
    within = fits and all(float(given[name]) <= most for name, most in _MOST.items() if name in given)
    if not within or len(given) != len(pairs) or bool(query) != bool(pairs):
        raise _unknown(model)
    return given


def _deterministic(model: str, _rest: str, _given: Mapping[str, str]) -> Behaviour:
    if model != DETERMINISTIC:
        raise _unknown(model)
    return Behaviour(says=EXPLANATION)


def _fail(model: str, rest: str, given: Mapping[str, str]) -> Behaviour:
    if not re.fullmatch(r"[0-9]{3}", rest) or not _LEAST_STATUS <= int(rest) <= _MOST_STATUS:
        raise _unknown(model)
    return Behaviour(
        fault=Fault.FAIL,
        status=int(rest),
        retry_after=given.get("retry_after"),
        times=_whole(given, "times"),
        after=_whole(given, "after"),
    )


def _broken(model: str, rest: str, given: Mapping[str, str]) -> Behaviour:
    kind = model.partition("?")[0]
    if rest or kind not in {Fault.MALFORMED.value, Fault.CUT.value}:
        raise _unknown(model)
    fault = Fault(kind)
    after = _whole(given, "after")
    return Behaviour(fault=fault, times=_whole(given, "times"), after=_AFTER[fault] if after is None else after)


def _slow(model: str, rest: str, given: Mapping[str, str]) -> Behaviour:
    if rest or model.startswith("slow/"):
        raise _unknown(model)
    return Behaviour(first_s=float(given.get("first", "1")), between_s=float(given.get("between", "0")))


_MAKERS = {"deterministic": _deterministic, "fail": _fail, "malformed": _broken, "cut": _broken, "slow": _slow}


def _whole(given: Mapping[str, str], name: str) -> int | None:
    return int(given[name]) if name in given else None


def _unknown(model: str) -> LlmError:
    grammar = "see environments/services/llm/models.py for the names that choose a behaviour"
    message = f"The model {model!r} does not exist: {grammar}"
    return LlmError(404, message, param="model", code="model_not_found")
