"""The matrix: axes -> plan -> cells. Pure: names, tags, sets and exclusions, and no I/O."""

from __future__ import annotations

from enum import StrEnum


class Environment(StrEnum):
    """A HoneyHive deployment."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"
