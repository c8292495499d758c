"""Chunks say what processor seconds, energy and device memory they took."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """From schema 5 to 6."""
    with op.batch_alter_table("timings") as timings:
        timings.add_column(sa.Column("cpu_s", sa.Double))
        timings.add_column(sa.Column("energy_j", sa.Double))
        timings.add_column(sa.Column("device_peak_bytes", sa.BigInteger))
