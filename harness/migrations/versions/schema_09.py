"""What a trial's clean score was made of is a mark, not the samples."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """From schema 8 to 9."""
    op.alter_column("trials", "repeating", new_column_name="audited_by")
