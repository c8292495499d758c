"""The oldest schema that is still opened. Its tables are there: a new store is made at the newest schema at once."""

from __future__ import annotations

revision = "0002"
down_revision = None


def upgrade() -> None:
    """There is nothing before it."""
