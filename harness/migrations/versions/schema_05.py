"""Samples come in clusters."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """From schema 4 to 5."""
    with op.batch_alter_table("predictions") as predictions:
        predictions.add_column(sa.Column("cluster_name", sa.Text))
