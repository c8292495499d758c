"""A task may judge by itself, and measure what metrics then read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """From schema 7 to 8."""
    with op.batch_alter_table("predictions") as predictions:
        predictions.add_column(sa.Column("measured", sa.Text))
        predictions.add_column(sa.Column("judged", sa.SmallInteger))
