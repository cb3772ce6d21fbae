"""The suite that the matrix runs: the real SDK, real sockets, no mocks. It runs inside a cell only."""

from __future__ import annotations

import os

import pytest

if "MATRIX_TARGET" not in os.environ:
    raise pytest.UsageError(
        "these tests run inside a cell of the matrix, which gives them a server and keys.\n"
        "  what to do: nox -s integration-3.12-development -- tests/integration/test_….py   (`nox -l` lists the cells)"
    )
