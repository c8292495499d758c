"""Shares of samples that were answered right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.statistics import wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records import Estimate, Prediction, TaskSpec


class Accuracy:
    """The share of right answers, with Wilson's interval; a sample without an answer counts as wrong."""

    higher_is_better = True

    def compute(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Estimate | None:  # noqa: ARG002 - same for all tasks
        """Count them."""
        return wilson(sum(prediction.correct for prediction in predictions), len(predictions))


class ExactMatch(Accuracy):
    """The same share under the name it has for generated text: the answer found in the text is the reference answer."""
