"""Runs the migrations on a connection that the store hands over; there is no other way in."""

from __future__ import annotations

from alembic import context

# The store opens the connection, takes the lock and commits: one transaction for everything.
context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
