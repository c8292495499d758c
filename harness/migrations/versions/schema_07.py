"""Trials have a manifest, and scores without samples that repeat other rows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """From schema 6 to 7."""
    with op.batch_alter_table("trials") as trials:
        trials.add_column(sa.Column("manifest", sa.Text))
        trials.add_column(sa.Column("repeating", sa.Text))
        trials.add_column(sa.Column("clean", sa.Text))
