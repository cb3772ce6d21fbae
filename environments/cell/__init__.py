"""One cell: the supervisor, the environment it reaches, the suite it runs, and what all of them say."""
