"""The guard: what may go to the wire, and how much of it."""
