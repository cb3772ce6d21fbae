"""Many cells: the run of `nox -s matrix`, and the board that shows it."""
