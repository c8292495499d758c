"""What a metric may offer beside its score: the score of samples that count more or less often than once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from harness.records import Prediction, TaskSpec

Floats: TypeAlias = "NDArray[np.float64]"
Weighted: TypeAlias = Callable[["Floats"], "Floats"]
"""(r, n) weights of n samples -> (r,) scores; NaN where such samples have none."""


@runtime_checkable
class HasTop(Protocol):
    """A metric whose highest value is not 1: suites average shares of it."""

    @property
    def top(self) -> float:
        """The highest value."""


@runtime_checkable
class Incomparable(Protocol):
    """A metric that has a score of each trial, but is not to tell two of them apart."""

    @property
    def incomparable(self) -> str:
        """Why."""


@runtime_checkable
class WeighsSamples(Protocol):
    """A metric that can be told how often each sample counts: many such scores cost little more than one.

    Tests between trials rest on it (`harness.contributions`). A metric that has it not is computed 40 times more.
    """

    def weighted(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Weighted | None:
        """The score as a function of weights, all 1 giving the value of `compute`; None where that is None.

        A weight of 0 leaves the sample out. For a mean of numbers that samples have it is
        `lambda weights: weights @ numbers / weights.sum(axis=1)`.
        """


def weighted_mean(numbers: Sequence[float] | Floats) -> Weighted:
    """The mean of (n,) numbers of samples as a function of weights."""
    import numpy as np  # not at the top: whoever only names parts reads no NumPy

    values = np.asarray(numbers, dtype=np.float64)

    def mean(weights: Floats) -> Floats:
        total = weights.sum(axis=1)
        return np.asarray(
            np.divide(weights @ values, total, out=np.full(len(weights), np.nan), where=total > 0), dtype=np.float64
        )

    return mean
