"""The command line, for a supervisor: `--config -`, and everything else in one line of JSON on stdin.

    {"upstream": "https://…", "policy": "read-only" or "paced", "keys": {"project": "…"}, "audit": "<path>",
     "control": {"token": "…"}}

Optional: `port`, or `sockets` (the descriptors of two that are bound, of the door and of control); `ca_file`,
`requests_per_second`, `pacing_folder`, `arrives_within_s`; further keys are `ingestion`, `data_plane`, `openai` and
`anthropic`. One line on stdout when it answers: `{"url": "…", "control_url": "…"}`. Keys travel by stdin because
command lines and environments can be read by others.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from environments.errors import UsageError, exit_on_error
from environments.inside import lifeline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from environments.profiles.addresses import Address
    from environments.services.gateway.placeholders import Kind
    from environments.services.gateway.server import Config, Ready

_REQUIRED = frozenset({"upstream", "policy", "keys", "audit", "control"})
_OPTIONAL = frozenset({"port", "sockets", "ca_file", "requests_per_second", "pacing_folder", "arrives_within_s"})
_KEY = re.compile(r"[!-~]+")
_MAX_PORT = 65535


@exit_on_error
def main() -> int:
    """Serve until told to stop."""
    lifeline.follow_from_environment()
    parser = argparse.ArgumentParser(
        prog="python -m environments.services.gateway", description="Serve the one door out of a cell on 127.0.0.1."
    )
    parser.add_argument("--config", choices=["-"], required=True, help="read everything from one line of JSON on stdin")
    parser.parse_args()
    config = _configured(sys.stdin.readline())
    # Heavy, and so after everything that can go wrong without it.
    from environments.services.gateway.server import serve

    serve(config, _tell)
    return 0


def _tell(told: Ready) -> None:
    print(json.dumps(asdict(told)), flush=True)


def _configured(line: str) -> Config:
    """Read the supervisor's line. Its content never shows in an error: it holds keys."""
    try:
        return _config(json.loads(line))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        # Only what this module raised says what it was; others quote what they read.
        happened = str(error) if type(error) is _Unfit else "it is not what is expected"
    raise UsageError(
        f"the configuration on stdin: {happened}",
        expected="one line of JSON with upstream, policy, keys, audit and control",
        remedy="see the head of environments/services/gateway/__main__.py",
    )


class _Unfit(ValueError):
    """Something in the configuration, in words that quote nothing of it."""


def _config(sent: Mapping[str, Any]) -> Config:
    from environments.services.gateway.app import ARRIVES_WITHIN_S
    from environments.services.gateway.policy import Policy
    from environments.services.gateway.server import Config

    if not sent.keys() >= _REQUIRED or not sent.keys() <= _REQUIRED | _OPTIONAL:
        raise _Unfit(f"its fields are {', '.join(sorted(_REQUIRED))}, and perhaps {', '.join(sorted(_OPTIONAL))}")
    return Config(
        upstream=_upstream(_text(sent["upstream"])),
        policy=Policy(sent["policy"]),
        keys=_keys(sent["keys"]),
        audit=Path(_text(sent["audit"])),
        control_token=_text(sent["control"]["token"]),
        port=_port(sent.get("port", 0)),
        sockets=_sockets(sent.get("sockets")),
        ca_file=_path(sent.get("ca_file")),
        requests_per_second=_positive("requests_per_second", sent.get("requests_per_second")),
        pacing_folder=_path(sent.get("pacing_folder")),
        arrives_within_s=_positive("arrives_within_s", sent.get("arrives_within_s")) or ARRIVES_WITHIN_S,
    )


def _upstream(url: str) -> Address:
    from environments.profiles import addresses

    address = addresses.parse(url)
    if address.scheme != "https":
        raise _Unfit("the upstream is reached by https:// only, because a key travels with every request")
    return address


def _keys(sent: Mapping[str, Any]) -> Mapping[Kind, str]:
    from environments.services.gateway.placeholders import Kind
    from environments.services.gateway.redaction import SHORTEST_KEY

    keys = {Kind(kind): _text(key) for kind, key in sent.items()}
    if not keys or any(len(key) < SHORTEST_KEY or not _KEY.fullmatch(key) for key in keys.values()):
        raise _Unfit(f"keys are {SHORTEST_KEY} or more visible ASCII characters, and there is one at least")
    return keys


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise _Unfit("text is expected where something else, or nothing, is")
    return value


def _path(value: object) -> Path | None:
    return None if value is None else Path(_text(value))


def _port(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value <= _MAX_PORT:
        raise _Unfit(f"a port is 0 to {_MAX_PORT}")
    return value


def _sockets(value: object) -> tuple[int, int] | None:
    match value:
        case None:
            return None
        case [int(door), int(control)]:
            return door, control
        case _:
            raise _Unfit("sockets are two descriptors, of the door and of control")


def _positive(name: str, value: object) -> float | None:
    if value is None:
        return None
    if not isinstance(value, int | float) or not 0 < value < math.inf:
        raise _Unfit(f"{name} is a number greater than 0, or null")
    return float(value)


if __name__ == "__main__":
    sys.exit(main())
