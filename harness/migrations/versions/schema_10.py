"""Views for readers, and alembic's own table: both are made with every migration, so that no table has changed."""

from __future__ import annotations

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """From schema 9 to 10."""
    # nothing
