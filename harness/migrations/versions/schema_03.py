"""Trials say how many labels their strategy was given."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """From schema 2 to 3."""
    with op.batch_alter_table("trials") as trials:
        trials.add_column(sa.Column("budget", sa.Text))
