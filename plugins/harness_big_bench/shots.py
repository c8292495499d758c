"""Solved examples before each question: BIG-bench draws those of one example after those of another.

They are drawn of all the others; one stream of random numbers first shuffles the questions, then runs through them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import Prompt
from harness_big_bench.definition import targets
from harness_big_bench.rows import SEED, question

if TYPE_CHECKING:
    from harness_big_bench.definition import Definition


class Shots:
    """The prompts of one task's examples.

    Args:
        definition: the task.
        shots: solved examples before each question; fewer than there are examples.
        seed: the trial's: seed 0 draws what BIG-bench draws by default; another one is added to its seed.
    """

    def __init__(self, definition: Definition, shots: int, seed: int) -> None:
        self._definition = definition
        self._drawn = _draw(definition, shots, SEED + seed) if shots else []

    @property
    def shown(self) -> int:
        """How many different examples are shown solved."""
        return len({example for drawn in self._drawn for example, _ in drawn})

    def prompt(self, number: int) -> Prompt:
        """What stands before the answer to an example."""
        part = self._definition
        drawn = self._drawn[number] if self._drawn else ()
        solved = tuple(
            question(part, example) + targets(part.examples[example])[target] + part.separator
            for example, target in drawn
        )
        return Prompt(question(part, number), solved, part.prefix)


def _draw(definition: Definition, shots: int, seed: int) -> list[tuple[tuple[int, int], ...]]:
    """For each example the numbers of those that are shown before it, and which of their targets."""
    import numpy as np

    rng = np.random.RandomState(seed)
    counts = [len(targets(example)) for example in definition.examples]
    drawn: list[tuple[tuple[int, int], ...]] = [()] * len(counts)
    for number in rng.choice(len(counts), len(counts), replace=False):
        others = rng.choice(len(counts) - 1, shots, replace=False)
        examples = [int(other) + int(other >= number) for other in others]
        drawn[number] = tuple((example, int(rng.choice(counts[example]))) for example in examples)
    return drawn
