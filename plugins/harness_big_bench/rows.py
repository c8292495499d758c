"""Examples as text and as samples, each made when it is asked for."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from harness import Sample
from harness.packed import Chained
from harness_big_bench.definition import targets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness_big_bench.definition import Definition

SEED = 42
"""BIG-bench's own, of the order of shown choices and of demonstrations."""


def question(definition: Definition, number: int) -> str:
    """An example's input between its prefixes, with its choices in BIG-bench's order where they are shown."""
    example = definition.examples[number]
    text: str = example["input"]
    if definition.shows_choices and "target_scores" in example:
        text += "".join(definition.chosen + choice for choice in _shuffled(list(example["target_scores"])))
    return definition.asked + text + definition.answered


def _shuffled(choices: list[str]) -> list[str]:
    """The choices as BIG-bench permutes them: the same permutation for all examples with as many choices."""
    import numpy as np

    order = np.random.RandomState(SEED).permutation(len(choices))
    ordered = sorted(choices)
    return [ordered[place] for place in order]


def choices(definition: Definition, number: int) -> tuple[str, ...]:
    """The possible answers, in the file's order; empty where none are graded."""
    return tuple(definition.examples[number]["target_scores"]) if definition.chooses else ()


def rows(parts: Mapping[str, Definition]) -> Sequence[Sample]:
    """The examples of one task, or of a task's subtasks one after the other.

    Args:
        parts: name -> definition; a task without subtasks has no name, else the name is each row's context.
    """
    return Chained((len(part.examples), partial(_sample, name, part)) for name, part in parts.items())


def place(sample: Sample) -> tuple[str, int]:
    """The subtask's name, empty where there is none, and the number of its example."""
    name, _, number = sample.id.rpartition("/")
    return name, int(number)


def _sample(name: str, part: Definition, number: int) -> Sample:
    example = part.examples[number]
    said = choices(part, number)
    right = targets(example)
    target = right[0] if len(right) == 1 else json.dumps(right, ensure_ascii=False)
    if part.by_choice:
        scores = list(example["target_scores"].values())
        target = str(scores.index(max(scores)))
    return Sample(f"{name}/{number}" if name else str(number), dict(example), target, name or None, said)
