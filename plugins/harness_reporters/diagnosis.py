"""Where answers go wrong: which label is taken for which, and whether a model is as sure as it is right."""

from __future__ import annotations

from collections import Counter
from math import exp, isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records import Prediction

BINS = 10
"""Of equal width, as in Guo et al. 2017."""

MANY = 30
"""A confusion matrix of more labels than these is not read by anybody."""


class Diagnosis:
    """Counts over predictions, added one by one; those that failed are left out."""

    def __init__(self) -> None:
        self._pairs: Counter[tuple[str, str | None]] = Counter()
        self._bins = [[0, 0.0, 0] for _ in range(BINS)]
        self.alone: list[float] = []

    def add(self, prediction: Prediction, score: float | None = None) -> None:
        """Count one; `score` is what a metric says of it by itself."""
        if prediction.status == "failed":
            return
        if score is not None:
            self.alone.append(score)
        if len(self._pairs) <= MANY * (MANY + 1):  # of more pairs the labels are too many to be shown
            self._pairs[prediction.target, prediction.prediction] += 1
        confidence = top_share(prediction.scores)
        if confidence is not None:
            one = self._bins[min(int(confidence * BINS), BINS - 1)]
            one[0] += 1
            one[1] += confidence
            one[2] += prediction.correct

    def confusion(self, labels: Sequence[str] = ()) -> dict[str, Any] | None:
        """Rows are targets, columns predictions, the last one no answer; None where labels are too many to be read.

        Args:
            labels: in the order in which they are shown; others follow.
        """
        targets = {target for target, _ in self._pairs}
        said = {answer for _, answer in self._pairs if answer is not None}
        total = sum(self._pairs.values())
        if not total or len(targets | said) > MANY or 2 * len(targets) > total:
            return None
        names = [*dict.fromkeys(labels), *sorted((targets | said) - set(labels), key=_naturally)]
        counts = [[self._pairs[target, answer] for answer in [*names, None]] for target in names]
        return {"labels": names, "counts": counts}

    def reliability(self) -> dict[str, Any] | None:
        """Mean confidence and accuracy in each bin, and their expected calibration error.

        The error is the mean distance of the two, each bin by its samples (Guo et al. 2017, arXiv:1706.04599). None
        where there are no scores.
        """
        total = sum(n for n, _, _ in self._bins)
        if not total:
            return None
        error = sum(abs(confidence - right) for _, confidence, right in self._bins) / total
        bins = [[n, confidence / n, right / n] if n else [0, None, None] for n, confidence, right in self._bins]
        return {"n": total, "bins": bins, "error": error}


def top_share(scores: Sequence[float]) -> float | None:
    """The largest share of a softmax over scores; None where there are not two, or one is no number."""
    if len(scores) < 2:
        return None
    top = max(scores)
    if not isfinite(top) or any(score != score for score in scores):  # noqa: PLR0124 - only nan is unlike itself
        return None
    return 1 / sum(exp(score - top) for score in scores)


def _naturally(name: str) -> tuple[int, float, str]:
    """Numbers by their size, before names."""
    return (0, float(name), "") if name.isdecimal() else (1, 0.0, name)
