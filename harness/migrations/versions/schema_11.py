"""Views of which other programs understand every column: they are made with every migration, no table has changed."""

from __future__ import annotations

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """From schema 10 to 11."""
    # nothing
