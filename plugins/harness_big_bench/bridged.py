"""A JSON task of BIG-bench, or one with subtasks, which are its contexts."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING

from harness import Adapted, LabelBudget, PluginError, PromptSpec, TaskSpec
from harness_big_bench.asking import Asking, needed
from harness_big_bench.definition import targets
from harness_big_bench.metrics import LOSSES, OwnMetric, Scale
from harness_big_bench.rows import rows
from harness_big_bench.shots import Shots

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from harness import Metric, Model, Prediction, Sample
    from harness.records import Split
    from harness_big_bench.definition import Definition
    from harness_big_bench.places import Place

NORMALIZED = "normalized_aggregate_score"
"""The preferred score between what chance gets (0) and the best there is (100), as BIG-bench calls it."""

SHORTEST, LONGEST = 32, 256
"""Tokens of an answer: as many as the longest target has bytes, within these."""

LIBRARIES = {"bleu": "sacrebleu", "rouge": "rouge_score"}
"""Metric -> what computes it."""


class BridgedTask:
    """BIG-bench's task with its own prompts, demonstrations and metrics; a `harness.AsksItself`.

    Args:
        place: where its files are, or may be fetched from.
        max_tokens: of an answer; None: enough for the longest target.
    """

    def __init__(self, place: Place, max_tokens: int | None = None) -> None:
        self._place = place
        self._max_tokens = max_tokens

    def fetch(self) -> Path:
        """BIG-bench's package in the cache, for a task of its own; for others the file that there is."""
        return self._place.fetch()

    @cached_property
    def _parts(self) -> Mapping[str, Definition]:
        from harness_big_bench.loading import load

        parts = load(self._place.found(), self._place.name)
        for part in parts.values():
            for metric, library in LIBRARIES.items():
                if metric in part.metrics and find_spec(library) is None:
                    hint = "pip install 'adapt-harness[big-bench]'"
                    raise PluginError(f"{part.where} measures {metric}, which needs {library}", hint=hint)
        return parts

    # --- as a task ---------------------------------------------------------------------------------

    @cached_property
    def spec(self) -> TaskSpec:
        """Its name and metrics; how it is asked is BIG-bench's."""
        described = json.loads(next(iter(self._parts.values())).settings)["description"]
        if self._divided:
            described = f"BIG-bench's task of {len(self._parts)} subtasks"
        return TaskSpec(
            name=f"big-bench:{self._place.name}",
            kind="external",
            prompt=PromptSpec(template=""),
            metrics=tuple(self.metrics(())),
            description=described,
            has_context=self._divided,
        )

    @property
    def _divided(self) -> bool:
        return "" not in self._parts

    @cached_property
    def _rows(self) -> Sequence[Sample]:
        return rows(self._parts)

    def samples(self, split: Split) -> Sequence[Sample]:
        """Its examples, as `test`; BIG-bench has no others."""
        return self._rows if split == "test" else ()

    # --- as one that asks by itself ------------------------------------------------------------------

    def refuses(self, model: Model, demonstrations: int | None) -> str | None:
        """Why the model can't be asked so, or not with so many demonstrations."""
        for name, part in self._parts.items():
            called = name or self._place.name
            lacking = sorted(needed(part) - model.answers)
            if lacking:
                return f"{called} asks for {lacking[0]}, which the model does not answer"
            if demonstrations and demonstrations >= len(part.examples):
                others = len(part.examples) - 1
                return f"{called} has {others} other examples to draw {demonstrations} demonstrations from"
        return None

    def asking(self, demonstrations: int | None, seed: int) -> Adapted:
        """BIG-bench's requests and its grades; seed 0 draws the demonstrations that it draws, None are none."""
        shots = {name: Shots(part, demonstrations or 0, seed) for name, part in self._parts.items()}
        lengths = {name: self._max_tokens or _longest(part) for name, part in self._parts.items() if part.writes}
        asking = Asking(self._parts, shots, seed, lengths)
        shown = sum(one.shown for one in shots.values())
        notes = tuple(self._notes(demonstrations))
        return Adapted(asking.requests, asking.decide, notes=notes, budget=LabelBudget(train=shown))

    def identity(self) -> str:
        """A digest of the files and of the tokens that an answer may have."""
        found = hashlib.sha256(str(self._max_tokens).encode())
        for name, part in self._parts.items():
            found.update(json.dumps([name, part.settings]).encode())
            for example in part.examples:
                found.update(json.dumps(example).encode())
        return found.hexdigest()

    # --- as one that measures by itself --------------------------------------------------------------

    def metrics(self, predictions: Sequence[Prediction]) -> Mapping[str, Metric]:  # noqa: ARG002 - all are declared
        """BIG-bench's, under its names: the preferred one first, or the normalised one where subtasks prefer others."""
        scales: dict[str, dict[str, Scale]] = {}
        for part_name, part in self._parts.items():
            for name in part.measured:
                scales.setdefault(name, {})[part_name] = Scale(name)
            low, high = part.span
            scales.setdefault(NORMALIZED, {})[part_name] = Scale(part.preferred, low, 100 / (high - low))
        preferred = {part.preferred for part in self._parts.values()}
        graded = not self._divided or preferred == {"multiple_choice_grade"}
        first = next(iter(preferred)) if graded else NORMALIZED
        names = dict.fromkeys((first, *(name for name in scales if name != NORMALIZED), NORMALIZED))
        return {name: OwnMetric(_rising(name, scales[name]), scales[name]) for name in names}

    # --- words -----------------------------------------------------------------------------------------

    def _notes(self, demonstrations: int | None) -> Iterator[str]:
        if demonstrations is None:
            yield "BIG-bench's files say no number of demonstrations: none are shown"
        if demonstrations:
            yield "demonstrations are drawn from the other scored rows, as BIG-bench does it"
        for name, part in self._parts.items():
            for note in part.notes:
                yield f"{name}: {note}" if name else note


def _rising(name: str, scales: Mapping[str, Scale]) -> bool:
    """Whether more is better; a preferred loss is normalised as it is, and stays one."""
    return not {name, *(scale.measured for scale in scales.values())} & LOSSES


def _longest(part: Definition) -> int:
    longest = max(len(target.encode()) for example in part.examples for target in targets(example))
    return min(max(longest, SHORTEST), LONGEST)
