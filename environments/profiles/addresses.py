"""Base URLs: one normal spelling for each, and whether two of them lead to the same server. Pure; nothing is resolved.

What is compared is what is used: a profile keeps the normal spelling, so no other parser gets a say in which host an
odd one means. The errors never quote the URL, because a person may have put a password into it.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

# HoneyHive's own: the default of SDK 1.0.0, and that of every release since.
PRODUCTION_HOSTS = frozenset({"api.honeyhive.ai", "api.dp1.us.honeyhive.ai"})

_DEFAULT_PORTS = {"http": 80, "https": 443}
# urlsplit removes some of these and other parsers read them differently: none belongs into an address.
_AMBIGUOUS = re.compile(r"[\s\x00-\x1f\x7f\\%]")
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")
# A last label like these makes the whole host an IPv4 address to browsers and to the C library: 127.1, 0x7f000001.
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")

EXPECTED = "http:// or https:// and a host, perhaps with a port and a path, and nothing else"


@dataclass(frozen=True, slots=True)
class Address:
    """A base URL in its normal spelling."""

    scheme: str
    host: str
    port: int
    path: str

    def __str__(self) -> str:
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self._host}{port}{self.path}"

    @property
    def host_and_port(self) -> str:
        """Host and port as a person writes them, the port always."""
        return f"{self._host}:{self.port}"

    @property
    def _host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def loopback(self) -> bool:
        """Whether this leads back to this machine; 0.0.0.0 and :: do too."""
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            ip = ipaddress.ip_address(self.host)
        except ValueError:
            return False
        return ip.is_loopback or ip.is_unspecified

    @property
    def server(self) -> tuple[str, int]:
        """What is compared: host and port, whatever the scheme. 80 and 443 are two doors of one server."""
        return "loopback" if self.loopback else self.host, 443 if self.port in _DEFAULT_PORTS.values() else self.port


def parse(url: str) -> Address:
    """Return the URL's normal spelling, or raise a ValueError that says what was expected and never quotes it."""
    if _AMBIGUOUS.search(url):
        raise ValueError(EXPECTED)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(EXPECTED) from None
    if "@" in parts.netloc:
        raise ValueError(f"{EXPECTED}: no user name, no password")
    if not host or parts.scheme not in _DEFAULT_PORTS or port == 0 or any(sign in url for sign in "?#"):
        raise ValueError(EXPECTED)
    return Address(parts.scheme, _normal_host(host), port or _DEFAULT_PORTS[parts.scheme], parts.path.rstrip("/"))


def is_production(address: Address, named: Iterable[Address]) -> bool:
    """Tell whether an address is HoneyHive's production (at any port), or a server that was named as production."""
    return address.host in PRODUCTION_HOSTS or address.server in {other.server for other in named}


def _normal_host(host: str) -> str:
    try:
        if ":" in host:
            six = ipaddress.IPv6Address(host)
            return str(six.ipv4_mapped or six)
        # The codec folds width, case and the ideographic full stops, as a client does before it resolves the name.
        name = host.encode("idna").decode("ascii").lower().removesuffix(".")
        if _NUMBER.fullmatch(name.rpartition(".")[2]):
            return str(ipaddress.IPv4Address(socket.inet_aton(name)))
    except (ValueError, OSError):
        raise ValueError(EXPECTED) from None
    if not _HOST.fullmatch(name):
        raise ValueError(EXPECTED)
    return name
