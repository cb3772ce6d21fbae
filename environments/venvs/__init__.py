"""What cells install, and where: interpreters, candidates, locks, and venvs keyed by content."""
