"""How the SDK degrades: `table` says what each fault comes to at each entry point, `entries` are what users call."""
