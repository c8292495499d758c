"""Vectors on disk: one SQLite file that several processes share, with a bound on its size."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from time import monotonic, sleep
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

FILE = "vectors-1.sqlite"
"""Raise its number when the table changes."""
BUDGET = 2_000_000_000
"""Bytes."""
PATIENCE_S = 30.0
"""How long a process waits for one that is writing."""
ASKED_AT_ONCE = 500
"""Keys in one query; SQLite takes a limited number of them."""

TABLE = """
CREATE TABLE IF NOT EXISTS vectors (
    number INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    vector BLOB NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    cut_tokens INTEGER NOT NULL,
    seconds REAL NOT NULL
)
"""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """A vector (D,), the tokens that were read and cut for it, and the seconds that it took."""

    vector: NDArray[np.float32]
    prompt_tokens: int
    cut_tokens: int
    seconds: float


class VectorCache:
    """Key -> vector; the oldest go when there is no more room.

    All of it can be computed again: a damaged file is said and begun anew, and where the folder can't be written to, or
    another process writes for too long, that is said once and nothing is kept.

    Args:
        folder: of the file; made when the first vector is kept.
        budget: most bytes of the file's pages in use.
    """

    def __init__(self, folder: Path, budget: int = BUDGET) -> None:
        self._file = folder / FILE
        self._budget = budget

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Kept]:
        """What is kept of the keys."""
        return self._tried(lambda database: _read(database, keys)) or {} if self._file.is_file() else {}

    def put(self, found: Mapping[bytes, Kept]) -> None:
        """Keep vectors, all of them or (where something goes wrong) none."""
        self._tried(lambda database: _write(database, found, self._budget))

    def _tried(self, work: Callable[[sqlite3.Connection], dict[bytes, Kept]]) -> dict[bytes, Kept] | None:
        """Work on the file; anew where it is damaged, and not at all where it can't be had."""
        for _ in range(2):
            try:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                with self._opened() as database:
                    return work(database)
            except (OSError, sqlite3.OperationalError) as error:
                _say_once(f"embeddings are not kept: {self._file.parent}: {error}")
                return None
            except sqlite3.DatabaseError as error:
                log.warning("%s is damaged and is begun anew: %s", self._file, error)
                self._remove()
        return None

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._file, timeout=PATIENCE_S)) as database:
            _write_ahead(database)
            database.execute("PRAGMA synchronous = NORMAL")
            with database:
                database.execute(TABLE)
            with database:
                yield database

    def _remove(self) -> None:
        for path in self._file.parent.glob(f"{self._file.name}*"):  # with its log and index
            path.unlink(missing_ok=True)


def _write_ahead(database: sqlite3.Connection) -> None:
    """Have readers not wait for a writer. While another process does the same, SQLite does not wait but refuses."""
    given_up = monotonic() + PATIENCE_S
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or monotonic() > given_up:
                raise
            sleep(0.02)
        else:
            return


def _read(database: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, Kept]:
    found: dict[bytes, Kept] = {}
    for begin in range(0, len(keys), ASKED_AT_ONCE):
        some = keys[begin : begin + ASKED_AT_ONCE]
        marks = ",".join("?" * len(some))
        rows = database.execute(
            f"SELECT key, vector, prompt_tokens, cut_tokens, seconds FROM vectors WHERE key IN ({marks})",  # noqa: S608 - marks
            some,
        )
        found.update({key: Kept(np.frombuffer(vector, "<f4"), *others) for key, vector, *others in rows})
    return found


def _write(database: sqlite3.Connection, found: Mapping[bytes, Kept], budget: int) -> dict[bytes, Kept]:
    database.executemany(
        "INSERT OR IGNORE INTO vectors (key, vector, prompt_tokens, cut_tokens, seconds) VALUES (?, ?, ?, ?, ?)",
        [
            (key, kept.vector.astype("<f4").tobytes(), kept.prompt_tokens, kept.cut_tokens, kept.seconds)
            for key, kept in found.items()
        ],
    )
    while _bytes_in_use(database) > budget:
        (rows,) = database.execute("SELECT COUNT(*) FROM vectors").fetchone()
        if not rows:
            break
        oldest = "SELECT number FROM vectors ORDER BY number LIMIT ?"
        database.execute(f"DELETE FROM vectors WHERE number IN ({oldest})", [-(-rows // 10)])  # noqa: S608 - our own text
    return {}


def _bytes_in_use(database: sqlite3.Connection) -> int:
    size, pages, free = (
        int(database.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_size", "page_count", "freelist_count")
    )
    return size * (pages - free)


@lru_cache
def _say_once(message: str) -> None:
    log.warning(message)
