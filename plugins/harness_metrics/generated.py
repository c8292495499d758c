"""What metrics of generated text read: the answers as they were written, and every reference answer of each sample."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.clusters import cluster_codes, clustered_mean, clustered_share
from harness.differences import Paired, paired_accuracy, paired_means
from harness.errors import PluginError
from harness.extraction import verbatim
from harness.statistics import bootstrap_mean, wilson
from harness.weighing import weighted_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records import Estimate, Prediction, TaskSpec
    from harness.resampling import Counts
    from harness.weighing import Weighted


@dataclass(frozen=True, slots=True)
class Written:
    """Answers and references, in the order of samples.

    Attributes:
        answers: as they stand in the texts, letter by letter; empty where there is none.
        references: one or more a sample, as the data writes them.
        clusters: of the samples, where they come in any.
    """

    answers: list[str]
    references: list[tuple[str, ...]]
    clusters: Counts | None


def written(predictions: Sequence[Prediction], spec: TaskSpec) -> Written | None:
    """What was written; None for a task that generates nothing, or predictions that came without references."""
    if not spec.generates:
        return None
    answers, references, names = list[str](), list[tuple[str, ...]](), list[str | None]()
    for prediction in predictions:
        given: Any = prediction.measured.get("references")
        if not given:
            return None
        answers.append(verbatim(spec, prediction))
        references.append(tuple(given))
        names.append(prediction.cluster)
    return Written(answers, references, cluster_codes(names))


def require(library: str, metric: str) -> None:
    """See that a library of the extra `metrics` is there.

    Raises:
        PluginError: when it is not.
    """
    if find_spec(library) is None:
        raise PluginError(f"metric {metric} needs {library}", hint="pip install 'adapt-harness[metrics]'")


class MeanOfAnswers:
    """The mean of a number that each answer has by itself, with a bootstrap interval; of shares with Wilson's."""

    higher_is_better = True

    def values(self, found: Written, spec: TaskSpec) -> list[float]:
        """A number an answer."""
        raise NotImplementedError

    def compute(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Estimate | None:
        """The mean; None for a task that generates nothing."""
        found = written(predictions, spec)
        if found is None:
            return None
        values, clusters = self.values(found, spec), found.clusters
        if set(values) <= {0.0, 1.0}:
            right = np.array(values, dtype=np.bool_)
            return wilson(int(right.sum()), len(right)) if clusters is None else clustered_share(right, clusters)
        return bootstrap_mean(values) if clusters is None else clustered_mean(values, clusters)

    def weighted(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Weighted | None:
        """The score as a function of weights; None for a task that generates nothing."""
        found = written(predictions, spec)
        return None if found is None else weighted_mean(self.values(found, spec))

    def compare(
        self, a: Sequence[Prediction], b: Sequence[Prediction], spec: TaskSpec, level: float = 0.95
    ) -> Paired | None:
        """The permutation test of the two means, of shares McNemar's; None where either has none."""
        first, second = written(a, spec), written(b, spec)
        if first is None or second is None:
            return None
        sides = self.values(first, spec), self.values(second, spec)
        if {*sides[0], *sides[1]} <= {0.0, 1.0}:
            right = [np.array(side, dtype=np.bool_) for side in sides]
            return paired_accuracy(right[0], right[1], level=level, clusters=first.clusters)
        return paired_means(*sides, level=level, clusters=first.clusters)
