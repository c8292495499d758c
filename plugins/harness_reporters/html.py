"""leaderboard.html: one file that needs no network and no server, down to single answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.interfaces import Report
from harness_reporters import cells, suitecells
from harness_reporters.answers import Texts, answers
from harness_reporters.boarddata import board_data
from harness_reporters.curvecells import grid, sentences
from harness_reporters.diagnosis import Diagnosis
from harness_reporters.drawing import draws
from harness_reporters.page import packed, page
from harness_reporters.pairs import Right, compared
from harness_reporters.showing import histogram, showing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.board import Row, Table
    from harness.interfaces import Evidence
    from harness.leaderboard import Leaderboard
    from harness_reporters.drawing import Draw

Json = dict[str, Any]


class Html:
    """A board as one HTML file.

    Args:
        live: the version of what is shown, for a page that asks the server that it came from for newer ones
            (`harness view`).
        texts: False leaves out prompts, inputs and texts that models wrote, and of targets and answers those that are
            texts themselves: for a page that is to be published, where the data may not be.
    """

    def __init__(self, *, live: str = "", texts: bool = True) -> None:
        self._live = live
        self._texts = texts

    def render(self, board: Leaderboard) -> Report:
        """Render it without single answers."""
        return self._page(board, board_data(board), {})

    def render_with(self, board: Leaderboard, evidence: Evidence) -> Report:
        """Render it with what each trial said of each sample."""
        data, blocks = board_data(board), dict[str, str]()
        drawn = draws([(table.n, sum(len(row.keys) for row in table.rows)) for table in board.tables])
        for number, (table, told, draw) in enumerate(zip(board.tables, data["tables"], drawn, strict=True)):
            blocks |= _behind(board, table, told, evidence, f"texts-{number}", texts=self._texts, draw=draw)
        return self._page(board, data, blocks)

    def _page(self, board: Leaderboard, data: Json, blocks: Mapping[str, str]) -> Report:
        data |= {"texts": self._texts}
        values = {
            "title": data["title"],
            "tables": [_plain(table) for table in board.tables],
            "suites": [
                (suitecells.heading(one), *suitecells.grid(one)[:2], suitecells.notes(one)) for one in board.suites
            ],
            "texts": self._texts,
        }
        text = page("page.html.jinja", values | {"board": data}, data, blocks, live=self._live)
        return Report({"leaderboard.html": text.encode()}, text)


def _behind(  # noqa: PLR0913 - a table, what stands behind it, and how it is shown
    board: Leaderboard, table: Table, told: Json, evidence: Evidence, name: str, *, texts: bool, draw: Draw
) -> dict[str, str]:
    """The blocks of a table's answers, each packed as soon as it is made.

    What the page needs at once goes into what is told of the table.
    """
    results = {result.trial.key: result for result in board.results}
    shown = showing(table, results, evidence, texts=texts)
    kept_texts, blocks, right = Texts(), dict[str, str](), dict[str, Right]()
    told |= {"trials": [], "diagnoses": [], "texts": name, "shown": shown.told()}
    for row in table.rows:
        diagnosis = Diagnosis()
        kept, labels = list[str](), list[str]()
        for key in row.keys:
            counted = Right()
            one = answers(results[key], evidence, kept_texts, diagnosis, shown, draw=draw, right=counted)
            if one is not None:
                kept.append(key)
                labels = labels or one["labels"]
                blocks[f"trial-{key}"], right[key] = packed(one), counted
        if kept:
            about = {
                "confusion": diagnosis.confusion(labels) if shown.judged else None,
                "reliability": diagnosis.reliability() if shown.labelled else None,
                "histogram": None if shown.judged else histogram(diagnosis.alone),
            }
            told["trials"] += [_trial(row, key) for key in kept]
            told["diagnoses"].append({"keys": kept, **about})
    told["pairs"] = compared(right, table.metrics[0] if table.metrics else "", evidence)
    if draw.is_part:
        told["drawn"] = True
    return blocks | ({name: packed(kept_texts.data())} if blocks else {})


def _trial(row: Row, key: str) -> Json:
    seed = row.seeds[row.keys.index(key)]
    return {
        "key": key,
        "model": cells.visible(row.model),
        "strategy": cells.visible(row.strategy),
        "seed": seed,
        "seeds": len(row.seeds),
        "status": row.status,
    }


def _plain(table: Table) -> Json:
    """What stands in the page for those who run no scripts."""
    columns = cells.columns(table)
    return {
        "heading": cells.heading(table),
        "headline": cells.headline(table),
        "warning": cells.warning(table),
        "columns": [column.heading for column in columns],
        "rows": [[column.text(row) for column in columns] for row in cells.scored(table)],
        "contexts": None if table.contexts is None else cells.context_cells(table.contexts),
        "curves": None if table.curves is None else (*grid(table.curves), sentences(table.curves)),
        "unranked": cells.unranked(table),
        "notes": [(note, ", ".join(map(cells.label, noted))) for note, noted in cells.notes(table).items()],
    }
