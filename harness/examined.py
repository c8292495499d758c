"""A task with all its rows, as checks look at it: what it is, and where its file says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.findings import Finding
from harness.taskfile import FileTask

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.interfaces import Task
    from harness.records import Sample, Split, TaskSpec


@dataclass(frozen=True, slots=True)
class Examined:
    """A task with all its rows, and what its file says where.

    Attributes:
        task: whose rows these are.
        splits: the rows of each split that has any.
    """

    task: Task
    splits: Mapping[Split, Sequence[Sample]]

    @property
    def spec(self) -> TaskSpec:
        """What the task is but for its rows."""
        return self.task.spec

    def where(self, *keys: str | int) -> str | None:
        """`file:line: key` in the task's file; None for a task that no file defines."""
        return self.task.where(*keys) if isinstance(self.task, FileTask) else None

    def files_of(self, split: Split) -> str | None:
        """Where the file says what a split is made of."""
        if not isinstance(self.task, FileTask):
            return None
        return self.where("data", *self.task.cut_by(split))

    def error(self, message: str, *keys: str | int, advice: str | None = None) -> Finding:
        """What can't be right, said by the file under these keys."""
        return Finding("error", message, self.where(*keys), advice)

    def warning(self, message: str, *keys: str | int, advice: str | None = None) -> Finding:
        """What is odd, said by the file under these keys."""
        return Finding("warning", message, self.where(*keys), advice)

    def drawn(self, most: int, *of: Split) -> Iterator[Sample]:
        """Rows of each split (or these), evenly spaced, no more than so many of each: for what is dear to look at."""
        for split in of or self.splits:
            rows = self.splits[split]
            step = -(-len(rows) // most)
            yield from (rows[place] for place in range(0, len(rows), step))
