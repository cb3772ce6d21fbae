"""What is kept, in one SQLite file: events, documents, metrics, runs, keys."""
