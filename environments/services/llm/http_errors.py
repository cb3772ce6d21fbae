"""Errors, in the shapes of the two families.

OpenAI's `{"error": {"message", "type", "param", "code"}}` and Anthropic's `{"type": "error", "error": {"type",
"message"}, "request_id"}`; which type belongs to which status is from their public error references.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from environments.services.http.json_types import JsonObject

_SERVER_ERROR = 500
_OPENAI_TYPES = {429: "requests"}
_OPENAI_CODES = {401: "invalid_api_key", 429: "rate_limit_exceeded"}
_ANTHROPIC_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class LlmError(Exception):
    """A request that is not answered as asked: its status, a message, which part of the request it is about."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.headers = dict(headers or {})


def invalid(message: str, param: str | None = None, code: str | None = None) -> LlmError:
    """Say what is wrong with the request, and where."""
    return LlmError(400, message, param=param, code=code)


def not_built(what: str) -> LlmError:
    """Say that the real service has this and this one has not. The SDKs try a 5xx again, unless they are told."""
    return LlmError(501, f"{what} is not built in this service", headers={"x-should-retry": "false"})


@dataclass(frozen=True, slots=True)
class Family:
    """One of the two families: how it writes an error, and the header that it names a request in."""

    request_id_header: str
    error_body: Callable[[LlmError, str], JsonObject]


def openai_error(error: LlmError) -> JsonObject:
    """Write what stands under `error` in OpenAI's shape."""
    default = "server_error" if error.status >= _SERVER_ERROR else "invalid_request_error"
    return {
        "message": error.message,
        "type": _OPENAI_TYPES.get(error.status, default),
        "param": error.param,
        "code": error.code or _OPENAI_CODES.get(error.status),
    }


def _openai_body(error: LlmError, _request_id: str) -> JsonObject:
    return {"error": openai_error(error)}


def anthropic_error(error: LlmError) -> JsonObject:
    """Write what stands under `error` in Anthropic's shape."""
    default = "api_error" if error.status >= _SERVER_ERROR else "invalid_request_error"
    return {"type": _ANTHROPIC_TYPES.get(error.status, default), "message": error.message}


def _anthropic_body(error: LlmError, request_id: str) -> JsonObject:
    return {"type": "error", "error": anthropic_error(error), "request_id": request_id}


OPENAI = Family("x-request-id", _openai_body)
ANTHROPIC = Family("request-id", _anthropic_body)
