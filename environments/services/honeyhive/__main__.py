"""The command line: options for a person (`--help` lists them), `--config -` for a supervisor.

For a supervisor: one line of JSON on stdin, `{"port": 0, "data_dir": "...", "projects": [{"name": "p", "keys":
["k"]}]}`, one line on stdout when it answers: `{"url": "..."}`. All but `projects` is optional; so are
`max_body_bytes`, `ingestion_lag_ms`, `"page": true`, `llm_url`, `llm_port` and `"control": {"token": "..."}`, of which
the last two bring their addresses into the answer, as `llm_url` and `control_url`.
Keys travel by stdin because a command line can be read by anyone on the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import signal
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from environments import lineage
from environments.errors import UsageError, exit_on_error
from environments.inside import lifeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from environments.services.honeyhive.server import Config, Ready

_KEY_PREFIX = "hh_"
_CONFIG_KEYS = frozenset(
    {"port", "data_dir", "projects", "max_body_bytes", "ingestion_lag_ms", "control", "llm_url", "llm_port", "page"}
)
_NUMBERS = {"max_body_bytes": "body_limit", "ingestion_lag_ms": "lag_ms", "llm_port": "llm_port"}
_MAX_PORT = 65535


@exit_on_error
def main() -> int:
    """Serve until told to stop."""
    lifeline.follow_from_environment()
    arguments = _parser().parse_args()
    # Heavy, and so after everything that can go wrong without it.
    from environments.services.honeyhive.server import serve

    config, ready = _for_supervisor() if arguments.config else _for_person(arguments)
    if lineage.ROOT_VARIABLE in os.environ and not arguments.config:
        threading.Thread(target=_end_with_nox, daemon=True).start()
    serve(config, ready)
    return 0


def _end_with_nox() -> None:
    """Wait for the death of the nox that this was started by: one that is killed tells nobody."""
    asyncio.run(lineage.starter_gone())
    os.kill(os.getpid(), signal.SIGTERM)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m environments.services.honeyhive", description="Serve a HoneyHive-compatible API on 127.0.0.1."
    )
    parser.add_argument("--port", type=_port, default=0, help="port to listen on (default: a free one)")
    parser.add_argument("--api-key", metavar="KEY", help="key to accept (default: a new one)")
    parser.add_argument("--project", metavar="NAME", default="development", help="its project (default: %(default)s)")
    parser.add_argument("--data-dir", metavar="FOLDER", type=Path, help="keep data here (default: nowhere)")
    parser.add_argument(
        "--llm-port", type=_port, metavar="PORT", help="serve the LLM service beside it (default: don't)"
    )
    parser.add_argument(
        "--control-token", metavar="TOKEN", help="open a port to mint projects and keys, and to set lag"
    )
    parser.add_argument(
        "--llm-url", metavar="URL", help="OpenAI-compatible base URL for LLM metrics (default: that of --llm-port)"
    )
    parser.add_argument("--config", choices=["-"], help="read everything from one line of JSON on stdin")
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= _MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text} is no port: expected 0 to {_MAX_PORT}")
    return port


def _for_person(arguments: argparse.Namespace) -> tuple[Config, Callable[[Ready], None]]:
    from environments.services.honeyhive.server import Config

    key = arguments.api_key or _KEY_PREFIX + secrets.token_urlsafe(24)
    project = arguments.project

    def ready(told: Ready) -> None:
        control = f"  control: {told.control_url}" if told.control_url else ""
        print(f"HoneyHive-compatible service ready at {told.url}  key: {key}  project: {project}{control}", flush=True)
        if told.llm_url:
            print(f"LLM service ready at {told.llm_url}/v1  key: any", flush=True)

    return Config(
        ((project, (key,)),),
        arguments.port,
        arguments.data_dir,
        control_token=arguments.control_token or "",
        llm_port=arguments.llm_port,
        llm_url=arguments.llm_url,
        with_page=True,
    ), ready


def _for_supervisor() -> tuple[Config, Callable[[Ready], None]]:
    return _config(sys.stdin.readline()), _tell


def _tell(told: Ready) -> None:
    print(json.dumps({name: url for name, url in asdict(told).items() if url}), flush=True)


def _config(line: str) -> Config:
    """Read the supervisor's line. Its content never shows in an error: it holds keys."""
    from environments.services.honeyhive.server import Config

    try:
        sent = json.loads(line)
        unknown = sorted(sent.keys() - _CONFIG_KEYS)
        projects = tuple((_text(each["name"]), tuple(map(_text, each["keys"]))) for each in sent["projects"])
        port = _port(str(sent.get("port", 0)))
        data_dir = Path(sent["data_dir"]) if sent.get("data_dir") else None
        limits = {field: int(sent[name]) for name, field in _NUMBERS.items() if name in sent}
        token = _text(sent["control"]["token"]) if "control" in sent else ""
        llm_url = _text(sent["llm_url"]) if sent.get("llm_url") else None
        with_page = _flag(sent.get("page", False))
    except (ValueError, TypeError, KeyError, AttributeError, argparse.ArgumentTypeError):
        unknown, projects = [], ()
    if unknown or not projects:
        raise UsageError(
            f"the configuration on stdin has unknown keys: {', '.join(unknown)}"
            if unknown
            else "the configuration on stdin is not what is expected",
            expected='one line of JSON: {"port": 0, "data_dir": "...", "projects": [{"name": "...", "keys": ["..."]}]}',
            remedy="see the head of environments/services/honeyhive/__main__.py",
        )
    return Config(projects, port, data_dir, **limits, control_token=token, llm_url=llm_url, with_page=with_page)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("true or false is expected")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("text is expected")
    return value


if __name__ == "__main__":
    sys.exit(main())
