"""The local processes that an environment brings up."""
