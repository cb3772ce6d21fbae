"""Server-side metrics at work: which of them apply to what was just written, and their scores laid on those events.

It happens behind the answer, so a score appears a moment later; what waits when the process ends, however it does, is
scored at its next start.
Inferred: a metric applies to the events that its filters match, in runs always, outside of runs where it is enabled in
production, for its share of the events; it applies again when an event changes; one that needs ground truth waits for
it, on the event or on its session; the score is `metrics.<name>`, its reason `metrics.<name>_explanation`. Why a metric
gave no score stands in `metadata.metric_errors.<name>`.
"""

from __future__ import annotations

import hashlib
import logging
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from environments.services.honeyhive.events import filters
from environments.services.honeyhive.events.event import SESSION
from environments.services.honeyhive.ingestion.nesting import as_object
from environments.services.honeyhive.storage import metrics
from environments.services.http.json_types import Json, JsonObject, countable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from environments.services.honeyhive.evaluation.evaluators import Evaluators, Score
    from environments.services.honeyhive.storage.keys import Project
    from environments.services.honeyhive.storage.store import ProjectStore, Store
    from environments.services.honeyhive.storage.waiting import Waiting

_log = logging.getLogger(__name__)
_AT_ONCE = 2
_EXPLANATION = "_explanation"


class _Closing(Exception):
    """There is no time for the rest of what waits."""


class Scoring:
    """Scores what a store says waits. `resume` it once the projects are known, and `close` it before the store."""

    def __init__(self, store: Store, evaluators: Evaluators) -> None:
        self._store = store
        self._evaluators = evaluators
        self._workers = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="scoring")
        self._closing = threading.Event()
        store.tell(self._take)

    def resume(self, projects: Iterable[Project]) -> None:
        """Score what waited when the process ended that had the data before."""
        known = {project.id: project for project in projects}
        for waiting in self._store.waiting():
            if waiting.project_id in known:
                self._take(known[waiting.project_id], waiting)

    def close(self) -> None:
        """Finish the metric that is running. What waits is stored, and waits on."""
        self._closing.set()
        self._workers.shutdown(cancel_futures=True)

    def _take(self, project: Project, waiting: Waiting) -> None:
        with suppress(RuntimeError):  # it was closed just now
            self._workers.submit(self._score, project, waiting)

    def _score(self, project: Project, waiting: Waiting) -> None:
        try:
            self._apply_all(self._store.of(project), waiting.event_ids)
            self._store.forget(waiting)
        except _Closing:
            return
        except Exception:  # what cannot be scored now may be once the process, or the disk, is another
            _log.exception("scoring failed")

    def _apply_all(self, store: ProjectStore, event_ids: Sequence[str]) -> None:
        wanted = [each for each in store.metrics.listed() if each["type"] in metrics.RUN_BY_SERVER]
        # A composite is made of what the others gave.
        for metric in sorted(wanted, key=lambda each: each["type"] == metrics.COMPOSITE):
            self._apply(store, metric, event_ids)

    def _apply(self, store: ProjectStore, metric: JsonObject, event_ids: Sequence[str]) -> None:
        for event in _matching(store, metric, event_ids):
            if self._closing.is_set():
                raise _Closing
            event_id = str(event["event_id"])
            if not _is_due(metric, event):
                continue
            if metric["type"] == metrics.COMPOSITE:
                value = composed(metric, cast("JsonObject", event["metrics"]))
                if value is not None:
                    store.scored(event_id, {str(metric["name"]): value}, {})
                continue
            given = _with_ground_truth(store, event)
            if metric["needs_ground_truth"] and as_object(given["feedback"]).get("ground_truth") is None:
                continue
            score = self._evaluators.score(metric, given)
            store.scored(event_id, *_laid(str(metric["name"]), score, event))


def composed(metric: JsonObject, scores: JsonObject) -> float | None:
    """Weigh the scores of a COMPOSITE metric's parts; None until all of them are there."""
    total = weights = 0.0
    for child in cast("Sequence[JsonObject]", metric["child_metrics"] or ()):
        score, weight = scores.get(str(child.get("name"))), child.get("weight")
        if not countable(score) or not countable(weight):
            return None
        total, weights = total + score * weight, weights + weight
    value = total / weights if weights else math.inf
    return value if math.isfinite(value) else None


def _matching(store: ProjectStore, metric: JsonObject, event_ids: Sequence[str]) -> tuple[JsonObject, ...]:
    """Return which of these events a metric's filters match; of a session that changed, all of its events."""
    condition = filters.condition(cast("JsonObject", metric["filters"])["filterArray"], None)
    found = store.stored(filters.both(condition, filters.of_events(event_ids)))
    if not metric["needs_ground_truth"]:
        return found
    of_sessions = store.stored(filters.both(condition, filters.of_sessions(event_ids)))
    return tuple({str(event["event_id"]): event for event in (*found, *of_sessions)}.values())


def _is_due(metric: JsonObject, event: JsonObject) -> bool:
    if as_object(event["metadata"]).get("run_id") is not None:
        return True
    digest = hashlib.sha256(f"{metric['id']}:{event['event_id']}".encode()).digest()
    share = int.from_bytes(digest[:4], "big") / 2**32 * 100
    return bool(metric["enabled_in_prod"]) and share < cast("float", metric["sampling_percentage"])


def _with_ground_truth(store: ProjectStore, event: JsonObject) -> JsonObject:
    """Return an event with the ground truth of its session: that is where the SDK puts it."""
    feedback = as_object(event["feedback"])
    if feedback.get("ground_truth") is not None or event["event_type"] == SESSION:
        return event
    found = next(iter(store.stored(filters.of_events([str(event["session_id"])]))), None)
    truth = as_object(found["feedback"]).get("ground_truth") if found else None
    return event if truth is None else {**event, "feedback": {**feedback, "ground_truth": truth}}


def _laid(name: str, score: Score, event: JsonObject) -> tuple[JsonObject, JsonObject]:
    """Return what a score adds to the metrics and to the metadata of an event."""
    errors = as_object(as_object(event["metadata"]).get("metric_errors"))
    if score.error is not None:
        return {}, {"metric_errors": {**errors, name: score.error}}
    told: dict[str, Json] = {name: score.value}
    if score.explanation is not None:
        told[name + _EXPLANATION] = score.explanation
    if name not in errors:
        return told, {}
    return told, {"metric_errors": {other: error for other, error in errors.items() if other != name}}
