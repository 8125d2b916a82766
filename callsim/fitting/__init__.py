"""Laws of failure and repair out of logs and probe history, for scenarios to include."""
