"""Server-side evaluation: which metrics apply to what was written, and the processes that run them."""
