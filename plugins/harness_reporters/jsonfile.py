"""results.json: every trial, for other programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harness.export import curves_json, suites_json, tables_json, trials_json
from harness.interfaces import Report

if TYPE_CHECKING:
    from harness.leaderboard import Leaderboard


class Json:
    """The trials of a board in the shape that `harness.export.trials_json` documents, and what tables add to them."""

    def render(self, board: Leaderboard) -> Report:
        """Render it."""
        found = trials_json(board.results) | {"tables": tables_json(board.tables)}
        if any(table.curves for table in board.tables):
            found |= curves_json(board.tables)
        if board.suites:
            found |= suites_json(board.suites)
        text = json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        # A lone surrogate in a label has no UTF-8: it is written as the escape that JSON has for it.
        return Report({"results.json": text.encode("utf-8", "backslashreplace")}, text)
