"""Placeholder keys: what the tests of a cell hold instead of the real keys, and which real key each stands for.

Each test gets its own, so that every request in the audit names its test; minting again for the same test gives the
same keys. A placeholder has the shape of the kind it stands for, because the SDK insists on it and chooses by it which
key goes on which route. That choice is not corrected here: a key on the wrong route would else look right.

A key that is no placeholder is answered by the upstream, not by the gateway, which could only guess how: a harmless
key of the same shape, made when the gateway starts and registered nowhere, goes in its place.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_LETTERS = 24


class Kind(StrEnum):
    """What a key is for."""

    PROJECT = "project"
    INGESTION = "ingestion"
    DATA_PLANE = "data_plane"
    OPENAI = "openai"
    ANTHROPIC = "anthropic"


# The longest first: every key of HoneyHive begins with that of its project keys.
PREFIXES: Mapping[Kind, str] = {
    Kind.INGESTION: "hh_ingst_",
    Kind.DATA_PLANE: "hh_fgdp_",
    Kind.PROJECT: "hh_",
    Kind.ANTHROPIC: "sk-ant-",
    Kind.OPENAI: "sk-",
}
_TYPED = frozenset({Kind.INGESTION, Kind.DATA_PLANE})


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose placeholder a key is: the test's id, and the kind of the real key."""

    test: str
    kind: Kind


def prefix_of(key: str) -> str:
    """Return the beginning of a key that tells its kind, which is no secret; nothing where it has none."""
    return next((prefix for prefix in PREFIXES.values() if key.startswith(prefix)), "")


def kind_of(key: str) -> Kind:
    """Tell a key's kind by its beginning. A project's key has no shape of its own."""
    return next((kind for kind, prefix in PREFIXES.items() if key.startswith(prefix)), Kind.PROJECT)


class Placeholders:
    """What was minted by this process. It never shows a key."""

    def __init__(self, real: Mapping[Kind, str]) -> None:
        self._real = real
        self._secret = secrets.token_bytes(32)
        self._holders: dict[str, Holder] = {}

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds that there is a real key of; a test gets a placeholder of each."""
        return tuple(self._real)

    def mint(self, test: str) -> Mapping[Kind, str]:
        """Return the placeholders of a test."""
        minted = {kind: self._shaped(kind, test) for kind in self._real}
        self._holders |= {key: Holder(test, kind) for kind, key in minted.items()}
        return minted

    def holder(self, key: str) -> Holder | None:
        """Tell whose a key is, if it is a placeholder."""
        return self._holders.get(key)

    def real(self, kind: Kind) -> str:
        """Return the real key that a placeholder of this kind stands for."""
        return self._real[kind]

    def wrong(self, key: str) -> str:
        """Return a key that opens nothing, of the same kind as one that is no placeholder."""
        return self._shaped(kind_of(key), "")

    def _shaped(self, kind: Kind, test: str) -> str:
        made = hmac.digest(self._secret, f"{kind}:{test}".encode("utf-8", "surrogatepass"), hashlib.sha512)
        if kind in _TYPED:
            letters = made.hex()[:_LETTERS]
            rest = base64.urlsafe_b64encode(made[-48:]).decode()
            return f"{PREFIXES[kind]}{letters}_{rest}"
        return f"{PREFIXES[kind]}{made.hex()[:32]}"
