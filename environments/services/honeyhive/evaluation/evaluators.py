"""Running a metric on an event: PYTHON in a process of its own, LLM by asking a model.

Inferred: PYTHON criteria define a function of the event, or leave `result`; LLM criteria are a prompt in which
`{{inputs.question}}` stands for what the event has there, and the answer says `[[5]]` (HoneyHive's own stand-in for a
model answers `Rating: [[5]]`).
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from environments.services.honeyhive.storage import metrics
from environments.services.http import bodies
from environments.services.http.errors import ApiError
from environments.services.http.json_types import Json, JsonObject, dump

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SANDBOX = Path(__file__).with_name("sandbox.py")
_DEFAULT_MODEL = "deterministic/default/default"
_LLM_WITHIN_S = 30
_PLACEHOLDER = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}")
_RATING = re.compile(r"\[\[\s*([^\[\]]+?)\s*\]\]")
_WORDS = {"true": True, "yes": True, "false": False, "no": False}
_MAX_TEXT = 10_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What one PYTHON metric may use. Python itself takes some 30 MB of the memory."""

    cpu_s: int = 2
    wall_s: int = 5
    memory_bytes: int = 256 * 1024 * 1024
    output_bytes: int = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Score:
    """What a metric says of an event; or why it says nothing."""

    value: str | float | bool | None = None
    explanation: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Evaluators:
    """How metrics are run here."""

    llm_url: str | None = None
    limits: Limits = Limits()

    def score(self, metric: JsonObject, event: JsonObject) -> Score:
        """Run a metric on an event. It never raises: what went wrong is the score's error."""
        run = _KINDS.get(str(metric["type"]))
        if run is None:
            return Score(error=f"a {metric['type']} metric is not run by a server")
        score = run(self, metric, event)
        return score if score.error else _typed(score, str(metric["return_type"]))

    def python(self, metric: JsonObject, event: JsonObject) -> Score:
        """Run a PYTHON metric."""
        limits = {name: getattr(self.limits, name) for name in Limits.__slots__}
        job = {"name": metric["name"], "code": metric["criteria"], "event": event, "limits": limits}
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_SANDBOX)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
        )
        try:
            told, _ = process.communicate(dump(job).encode(), timeout=self.limits.wall_s + 1)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return Score(error=f"it took longer than {self.limits.wall_s} s")
        if not told:
            return Score(error=f"it was stopped: {_HOW.get(-process.returncode, f'status {process.returncode}')}")
        try:
            return _outcome(bodies.parse_object(told))
        except ApiError as error:
            return Score(error=f"its result cannot be stored: {error.message}")

    def llm(self, metric: JsonObject, event: JsonObject) -> Score:
        """Run an LLM metric."""
        if self.llm_url is None:
            return Score(error="this service was started without an LLM service (llm_url), so LLM metrics do not run")
        import httpx

        prompt = rendered(str(metric["criteria"]), event)
        asked = {
            "model": metric.get("model_name") or _DEFAULT_MODEL,
            "messages": [{"role": "user", "content": prompt}],
            "temperature": 0,
        }
        try:
            # A proxy of the machine's has no business with a service of ours.
            with httpx.Client(trust_env=False, timeout=_LLM_WITHIN_S) as http:
                url = f"{self.llm_url.rstrip('/')}/chat/completions"
                answer = http.post(url, json=asked, headers={"Authorization": "Bearer local"})
            answer.raise_for_status()
            text = cast("Any", bodies.parse(answer.content))["choices"][0]["message"]["content"]
        except (httpx.HTTPError, ApiError, KeyError, IndexError, TypeError) as error:
            return Score(
                error=f"the LLM service did not answer as expected: {type(error).__name__}: {error}"[:_MAX_TEXT]
            )
        return rated(str(text))


_KINDS: Mapping[str, Callable[[Evaluators, JsonObject, JsonObject], Score]] = {
    metrics.PYTHON: Evaluators.python,
    metrics.LLM: Evaluators.llm,
}
_HOW = {9: "it took more CPU time than it may", 24: "it took more CPU time than it may", 14: "it took too long"}


def rendered(template: str, event: JsonObject) -> str:
    """Fill a prompt's placeholders from an event; one that the event has nothing for is filled with nothing."""

    def value(match: re.Match[str]) -> str:
        found: Json = event
        for part in match[1].split("."):
            found = found.get(part) if isinstance(found, dict) else None
        return "" if found is None else found if isinstance(found, str) else dump(found)

    return _PLACEHOLDER.sub(value, template)


def rated(text: str) -> Score:
    """Read the rating in a model's answer; the last one, where it weighs several."""
    ratings = _RATING.findall(text)
    if not ratings:
        return Score(error=f"the model's answer has no rating like [[5]]: {text}"[:_MAX_TEXT])
    return Score(_scalar(ratings[-1]), text[:_MAX_TEXT])


def _scalar(text: str) -> str | float | bool:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        number = float(text)
    except ValueError:
        return text
    return number if abs(number) < float("inf") else text


def _outcome(told: JsonObject) -> Score:
    if told.get("error") is not None:
        return Score(error=str(told["error"]))
    value, explanation = told.get("value"), None
    if isinstance(value, dict):
        explanation = value.get("explanation")
        value = value.get("score", value.get("result"))
    if not isinstance(value, str | int | float):
        return Score(error=f"it returned no number, text, true or false, but {type(value).__name__}")
    return Score(value, None if explanation is None else str(explanation)[:_MAX_TEXT])


def _typed(score: Score, wanted: str) -> Score:
    """Return a score of the type that its metric declares, or say that it is none."""
    value = score.value
    if wanted in {"string", "categorical"}:
        text = value if isinstance(value, str) else dump(value)
        return Score(text[:_MAX_TEXT], score.explanation)
    if isinstance(value, str):
        value = _scalar(value)
    if isinstance(value, str) or value is None:
        return Score(error=f"its result is no {wanted}: {score.value!r}"[:_MAX_TEXT])
    return Score(
        bool(value) if wanted == "boolean" else value if not isinstance(value, bool) else int(value), score.explanation
    )
