"""The server to compare with: the same HTTP stack, which parses each body and answers 200. It keeps nothing.

Of JSON, parsing makes every value an object of Python's. Of protobuf it makes none before one is asked for, so there
the echo costs little more than HTTP itself, and the ratio to it says what it costs to read and store at all.

A service as `environments.services.process` starts them, so both come up, and are asked, in the same way.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from typing import TYPE_CHECKING

import uvicorn
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from starlette.responses import Response

from environments.bench import wire
from environments.inside import lifeline
from environments.services.http import bodies

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Parse a body, and say that it was one."""
    body = await bodies.read(receive, bodies.DEFAULT_LIMIT)
    media_type = dict(scope["headers"]).get(b"content-type", b"").decode()
    if media_type == wire.PROTOBUF:
        ExportTraceServiceRequest.FromString(body)
    elif body:
        json.loads(body)
    await Response(b"" if media_type == wire.PROTOBUF else b"{}", media_type=media_type)(scope, receive, send)


def main() -> int:
    """Answer until told to stop."""
    lifeline.follow_from_environment()
    sys.stdin.readline()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        print(json.dumps({"url": f"http://127.0.0.1:{listener.getsockname()[1]}"}), flush=True)
        settings = uvicorn.Config(
            echo, http="h11", loop="asyncio", ws="none", lifespan="off", log_config=None, access_log=False
        )
        asyncio.run(uvicorn.Server(settings).serve(sockets=[listener]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
