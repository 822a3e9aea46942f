"""A digest of every row that an apply wrote, so that the next run sees what was changed since without reading
it; how many entities the files of a source describe, and what read them.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# All are unknown until the next apply, which compares by value as before.
COLUMNS = """
ALTER TABLE managed_entities ADD COLUMN row_digest BIGINT, ADD COLUMN said_digest BIGINT;
ALTER TABLE sources ADD COLUMN entities INTEGER;
ALTER TABLE sources ADD COLUMN reader TEXT;
"""


def upgrade() -> None:
    op.get_bind().connection.driver_connection.execute(COLUMNS)
