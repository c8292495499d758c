"""Trials say what adapting took, and what a strategy has to tell."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """From schema 3 to 4."""
    with op.batch_alter_table("trials") as trials:
        trials.add_column(sa.Column("adapt_s", sa.Double))
        trials.add_column(sa.Column("model_calls", sa.BigInteger))
        trials.add_column(sa.Column("adapt_tokens", sa.BigInteger))
        trials.add_column(sa.Column("details", sa.Text))
