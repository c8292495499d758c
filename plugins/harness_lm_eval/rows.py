"""Rows of lm-eval's tasks as samples, each made when it is asked for: the data stay where lm-eval has them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from harness import Sample
from harness.packed import Chained

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness_lm_eval.part import Part


def rows(parts: Iterable[Part], *, grouped: bool) -> Sequence[Sample]:
    """The scored rows of one task, or of a group's tasks one after the other.

    Args:
        parts: the tasks.
        grouped: whether the name of its task is each row's context, and part of its own name.
    """
    return Chained((len(part.docs), partial(_sample, part, grouped)) for part in parts)


def _sample(part: Part, grouped: bool, number: int) -> Sample:
    doc = part.docs[number]
    id_, context = (f"{part.name}/{number}", part.name) if grouped else (str(number), None)
    return Sample(id_, _fields(doc), part.target(doc), context, part.choices(doc))


def place(sample: Sample) -> tuple[str, int]:
    """The task's name, empty for one that is alone, and the number of its row."""
    name, _, number = sample.id.rpartition("/")
    return name, int(number)


def _fields(doc: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever the data holds
    return {str(name): value for name, value in doc.items()} if isinstance(doc, dict) else {"doc": doc}
