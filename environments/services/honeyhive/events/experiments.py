"""What the events of experiment runs come to: scores per metric and per datapoint, and two runs compared. Pure.

The shapes are the public API's, as the SDK validates them (twice: `datapoints[].metrics` and `metrics.details` must be
lists). Inferred: a datapoint is a session of the run; it passes unless one of its scores lies outside of its metric's
range; percentiles interpolate; in a comparison a metric is known by its name alone, because two variants of a function
have two names, and more is better.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from environments.services.honeyhive.events.event import SESSION
from environments.services.http.json_types import countable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from environments.services.http.json_types import Json, JsonObject

_CLIENT_SIDE = "CLIENT_SIDE"
_SAME = 1e-9


def _percentile(share: float) -> Callable[[Sequence[float]], float]:
    def of(values: Sequence[float]) -> float:
        ordered = sorted(values)
        at = (len(ordered) - 1) * share
        low, high = math.floor(at), math.ceil(at)
        return ordered[low] + (ordered[high] - ordered[low]) * (at - low)

    return of


_AGGREGATES: Mapping[str, Callable[[Sequence[float]], float]] = {
    "average": lambda values: sum(values) / len(values),
    "min": min,
    "max": max,
    "median": statistics.median,
    "p95": _percentile(0.95),
    "p99": _percentile(0.99),
    "p90": _percentile(0.90),
    "sum": sum,
    "count": len,
}
AGGREGATE_FUNCTIONS = tuple(_AGGREGATES)


@dataclass(frozen=True, slots=True)
class Definition:
    """What is known of a metric: its kind, and what its score must be to pass."""

    kind: str
    threshold: JsonObject


@dataclass(frozen=True, slots=True)
class _Score:
    """One number on one event."""

    metric: str
    value: float
    event_name: str
    event_type: str
    datapoint: str
    session_id: str


@dataclass(frozen=True, slots=True)
class Experiment:
    """A run, the events that belong to it, and the metrics that its project defines."""

    run: JsonObject
    events: tuple[JsonObject, ...]
    definitions: Mapping[str, Definition]

    # ---- One run -------------------------------------------------------------------------------------

    def result(self, function: str) -> JsonObject:
        """Return the result of the run."""
        scores = tuple(self._scores())
        datapoints = [self._datapoint(session_id, scores) for session_id in self._datapoints()]
        passed = [_name(datapoint) for datapoint in datapoints if datapoint["passed"]]
        failed = [_name(datapoint) for datapoint in datapoints if not datapoint["passed"]]
        return {
            "status": self.run["status"],
            "success": not failed,
            "passed": passed,
            "failed": failed,
            "metrics": {"aggregation_function": function, "details": self._details(scores, function)},
            "datapoints": datapoints,
            "event_details": [{"event_name": name, "event_type": kind} for name, kind in sorted(self._kinds())],
            "run_object": self.run,
        }

    def scored_events(self) -> list[Json]:
        """Return the events that have metrics, with what names them and nothing else."""
        names = ("event_id", "event_name", "event_type", "session_id", "metadata", "metrics")
        return [{name: event[name] for name in names} for event in self.events if event["metrics"]]

    def _details(self, scores: Sequence[_Score], function: str) -> list[Json]:
        groups: dict[tuple[str, str, str], list[_Score]] = defaultdict(list)
        for score in scores:
            groups[score.metric, score.event_name, score.event_type].append(score)
        return [self._detail(*key, group, function) for key, group in sorted(groups.items())]

    def _detail(self, metric: str, name: str, kind: str, group: Sequence[_Score], function: str) -> JsonObject:
        verdicts = [(score.datapoint, self._passes(score)) for score in group]
        threshold = self._threshold(metric)
        detail: dict[str, Json] = {
            "metric_name": metric,
            "metric_type": self._kind(metric),
            "event_name": name,
            "event_type": kind,
            "aggregate": _AGGREGATES[function]([score.value for score in group]),
            "values": [score.value for score in group],
            "datapoints": {
                "passed": [datapoint for datapoint, passes in verdicts if passes is not False],
                "failed": [datapoint for datapoint, passes in verdicts if passes is False],
            },
        }
        ends = {end: threshold[end] for end in ("min", "max") if threshold.get(end) is not None}
        return {**detail, "passing_range": ends} if ends else detail

    def _datapoint(self, session_id: str, scores: Iterable[_Score]) -> JsonObject:
        own = [score for score in scores if score.session_id == session_id]
        metrics: list[Json] = [
            {
                "name": score.metric,
                "event_name": score.event_name,
                "event_type": score.event_type,
                "value": score.value,
                "passed": self._passes(score),
            }
            for score in own
        ]
        return {
            "datapoint_id": self._datapoints()[session_id],
            "session_id": session_id,
            "passed": all(self._passes(score) is not False for score in own),
            "metrics": metrics,
        }

    def _datapoints(self) -> Mapping[str, str | None]:
        """Return the datapoint of each session, in the order in which the sessions began."""
        found: dict[str, str | None] = {}
        for event in self.events:
            session_id = str(event["session_id"])
            named = cast("JsonObject", event["metadata"]).get("datapoint_id")
            found[session_id] = found.get(session_id) or (named if isinstance(named, str) else None)
        return found

    def _scores(self) -> Iterator[_Score]:
        datapoints = self._datapoints()
        for event in self.events:
            session_id = str(event["session_id"])
            for metric, value in cast("JsonObject", event["metrics"]).items():
                if isinstance(value, bool) or countable(
                    value
                ):  # true and false are 1 and 0; text and objects explain a score
                    named = datapoints[session_id] or session_id
                    name, kind = str(event["event_name"]), str(event["event_type"])
                    yield _Score(metric, float(value), name, kind, named, session_id)

    def _kind(self, metric: str) -> str:
        return self.definitions[metric].kind if metric in self.definitions else _CLIENT_SIDE

    def _threshold(self, metric: str) -> JsonObject:
        """Return the range that the run gives a metric, or the metric's own."""
        own = cast("JsonObject", self.run["passing_ranges"]).get(metric)
        if isinstance(own, dict):
            return own
        return self.definitions[metric].threshold if metric in self.definitions else {}

    def _passes(self, score: _Score) -> bool | None:
        """Return whether a score passes; None where nothing says."""
        threshold = self._threshold(score.metric)
        low, high, wanted = (threshold.get(name) for name in ("min", "max", "pass_when"))
        verdicts = [
            *([score.value >= low] if isinstance(low, int | float) else []),
            *([score.value <= high] if isinstance(high, int | float) else []),
            *([score.value == wanted] if isinstance(wanted, int | float) else []),
        ]
        return all(verdicts) if verdicts else None

    def _kinds(self) -> set[tuple[str, str]]:
        return {(str(event["event_name"]), str(event["event_type"])) for event in self.events}

    # ---- Two runs ------------------------------------------------------------------------------------

    def compared_with(self, old: Experiment, function: str) -> JsonObject:
        """Compare this run with an older one."""
        common = self._common(old)
        mine, theirs = self._by_metric(), old._by_metric()
        metrics = [
            self._comparison(metric, theirs.get(metric, ()), mine.get(metric, ()), common, function)
            for metric in sorted({*mine, *theirs})
        ]
        kinds, old_kinds = self._kinds(), old._kinds()
        details = [
            {
                "event_name": name,
                "event_type": kind,
                "presence": _presence(old=(name, kind) in old_kinds, new=(name, kind) in kinds),
            }
            for name, kind in sorted(kinds | old_kinds)
        ]
        return {
            "metrics": metrics,
            "commonDatapoints": common,
            "event_details": details,
            "old_run": old.run,
            "new_run": self.run,
        }

    def pairs_with(self, other: Experiment) -> list[Json]:
        """Return the events of both runs that answer one another: same datapoint, name and type, in order."""
        mine, theirs = self._keyed(), other._keyed()
        return [{"datapoint_id": key[0], "event_1": mine[key], "event_2": theirs[key]} for key in mine if key in theirs]

    def _keyed(self) -> dict[tuple[str, str, str, int], JsonObject]:
        datapoints = self._datapoints()
        found: dict[tuple[str, str, str, int], JsonObject] = {}
        counts: dict[tuple[str, str, str], int] = defaultdict(int)
        for event in self.events:
            datapoint = datapoints[str(event["session_id"])]
            if datapoint is not None:
                kind = str(event["event_type"])
                # A session is named after its run.
                key = (datapoint, "" if kind == SESSION else str(event["event_name"]), kind)
                found[*key, counts[key]] = event
                counts[key] += 1
        return found

    def _common(self, old: Experiment) -> list[str]:
        theirs = set(old._datapoints().values())
        # A datapoint may have been run several times.
        mine = dict.fromkeys(each for each in self._datapoints().values() if each is not None and each in theirs)
        return list(mine)

    def _by_metric(self) -> Mapping[str, list[_Score]]:
        groups: dict[str, list[_Score]] = defaultdict(list)
        for score in self._scores():
            groups[score.metric].append(score)
        return groups

    def _comparison(
        self, metric: str, old: Sequence[_Score], new: Sequence[_Score], common: Sequence[str], function: str
    ) -> JsonObject:
        before, after = _aggregate(old, function), _aggregate(new, function)
        old_by, new_by = _by_datapoint(old), _by_datapoint(new)
        found = [datapoint for datapoint in common if datapoint in old_by and datapoint in new_by]
        changes: dict[str, list[str]] = {"improved": [], "degraded": [], "same": []}
        for datapoint in found:
            changes[_change(old_by[datapoint], new_by[datapoint])].append(datapoint)
        shown = (new or old)[0]
        comparison: dict[str, Json] = {
            "metric_name": metric,
            "metric_type": self._kind(metric),
            "event_name": shown.event_name,
            "event_type": shown.event_type,
            "old_aggregate": before,
            "new_aggregate": after,
            "difference": None if before is None or after is None else after - before,
            "percentage_change": _percentage(before, after),
            "found_count": len(found),
            "old_values": [old_by[datapoint] for datapoint in found],
            "new_values": [new_by[datapoint] for datapoint in found],
        }
        counts: dict[str, Json] = {f"{change}_count": len(which) for change, which in changes.items()}
        return {**comparison, **counts, **changes}


def _aggregate(scores: Sequence[_Score], function: str) -> float | None:
    return _AGGREGATES[function]([score.value for score in scores]) if scores else None


def _percentage(before: float | None, after: float | None) -> float | None:
    if not before or after is None:
        return None
    percentage = (after - before) / abs(before) * 100
    return percentage if math.isfinite(percentage) else None


def _by_datapoint(scores: Iterable[_Score]) -> Mapping[str, float]:
    """Return the score of each datapoint: the mean, where several of its events have one."""
    groups: dict[str, list[float]] = defaultdict(list)
    for score in scores:
        groups[score.datapoint].append(score.value)
    return {datapoint: sum(values) / len(values) for datapoint, values in groups.items()}


def _change(old: float, new: float) -> str:
    if math.isclose(old, new, rel_tol=_SAME, abs_tol=_SAME):
        return "same"
    return "improved" if new > old else "degraded"


def _presence(*, old: bool, new: bool) -> str:
    return "both" if old and new else "new" if new else "old"


def _name(datapoint: JsonObject) -> Json:
    return datapoint["datapoint_id"] or datapoint["session_id"]
