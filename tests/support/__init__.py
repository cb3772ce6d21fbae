"""Helpers that tests share. In a cell they run beside the SDK under test: they import `environments.inside` only."""
