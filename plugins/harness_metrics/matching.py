"""Whether answers match: texts with some differences forgiven, numbers within a tolerance, the k best choices."""

from __future__ import annotations

import math
import re
import string
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from harness.clusters import cluster_codes, clustered_share
from harness.errors import ParameterError
from harness.extraction import NUMBER, canonical
from harness.statistics import wilson
from harness_metrics.generated import MeanOfAnswers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records import Estimate, Prediction, TaskSpec
    from harness_metrics.generated import Written

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_NUMBER = re.compile(NUMBER)
_DIGITS = re.compile(r"\d+")


class TextMatch(MeanOfAnswers):
    """The share of answers that are a reference, letter by letter but for what is ignored.

    Args:
        ignore_case: fold it.
        ignore_punctuation: leave ASCII punctuation out.
        ignore_numbers: leave digits out.
        ignore_space: fold white space, and leave it out at the ends.
        within: a reference need only stand in the answer.
    """

    def __init__(
        self,
        ignore_case: bool = False,
        ignore_punctuation: bool = False,
        ignore_numbers: bool = False,
        ignore_space: bool = True,
        within: bool = False,
    ) -> None:
        self._ignored = (ignore_case, ignore_punctuation, ignore_numbers, ignore_space)
        self._within = within

    def values(self, found: Written, spec: TaskSpec) -> list[float]:
        """1 or 0 for each answer."""
        del spec
        return [
            float(any(self._matches(self._form(said), self._form(one)) for one in wanted))
            for said, wanted in zip(found.answers, found.references, strict=True)
        ]

    def _matches(self, said: str, wanted: str) -> bool:
        return said == wanted or (self._within and bool(wanted) and wanted in said)

    def _form(self, text: str) -> str:
        case, punctuation, numbers, space = self._ignored
        text = text.casefold() if case else text
        text = text.translate(_PUNCTUATION) if punctuation else text
        text = _DIGITS.sub("", text) if numbers else text
        return " ".join(text.split()) if space else text


class NumericMatch(MeanOfAnswers):
    """The share of answers whose first number is that of a reference, within a tolerance.

    They are the same where |said - wanted| <= max(absolute, relative |wanted|). An answer without a number is wrong; so
    is any where no reference holds a number.

    Args:
        absolute: difference that is forgiven.
        relative: likewise, as a share of the reference.
    """

    def __init__(
        self, absolute: Annotated[float, Field(ge=0)] = 0.0, relative: Annotated[float, Field(ge=0)] = 1e-6
    ) -> None:
        if math.isinf(absolute) or math.isinf(relative):
            raise ParameterError("an infinite tolerance forgives everything")
        self._absolute, self._relative = absolute, relative

    def values(self, found: Written, spec: TaskSpec) -> list[float]:
        """1 or 0 for each answer."""
        del spec
        return [
            float(any(self._close(_number(said), _number(one)) for one in wanted))
            for said, wanted in zip(found.answers, found.references, strict=True)
        ]

    def _close(self, said: float | None, wanted: float | None) -> bool:
        if said is None or wanted is None:
            return False
        return abs(said - wanted) <= max(self._absolute, self._relative * abs(wanted))


def _number(text: str) -> float | None:
    found = _NUMBER.search(text)
    written = canonical(found[0], "number") if found else None
    return None if written is None else float(written)


class TopKAccuracy:
    """The share of samples whose right label or choice is among the k with the highest scores, with Wilson's interval.

    Of equal scores the first counts as the higher one, as where one is chosen.

    Args:
        k: how many count.
    """

    higher_is_better = True

    def __init__(self, k: Annotated[int, Field(ge=1)] = 2) -> None:
        self._k = k

    def compute(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Estimate | None:
        """The share; None where any sample has no scores, or the task has neither labels nor choices."""
        if spec.generates or spec.reads or not all(one.scores for one in predictions):
            return None
        place = {label: index for index, label in enumerate(spec.labels)}
        right = [self._holds(one.scores, place[one.target] if place else int(one.target)) for one in predictions]
        clusters = cluster_codes(one.cluster for one in predictions)
        return wilson(sum(right), len(right)) if clusters is None else clustered_share(right, clusters)

    def _holds(self, scores: Sequence[float], target: int) -> bool:
        own = scores[target]
        ahead = sum(score > own or (score == own and at < target) for at, score in enumerate(scores))
        return ahead < self._k
