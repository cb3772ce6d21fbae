"""The one error body of the API, `{"message": ..., "errorCode": ...}`, and what foreign exceptions become.

Release 1.7 of the SDK shows both keys in its exception; earlier releases show the status alone.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from starlette.responses import Response

from environments.services.http.json_types import dump

if TYPE_CHECKING:
    from collections.abc import Mapping

_CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    408: "REQUEST_TIMEOUT",
    409: "CONFLICT",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    429: "TOO_MANY_REQUESTS",
    500: "INTERNAL_ERROR",
    501: "NOT_IMPLEMENTED",
    502: "BAD_GATEWAY",
    503: "UNAVAILABLE",
    504: "GATEWAY_TIMEOUT",
}


class ApiError(Exception):
    """A request that cannot be answered as asked: its status, and a message for whoever sent it."""

    def __init__(self, status: int, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers


def bad_request(message: str) -> ApiError:
    """Say what is wrong with the request."""
    return ApiError(400, message)


def not_found(what: str) -> ApiError:
    """Say what does not exist, or belongs to another project: the two are not told apart."""
    return ApiError(404, f"{what} not found")


def translated(error: Exception) -> ApiError | None:
    """Turn what storage raises into an answer; None for what is no condition but a defect."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, sqlite3.OperationalError) or type(error) is sqlite3.DatabaseError:
        # The disk is full, read-only or failing, or the file is damaged: the name says which where the text doesn't.
        name = getattr(error, "sqlite_errorname", "")
        return ApiError(503, f"storage is unavailable: {error}" + (f" ({name})" if name else ""))
    return None


def error_response(error: ApiError) -> Response:
    """Write an error in the API's shape."""
    body = {"message": error.message, "errorCode": _CODES[error.status]}
    return Response(dump(body), error.status, dict(error.headers or {}), "application/json")
