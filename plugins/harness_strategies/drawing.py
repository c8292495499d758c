"""Which training rows a strategy takes: all, so many in all, or so many of each label."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from harness.errors import ParameterError
from harness.interfaces import Sizes
from harness.sampling import draw, draw_each, few

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.interfaces import TaskView
    from harness.records import Sample, TaskSpec

SHOTS = 16
"""Rows of each label for methods made for few, unless told (Gao et al. 2021)."""

SIZES = Sizes(rows="train_size", per_label="shots")
"""The parameters by which these strategies are told how many rows to learn from."""


def one_size(shots: int | None, train_size: int | None) -> None:
    """Only one of the two may be given.

    Raises:
        ParameterError: when both are.
    """
    if shots is not None and train_size is not None:
        raise ParameterError(
            f"shots={shots} and train_size={train_size} are two sizes of one draw",
            hint="give shots (rows of each label) or train_size (rows in all)",
        )


def refuses_shots(spec: TaskSpec, shots: int | None) -> str | None:
    """Why rows of each label can't be drawn of a task; None where they can, or need not."""
    if shots is None or spec.labelled:
        return None
    return f"shots are rows of each label, and a {spec.kind} has not one a row: give train_size"


def drawn(samples: Sequence[Sample], shots: int | None, train_size: int | None, seed: int) -> Sequence[Sample]:
    """A seeded draw: `shots` rows of each label, or `train_size` stratified by label and context; all without both."""
    if shots is not None:
        return draw_each(samples, shots, seed)
    if train_size is not None:
        return draw(samples, train_size, lambda sample: (sample.target, sample.context or ""), seed=seed)
    return samples


def drawn_both(
    task: TaskView, shots: int | None, train_size: int | None, seed: int
) -> tuple[Sequence[Sample], Sequence[Sample]]:
    """Training rows by `drawn`, and of the validation rows no more than that, see `harness.sampling.few`."""
    train, validation = task.samples("train"), task.samples("validation")
    if shots is None:
        return few(train, validation, train_size, seed, by_target=task.spec.labelled)
    learned = draw_each(train, shots, seed)
    return learned, drawn(draw_each(validation, shots, seed), None, len(learned), seed)


def said_of(spec: TaskSpec, rows: Sequence[Sample], shots: int | None, train_size: int | None) -> str:
    """How many training rows there are, and where the data have fewer than asked for."""
    said = f"{len(rows)} training rows"
    if train_size is not None and len(rows) < train_size:
        return f"{said}: {spec.name} has no {train_size}"
    if shots is None:
        return said
    counts = Counter(sample.target for sample in rows)
    short = [f"{label} has {counts[label]}" for label in spec.labels if counts[label] < shots]
    return f"{said}, {shots} a label" + (f", but {', '.join(short)}" if short else "")
