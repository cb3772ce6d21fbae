"""What the records of a mutated SDK come to: who caught it, and the table of all. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from environments.errors import NoEvidence
from environments.results.record import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from environments.detection.mutation import Mutation

_SHOWN = 3
# Likely tests may not apply to the release that is mutated.
_NOTHING_RED = frozenset({Outcome.PASSED, Outcome.NO_TESTS})
_BAD = frozenset({"failed", "error", "unexpected-pass"})


@dataclass(frozen=True)
class Catch:
    """A test that failed because of a mutation, and the first line of what it said."""

    test: str
    said: str


@dataclass(frozen=True)
class Verdict:
    """What the suite made of one mutation. No catch: nothing noticed it, and a test is missing."""

    id: str
    sees: str
    caught_by: tuple[Catch, ...]
    seconds: float
    # Why nothing can be said of it.
    failure: str = ""

    @property
    def caught(self) -> bool:
        return bool(self.caught_by)


def catches(record: Mapping[str, Any]) -> tuple[Catch, ...]:
    """Return what in the record of a mutated SDK's cell went red, because of the mutation.

    Raises NoEvidence where the cell ended for a reason of its own, and where the SDK cannot be imported: that would be
    caught by anything, and shows nothing.
    """
    bad = [test for test in record["tests"] if test["outcome"] in _BAD]
    if bad and not record["sdk"]["origin"]:
        raise NoEvidence(
            f"the SDK cannot be imported: {_first_line(bad[0]['reason'])}",
            remedy="correct the mutation: the module that it changes must still load",
        )
    found = [Catch(test["id"], _first_line(test["reason"])) for test in bad]
    # What leaves the cell turns it red too, whatever the test itself thought.
    found += [
        Catch(breach["test"].rpartition(" (")[0] or breach["test"], f"breach of the fence: {breach['what']}")
        for breach in record["breaches"]
    ]
    if not found and record["outcome"] == Outcome.TIMED_OUT:  # it hangs where the control did not
        found = [Catch("the cell's time limit", record["reason"])]
    if not found and record["outcome"] not in _NOTHING_RED:
        raise NoEvidence(f"its cell is {record['outcome']}: {record['reason']}", remedy="see the cell's log.txt")
    return tuple({catch.test: catch for catch in reversed(found)}.values())[::-1]


def table(verdicts: Sequence[Verdict]) -> list[str]:
    """Return each mutation with what caught it, and the share caught, as lines of text."""
    width = max((len(verdict.id) for verdict in verdicts), default=0)
    lines = [f"  {verdict.id:{width}}  {_caught_by(verdict)}" for verdict in verdicts]
    caught = sum(verdict.caught for verdict in verdicts)
    return [*lines, f"caught: {caught} of {len(verdicts)} mutations"]


def to_json(version: str, verdicts: Sequence[Verdict], left_out: Iterable[Mutation]) -> str:
    """Return the text of detection.json."""
    written = {
        "schema": 1,
        "sdk": version,
        "caught": sum(verdict.caught for verdict in verdicts),
        "of": len(verdicts),
        "mutations": [asdict(verdict) for verdict in verdicts],
        "not_applicable": [mutation.id for mutation in left_out],
    }
    return json.dumps(written, indent=1, ensure_ascii=False) + "\n"


def _caught_by(verdict: Verdict) -> str:
    if verdict.failure:
        return f"NOTHING TO SAY: {verdict.failure}"
    if not verdict.caught:
        return f"NOT CAUGHT: {verdict.sees}"
    names = [catch.test for catch in verdict.caught_by]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _first_line(text: str) -> str:
    return next(iter(text.splitlines()), "")
