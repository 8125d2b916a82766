"""What Alembic runs: the revisions that are missing, on the connection that it is handed."""

from __future__ import annotations

from alembic import context

from results.store.tables import VERSIONS, metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, version_table=VERSIONS
)
context.run_migrations()
