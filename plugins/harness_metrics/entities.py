"""Scores of entities: F1, precision and recall, as seqeval's; an entity is right when its type and all its words are.

Tjong Kim Sang & De Meulder (2003), CoNLL. A missing answer names no entities.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.clusters import cluster_codes
from harness.entities import read_entities
from harness.errors import ParameterError, nearest
from harness_metrics.weighting import summed_interval, summed_pair, weighted_sums

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.differences import Paired
    from harness.records import Estimate, Prediction, TaskSpec
    from harness.resampling import Counts, Floats
    from harness.weighing import Weighted


class _OfEntities:
    """A ratio of counts of entities: of all together, of one type, or averaged over types.

    Args:
        label: the type that counts.
        average: `micro` of all counts together; of the types that occur, `macro` the mean and `weighted` the mean
            weighted by how often each is a target; `micro` unless a type is named.

    Raises:
        ParameterError: when both are given.
    """

    higher_is_better = True

    def __init__(self, label: str | None = None, average: Literal["macro", "micro", "weighted"] | None = None) -> None:
        if label is not None and average is not None:
            raise ParameterError(f"label={label} is one type: average={average} has nothing to average")
        self._label = label
        self._average = average or "micro"

    def ratio(self, hits: Floats, wanted: Floats, said: Floats) -> tuple[Floats, Floats]:
        """Numerator and denominator, type by type."""
        raise NotImplementedError

    def misfit(self, spec: TaskSpec) -> str | None:
        """A type that the task does not have."""
        if self._label is None or self._label in spec.labels:
            return None
        hint = nearest(self._label, spec.labels)
        return f"{self._label!r} is no type of the task's entities" + (f"; {hint}" if hint else "")

    def compute(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Estimate | None:
        """The score with its bootstrap interval; None for a task whose samples have no entities."""
        found = self._counted(predictions, spec)
        return None if found is None else summed_interval(found[0], self._score, found[1])

    def weighted(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Weighted | None:
        """The score as a function of weights; None for a task whose samples have no entities."""
        found = self._counted(predictions, spec)
        return None if found is None else weighted_sums(found[0], self._score)

    def compare(
        self, a: Sequence[Prediction], b: Sequence[Prediction], spec: TaskSpec, level: float = 0.95
    ) -> Paired | None:
        """The permutation test of the two scores; None for a task whose samples have no entities."""
        first, second = self._counted(a, spec), self._counted(b, spec)
        if first is None or second is None:
            return None
        return summed_pair(first[0], second[0], self._score, first[1], level=level)

    def _counted(self, predictions: Sequence[Prediction], spec: TaskSpec) -> tuple[Floats, Counts | None] | None:
        """(n, 3 k) hits, targets and answers of each sample, each by type."""
        if spec.learnt != "tags":
            return None
        types = list(spec.labels) if self._label is None else [self._label]
        place = {type_: at for at, type_ in enumerate(types)}
        found = np.zeros((len(predictions), 3, len(types)))
        for at, one in enumerate(predictions):
            wanted, said = (set(read_entities(text or "[]")) for text in (one.target, one.prediction))
            for kind, entities in enumerate((wanted & said, wanted, said)):
                for entity, _ in entities:
                    if entity.type in place:
                        found[at, kind, place[entity.type]] += 1
        return found.reshape(len(predictions), -1), cluster_codes(one.cluster for one in predictions)

    def _score(self, sums: Floats) -> Floats:
        """(r, 3 k) sums -> (r,) scores; not a number where there are neither targets nor answers."""
        hits, wanted, said = np.split(sums, 3, axis=1)
        if self._average == "micro":
            hits, wanted, said = (part.sum(axis=1, keepdims=True) for part in (hits, wanted, said))
        above, below = self.ratio(hits, wanted, said)
        each = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
        if self._average == "weighted":
            return _mean(each, np.where(wanted.sum(axis=1, keepdims=True) > 0, wanted, said))
        return _mean(each, (wanted + said > 0).astype(np.float64))


class EntityF1(_OfEntities):
    """The harmonic mean of precision and recall."""

    def ratio(self, hits: Floats, wanted: Floats, said: Floats) -> tuple[Floats, Floats]:
        """Twice the hits over targets and answers."""
        return 2.0 * hits, wanted + said


class EntityPrecision(_OfEntities):
    """The share of answers that are right."""

    def ratio(self, hits: Floats, wanted: Floats, said: Floats) -> tuple[Floats, Floats]:
        """Hits over answers."""
        del wanted
        return hits, said


class EntityRecall(_OfEntities):
    """The share of targets that were found."""

    def ratio(self, hits: Floats, wanted: Floats, said: Floats) -> tuple[Floats, Floats]:
        """Hits over targets."""
        del said
        return hits, wanted


def _mean(values: Floats, weights: Floats) -> Floats:
    """(r, k) -> (r,) weighted means; not a number where all weights are 0."""
    total = weights.sum(axis=1)
    return np.divide((values * weights).sum(axis=1), total, out=np.full(len(values), np.nan), where=total > 0)
