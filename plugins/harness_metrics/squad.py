"""Exact match and F1 of SQuAD (Rajpurkar et al. 2016, arXiv:1606.05250; unanswerable: 2018, arXiv:1806.03822).

The numbers are those of the official evaluation script, as shares: 0 to 1. An answer counts by the reference that it is
nearest to. A text that says what the task calls unanswerable is the answer "there is none": it is right where no
reference answers the question, and has no words in common with any other.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from typing import TYPE_CHECKING

from harness_metrics.generated import MeanOfAnswers

if TYPE_CHECKING:
    from harness.records import TaskSpec
    from harness_metrics.generated import Written

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLE = re.compile(r"\b(?:a|an|the)\b")


def normalized(text: str) -> str:
    """Lower case, without ASCII punctuation, without articles, single spaces."""
    return " ".join(_ARTICLE.sub(" ", text.lower().translate(_PUNCTUATION)).split())


class SquadExactMatch(MeanOfAnswers):
    """The share of answers that are a reference answer, once both are normalized."""

    def values(self, found: Written, spec: TaskSpec) -> list[float]:
        """1 or 0 for each answer."""
        return [
            float(any(said == one for one in wanted))
            for said, wanted in _normalized(found, normalized(spec.unanswerable))
        ]


class SquadF1(MeanOfAnswers):
    """The mean F1 of the words of answer and reference."""

    def values(self, found: Written, spec: TaskSpec) -> list[float]:
        """The F1 of each answer."""
        return [
            max(_f1(said.split(), one.split()) for one in wanted)
            for said, wanted in _normalized(found, normalized(spec.unanswerable))
        ]


def _normalized(found: Written, none: str) -> list[tuple[str, list[str]]]:
    """Each answer and its references; what says that there is no answer is an empty text."""

    def answer(text: str) -> str:
        said = normalized(text)
        return "" if said == none else said

    return [
        (answer(said), [answer(one) for one in wanted])
        for said, wanted in zip(found.answers, found.references, strict=True)
    ]


def _f1(said: list[str], wanted: list[str]) -> float:
    if not said or not wanted:
        return float(said == wanted)
    common = (Counter(said) & Counter(wanted)).total()
    return 2 * common / (len(said) + len(wanted))
