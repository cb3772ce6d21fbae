"""One serving process of the LLM service."""

from __future__ import annotations

import logging
import sys
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from environments.services.http.serving import bound, serve_on
from environments.services.llm.app import create_app

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Config:
    """What to serve: where."""

    port: int = 0


def serve(config: Config, ready: Callable[[str], None]) -> None:
    """Serve until a signal says stop. `ready` is called with the URL once it answers."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    with closing(bound(config.port)) as listener:
        serve_on({listener: create_app()}, lambda urls: ready(urls[0]))
