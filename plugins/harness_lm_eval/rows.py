"""Rows of lm-eval's tasks as samples, each made when it is asked for: the data stay where lm-eval has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

from harness import Sample

if TYPE_CHECKING:
    from harness_lm_eval.part import Part


class Rows(Sequence[Sample]):
    """The scored rows of one task, or of a group's tasks one after the other.

    Args:
        parts: the tasks.
        grouped: whether the name of its task is each row's context, and part of its own name.
    """

    def __init__(self, parts: Sequence[Part], *, grouped: bool) -> None:
        self._parts = parts
        self._grouped = grouped
        self._ends = []
        total = 0
        for part in parts:
            total += len(part.docs)
            self._ends.append(total)

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, index: int) -> Sample: ...

    @overload
    def __getitem__(self, index: slice) -> list[Sample]: ...

    def __getitem__(self, index: int | slice) -> Sample | list[Sample]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        which = next(number for number, end in enumerate(self._ends) if index < end)
        return self._sample(self._parts[which], index - (self._ends[which - 1] if which else 0))

    def _sample(self, part: Part, number: int) -> Sample:
        doc = part.docs[number]
        id_, context = (f"{part.name}/{number}", part.name) if self._grouped else (str(number), None)
        return Sample(id_, _fields(doc), part.target(doc), context, part.choices(doc))


def place(sample: Sample) -> tuple[str, int]:
    """The task's name, empty for one that is alone, and the number of its row."""
    name, _, number = sample.id.rpartition("/")
    return name, int(number)


def _fields(doc: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever the data holds
    return {str(name): value for name, value in doc.items()} if isinstance(doc, dict) else {"doc": doc}
