"""ROUGE by rouge-score: F1 of what answer and reference share (Lin 2004, ROUGE: A Package for Automatic Evaluation)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness_metrics.generated import MeanOfAnswers, require

if TYPE_CHECKING:
    from harness.records import TaskSpec
    from harness_metrics.generated import Written


class _Rouge(MeanOfAnswers):
    """The mean F1 of answers, each against the reference that it is nearest to; words are not stemmed. 0 to 1."""

    name = ""

    def require(self) -> None:
        """Raises `PluginError` where rouge-score is missing."""
        require("rouge_score", self.name)

    def values(self, found: Written, spec: TaskSpec) -> list[float]:
        """The F1 of each answer."""
        del spec
        self.require()
        from rouge_score.rouge_scorer import RougeScorer

        scorer = RougeScorer([self.name])
        return [
            float(scorer.score_multi(references, answer)[self.name].fmeasure)
            for answer, references in zip(found.answers, found.references, strict=True)
        ]


class Rouge1(_Rouge):
    """Of words."""

    name = "rouge1"


class Rouge2(_Rouge):
    """Of pairs of words."""

    name = "rouge2"


class RougeL(_Rouge):
    """Of the longest common subsequence of words."""

    name = "rougeL"
