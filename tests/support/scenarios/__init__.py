"""The table of the client's public methods: what each needs made first, how it is called, what must be read back.

A method that a new release brings gets a line in it; one scenario serves a method, its old names and its async twin.
"""

from __future__ import annotations

from tests.support.scenarios.data import DATA
from tests.support.scenarios.judging import JUDGING
from tests.support.scenarios.settings import SETTINGS

TABLE = (*DATA, *JUDGING, *SETTINGS)
