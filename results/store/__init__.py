"""What probers leave: every call, ping and incident, in SQLite or PostgreSQL."""
