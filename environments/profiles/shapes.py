"""Shapes: the types of a profile's settings. Their errors say what was expected, and never what was found.

Settings arrive as `SecretStr`, all of them (see `places`); the types of those that are no secrets unwrap them.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BeforeValidator, SecretStr

from environments.profiles import addresses

if TYPE_CHECKING:
    from collections.abc import Callable


def _text(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def _any_address(value: object) -> str | None:
    return None if value is None else str(addresses.parse(_text(value)))


def _secure_address(value: object) -> str:
    address = addresses.parse(_text(value))
    if address.scheme != "https" and not address.loopback:
        raise ValueError("https://, because a key travels with every request (http:// is for this machine only)")
    return str(address)


def servers(value: object) -> tuple[str, ...]:
    """Return servers that stand separated by commas as host:port; raise ValueError for what are none."""
    # A default is named already.
    named = value if isinstance(value, tuple) else [each.strip() for each in _text(value).split(",")]
    try:
        # Through an address, for its normal spelling.
        parsed = [addresses.parse(f"https://{each}") for each in named]
    except ValueError:
        parsed = []
    if not parsed or any(address.path for address in parsed):
        raise ValueError("hosts, perhaps with a port each, separated by commas")
    return tuple(address.host_and_port for address in parsed)


def _file(value: object) -> Path | None:
    if value is None:
        return None
    path = Path(_text(value)).expanduser()
    if not path.is_file():
        raise ValueError("the path of a file that is there")
    return path.absolute()


def _project(value: object) -> str:
    if not (name := _text(value)).isprintable():
        raise ValueError("a project's name, without control characters")
    return name


def _seconds(value: object) -> float:
    try:
        seconds = float(_text(value))
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ValueError("a number of seconds, greater than 0")
    return seconds


def _shape(pattern: str, expected: str) -> Callable[[SecretStr], SecretStr]:
    def check(key: SecretStr) -> SecretStr:
        if not re.fullmatch(pattern, key.get_secret_value()):
            raise ValueError(expected)
        return key

    return check


def _typed_key(prefix: str) -> Callable[[SecretStr], SecretStr]:
    return _shape(
        rf"{prefix}_[A-Za-z0-9]{{24}}_[A-Za-z0-9_-]{{64}}",
        f"{prefix}_, 24 letters or digits, an underscore, and 64 letters, digits, underscores or hyphens",
    )


AnyAddress = Annotated[str | None, BeforeValidator(_any_address)]
SecureAddress = Annotated[str, BeforeValidator(_secure_address)]
Servers = Annotated[tuple[str, ...], BeforeValidator(servers)]
Authority = Annotated[Path | None, BeforeValidator(_file)]
Project = Annotated[str, BeforeValidator(_project)]
Seconds = Annotated[float, BeforeValidator(_seconds)]
Key = Annotated[SecretStr, AfterValidator(_shape(r"[!-~]+", "visible ASCII characters, without blanks"))]
IngestionKey = Annotated[SecretStr, AfterValidator(_typed_key("hh_ingst"))]
DataPlaneKey = Annotated[SecretStr, AfterValidator(_typed_key("hh_fgdp"))]
