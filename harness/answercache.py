"""Answers of models that metrics ask, and matchings of texts, on disk: one SQLite file that several processes share."""

from __future__ import annotations

import dataclasses
import json
import logging
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, TypeAlias

from harness.errors import ModelError
from harness.records import Generated, LogLikelihoods, Usage
from harness.tokenmatching import Matched, Side

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness.records import Response

    Answer: TypeAlias = Response | Matched
FILE = "answers-1.sqlite"
"""Raise its number when the table, or what stands in it, changes."""
PATIENCE_S = 30.0
ASKED_AT_ONCE = 500

log = logging.getLogger(__name__)


class AnswerCache:
    """Key -> answer. All of it can be asked again: where the file can't be used that is said, and nothing is kept."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE

    def get(self, keys: Sequence[str]) -> dict[str, Answer]:
        """What is kept of the keys."""
        found: dict[str, Answer] = {}
        if not self._file.is_file():
            return found
        try:
            with closing(self._opened()) as database:
                for begin in range(0, len(keys), ASKED_AT_ONCE):
                    some = keys[begin : begin + ASKED_AT_ONCE]
                    marks = ",".join("?" * len(some))
                    query = f"SELECT key, response FROM answers WHERE key IN ({marks})"  # noqa: S608 - marks alone
                    found |= {key: _read(text) for key, text in database.execute(query, some)}
        except sqlite3.Error as error:
            log.warning("kept answers can't be read: %s: %s", self._file, error)
            return {}
        return found

    def put(self, found: Mapping[str, Answer]) -> None:
        """Keep answers, all of them or (where something goes wrong) none."""
        rows = [(key, _written(response)) for key, response in found.items()]
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._opened()) as database, database:
                database.executemany("INSERT OR IGNORE INTO answers VALUES (?, ?)", rows)
        except (OSError, sqlite3.Error) as error:
            log.warning("answers are not kept: %s: %s", self._file, error)

    def _opened(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._file, timeout=PATIENCE_S)
        database.execute("CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, response TEXT NOT NULL)")
        return database


def _written(response: Answer) -> str:
    if not isinstance(response, LogLikelihoods | Generated | Matched):
        raise ModelError(f"{type(response).__name__} is no answer that is kept")
    return json.dumps([type(response).__name__, dataclasses.asdict(response)])


def _read(text: str) -> Answer:
    kind, told = json.loads(text)
    if kind == "Matched":
        return Matched(
            *(Side(tuple(told[side]["tokens"]), tuple(told[side]["cosines"])) for side in ("first", "second"))
        )
    usage = Usage(**told["usage"])
    if kind == "Generated":
        return Generated(told["text"], told["finish"], usage)
    return LogLikelihoods(tuple(told["values"]), usage, tuple(told["tokens"]), tuple(told["greedy"]))
