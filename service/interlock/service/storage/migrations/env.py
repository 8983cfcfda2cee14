"""Alembic's entry point: runs the revisions on the connection that ``migrate.py`` hands over."""

from alembic import context

from interlock.service.storage.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
