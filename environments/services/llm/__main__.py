"""The command line: for a person `--port`, for a supervisor `--config -`.

For a supervisor: one line of JSON on stdin, `{"port": 0}` (which may be left out), one line on stdout when it answers:
`{"url": "..."}`.
"""

from __future__ import annotations

import argparse
import json
import sys

from environments.errors import UsageError, exit_on_error
from environments.inside import lifeline

_MAX_PORT = 65535


@exit_on_error
def main() -> int:
    """Serve until told to stop."""
    lifeline.follow_from_environment()
    arguments = _parser().parse_args()
    for_supervisor = arguments.config is not None
    port = _configured(sys.stdin.readline()) if for_supervisor else arguments.port
    # Heavy, and so after everything that can go wrong without it.
    from environments.services.llm.server import Config, serve

    serve(Config(port), _told if for_supervisor else _shown)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m environments.services.llm",
        description="Serve an OpenAI- and Anthropic-compatible API on 127.0.0.1.",
    )
    parser.add_argument("--port", type=_port, default=0, help="port to listen on (default: a free one)")
    parser.add_argument("--config", choices=["-"], help="read everything from one line of JSON on stdin")
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= _MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text} is no port: expected 0 to {_MAX_PORT}")
    return port


def _configured(line: str) -> int:
    try:
        sent = json.loads(line)
        fits = isinstance(sent, dict) and sent.keys() <= {"port"}
        port = _port(str(sent.get("port", 0))) if fits else -1
    except (ValueError, argparse.ArgumentTypeError):
        port = -1
    if port < 0:
        raise UsageError(
            "the configuration on stdin is not what is expected",
            expected='one line of JSON: {"port": 0}',
            remedy="see the head of environments/services/llm/__main__.py",
        )
    return port


def _shown(url: str) -> None:
    print(f"LLM service ready at {url}/v1  key: any", flush=True)


def _told(url: str) -> None:
    print(json.dumps({"url": url}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
