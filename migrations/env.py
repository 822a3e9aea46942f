"""Runs the migrations on a connection that the store hands over; there is no other way in."""

from __future__ import annotations

from alembic import context

# The store opens the connection, takes the lock and commits: one transaction for everything. The table has a
# name of its own, for an application may keep its tables and its own migrations in the same database.
context.configure(connection=context.config.attributes["connection"], version_table="reconciler_version")
context.run_migrations()
