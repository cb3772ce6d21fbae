"""Helpers that tests share. Inside a cell they run beside the SDK under test: they import `environments.inside` only."""
