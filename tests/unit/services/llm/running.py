"""The real program, started as its users start it, and what its tests say to it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx

from environments.services.llm.http_errors import LlmError
from tests.unit.services import programs
from tests.unit.services.programs import WITHIN_S, command, first_line

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

COMMAND = command("llm")
started = partial(programs.started, "llm")
ANTHROPIC = {"x-api-key": "any", "anthropic-version": "2023-06-01"}
EXPLANATION = "This is a mock explanation. Rating: [[5]]"
DETERMINISTIC = "deterministic/default/default"

Body: TypeAlias = dict[str, Any]

PARAMETERS = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "days": {"type": "integer", "minimum": 2},
        "unit": {"type": "string", "enum": ["C", "F"]},
    },
    "required": ["city"],
}
ARGUMENTS = {"city": "city", "days": 2, "unit": "C"}


@dataclass(frozen=True)
class Llm:
    """A running service, and a client that holds a key."""

    url: str
    process: subprocess.Popen[str]
    http: httpx.Client

    def chat(self, said: object = "hello", **given: object) -> httpx.Response:
        """Ask for a chat completion."""
        return self.http.post("/v1/chat/completions", json=chat(said, **given))

    def respond(self, said: object = "hello", **given: object) -> httpx.Response:
        """Ask for a response."""
        return self.http.post("/v1/responses", json={"model": "plain", "input": said, **given})

    def message(self, said: object = "hello", *, path: str = "", **given: object) -> httpx.Response:
        """Ask for a message, as Anthropic's clients do."""
        limit = {} if path else {"max_tokens": 1000}
        body = {"model": "plain", "messages": [{"role": "user", "content": said}], **limit, **given}
        return self.http.post(f"/v1/messages{path}", json=body, headers=ANTHROPIC)


def chat(said: object = "hello", **given: object) -> Body:
    return {"model": "plain", "messages": [{"role": "user", "content": said}], **given}


def answered(response: httpx.Response) -> Body:
    """Return the body of an answer."""
    assert response.status_code == 200, response.text
    body: Body = response.json()
    return body


def events(response: httpx.Response) -> list[tuple[str | None, Any]]:
    """Return the events of a stream, with their names."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.text.endswith("\n\n")
    read = []
    for block in response.text.removesuffix("\n\n").split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n"))
        data = lines["data"]
        read.append((lines.get("event"), data if data == "[DONE]" else json.loads(data)))
    return read


def refused(response: httpx.Response) -> tuple[int, Body]:
    """Return status and error of an answer in OpenAI's error shape."""
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert response.headers["x-request-id"].startswith("req_")
    error: Body = body["error"]
    return response.status_code, error


def refused_by_anthropic(response: httpx.Response) -> tuple[int, Body]:
    """Return status and error of an answer in Anthropic's error shape."""
    body = response.json()
    assert set(body) == {"type", "error", "request_id"}
    assert body["type"] == "error"
    assert set(body["error"]) == {"type", "message"}
    assert response.headers["request-id"] == body["request_id"]
    error: Body = body["error"]
    return response.status_code, error


@contextmanager
def perhaps_refused(*statuses: int) -> Iterator[None]:
    """Let a pure function refuse its input, with one of these statuses and no other exception."""
    try:
        yield
    except LlmError as error:
        if error.status not in statuses:
            raise


@contextmanager
def supervised() -> Iterator[Llm]:
    """Start the service as a supervisor does."""
    with started("--config", "-", stdin='{"port": 0}') as process:
        url = json.loads(first_line(process))["url"]
        with httpx.Client(base_url=url, headers={"Authorization": "Bearer any"}, timeout=WITHIN_S) as http:
            yield Llm(url, process, http)
