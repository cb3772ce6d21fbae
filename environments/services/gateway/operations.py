"""The operations of the API as data: which are reads, what a read may ask, and what every request is called. Pure.

A template is all that the audit says of a path. Reads are listed in full because the `read-only` policy forwards
nothing else; writes are listed by name, so that a refused one can be named.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from environments.services.gateway import queries

if TYPE_CHECKING:
    from collections.abc import Callable

    from environments.services.http.json_types import JsonObject

    BodyCheck = Callable[[JsonObject], None]

Effect: TypeAlias = Literal["read", "write"]

# What an id is made of. A dot at its start could be a step up in the path; nothing that needs escaping is in here.
_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")
_PARAMETER = re.compile(r"\{\w+\}")

_LISTED = ("filters", "dateRange")
_AVERAGED = ("aggregate_function", "filters")
_COMPARED = ("event_name", "event_type", "filter", "limit", "page")

# Every read, and the names that its query may hold; a list is sent as `name[]=a&name[]=b`.
_READS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("GET /v1/charts", ()),
    ("GET /v1/charts/{chart_id}", ()),
    ("GET /v1/configurations", ("name", "env", "tags")),
    ("GET /v1/datapoints", ("datapoint_ids", "dataset_name")),
    ("GET /v1/datapoints/{datapoint_id}", ()),
    ("GET /v1/datasets", ("dataset_id", "name")),
    ("POST /v1/events/export", ()),
    ("GET /v1/events/schema", ("dateRange", "evaluation_id")),
    ("POST /v1/events/search", ()),
    ("GET /v1/events/{event_id}", ()),
    ("GET /v1/metrics", ("type", "id")),
    ("GET /v1/metrics/{metric_id}/versions", ()),
    ("GET /v1/projects/{project_id}/charts", ()),
    ("GET /v1/projects/{project_id}/charts/{chart_id}", ()),
    ("GET /v1/queues", ("enabled",)),
    ("GET /v1/queues/{queue_id}", ()),
    (
        "GET /v1/runs",
        ("dataset_id", "page", "limit", "run_ids", "name", "status", "dateRange", "sort_by", "sort_order"),
    ),
    ("GET /v1/runs/compare/events", ("run_id_1", "run_id_2", *_COMPARED)),
    ("GET /v1/runs/schema", ("dateRange",)),
    ("GET /v1/runs/{run_id}", ()),
    ("GET /v1/runs/{new_run_id}/compare-with/{old_run_id}", _AVERAGED),
    ("GET /v1/runs/{new_run_id}/compare/{old_run_id}", _AVERAGED),
    ("GET /v1/runs/{new_run_id}/compare/{old_run_id}/events", _COMPARED),
    ("GET /v1/runs/{run_id}/metrics", _LISTED),
    ("GET /v1/runs/{run_id}/result", _AVERAGED),
    ("GET /v1/runs/{run_id}/schema", ("dateRange",)),
    ("GET /v1/runs/{run_id}/summary", _AVERAGED),
)
_BODY_CHECKS = {"/v1/events/export": queries.check_export, "/v1/events/search": queries.check_search}

# Everything else that any release of the SDK can send.
_WRITES = (
    *("POST /events", "PUT /events", "POST /events/batch", "POST /events/model", "POST /events/model/batch"),
    *("POST /session/start", "POST /session/{session_id}/traces", "POST /opentelemetry/v1/traces"),
    *("POST /v1/charts", "PUT /v1/charts/{chart_id}", "DELETE /v1/charts/{chart_id}"),
    *("POST /v1/configurations", "PUT /v1/configurations/{config_id}", "DELETE /v1/configurations/{config_id}"),
    *("POST /v1/datapoints", "POST /v1/datapoints/batch"),
    *("PUT /v1/datapoints/{datapoint_id}", "DELETE /v1/datapoints/{datapoint_id}"),
    *("POST /v1/datasets", "PUT /v1/datasets", "DELETE /v1/datasets"),
    *("PUT /v1/datasets/{dataset_id}", "DELETE /v1/datasets/{dataset_id}", "POST /v1/datasets/{dataset_id}/datapoints"),
    *("DELETE /v1/datasets/{dataset_id}/{datapoint_id}", "DELETE /v1/datasets/{dataset_id}/datapoints/{datapoint_id}"),
    *("POST /v1/events", "POST /v1/events/batch", "PUT /v1/events/{event_id}"),
    *("POST /v1/metrics", "PUT /v1/metrics", "DELETE /v1/metrics", "PUT /v1/metrics/{metric_id}"),
    *("DELETE /v1/metrics/{metric_id}", "POST /v1/metrics/run", "POST /v1/metrics/run_metric"),
    *("POST /v1/metrics/{metric_id}/versions", "POST /v1/metrics/{metric_id}/versions/{version_name}/deploy"),
    *("POST /v1/projects/{project_id}/charts", "PATCH /v1/projects/{project_id}/charts/{chart_id}"),
    "DELETE /v1/projects/{project_id}/charts/{chart_id}",
    "POST /v1/projects/{project_id}/fine_grained_api_keys",
    "POST /v1/projects/{project_id}/ingestion_api_keys",
    *("POST /v1/queues", "PUT /v1/queues/{queue_id}", "DELETE /v1/queues/{queue_id}"),
    *("POST /v1/runs", "PUT /v1/runs/{run_id}", "DELETE /v1/runs/{run_id}"),
    *("POST /v1/sessions", "POST /v1/sessions/{session_id}/events/batch"),
)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API: `check` judges the body of a read that has one; None is a request without."""

    method: str
    template: str
    read: bool = False
    query: frozenset[str] = frozenset()
    check: BodyCheck | None = None

    @property
    def fixed(self) -> tuple[bool, ...]:
        """Which segments are words rather than parameters: `/v1/events/schema` is no event's id."""
        return tuple(not _PARAMETER.fullmatch(segment) for segment in self.template.split("/"))

    def fits(self, method: str, segments: list[str]) -> bool:
        """Tell whether a request of this method and path is this operation."""
        wanted = self.template.split("/")
        return (
            method == self.method
            and len(wanted) == len(segments)
            and all(
                sent == word if fixed else _ID.fullmatch(sent) is not None
                for word, sent, fixed in zip(wanted, segments, self.fixed, strict=True)
            )
        )


def _read(line: str, query: tuple[str, ...]) -> Operation:
    method, template = line.split()
    names = frozenset(query) | {f"{name}[]" for name in query}
    return Operation(method, template, read=True, query=names, check=_BODY_CHECKS.get(template))


def _write(line: str) -> Operation:
    method, template = line.split()
    return Operation(method, template)


# The more words and the earlier they stand, the sooner an operation is looked at.
OPERATIONS: tuple[Operation, ...] = tuple(
    sorted(
        (*(_read(line, query) for line, query in _READS), *map(_write, _WRITES)),
        key=lambda operation: operation.fixed,
        reverse=True,
    )
)
_WORDS = frozenset(
    segment
    for operation in OPERATIONS
    for segment, fixed in zip(operation.template.split("/"), operation.fixed, strict=True)
    if fixed
) | {"chat", "completions", "embeddings", "messages", "models", "responses", "sessions"}


def find(method: str, path: str) -> Operation | None:
    """Return the operation that this is exactly, or None."""
    segments = path.split("/")
    return next((operation for operation in OPERATIONS if operation.fits(method, segments)), None)


def effect_of(method: str, path: str) -> Effect:
    """Tell what a request is for the record; one that nobody knows is judged by its method."""
    operation = find(method, path)
    return "read" if (method == "GET" if operation is None else operation.read) else "write"


def template_of(method: str, path: str) -> str:
    """Name a path without what it carries; of one that is no operation's, the words of the API that are in it."""
    operation = find(method, path)
    if operation is not None:
        return operation.template
    segments = path.split("/")
    shown = [segment if segment in _WORDS else "{}" for segment in segments[:12]]
    return "/".join(shown) + ("/…" if len(segments) > len(shown) else "")
