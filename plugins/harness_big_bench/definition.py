"""What a `task.json` says, checked: everything but how its rows become text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Example: TypeAlias = Mapping[str, Any]

CHOOSING = (
    "multiple_choice_grade",
    "calibration_multiple_choice_brier_score",
    "expected_calibration_error",
    "weighted_log_probabilities",
    "weighted_probabilities",
    "macro_f1",
)
"""Metrics over the log-likelihoods of `target_scores`."""

WRITING = (
    "bleu",
    "bleurt",
    "exact_str_match",
    "case_insensitive_str_match",
    "sequence_f1",
    "numeric_match_with_0_1_relative_error",
    "rouge",
)
"""Metrics over a generated text."""

SCORING = ("log_likelihood",)
"""Metrics over the log-likelihoods of `target`."""

ROUGE = ("rouge1", "rouge2", "rougeLsum")

RANGES: Mapping[str, tuple[float, float]] = {
    "bleu": (0.0, 100.0),
    "sequence_f1": (0.0, 100.0),
    "bleurt": (-0.1, 1.1),
    "calibration_multiple_choice_brier_score": (0.0, 1.0),
    "expected_calibration_error": (0.0, 1.0),
    "exact_str_match": (0.0, 1.0),
    "case_insensitive_str_match": (0.0, 1.0),
    "log_likelihood": (-10.0, 0.0),
    "multiple_choice_grade": (0.0, 1.0),
    "numeric_match_with_0_1_relative_error": (0.0, 1.0),
    "rouge1": (0.0, 100.0),
    "rouge2": (0.0, 100.0),
    "rougeLsum": (0.0, 100.0),
    "weighted_log_probabilities": (-10.0, 0.0),
    "weighted_probabilities": (-1.0, 1.0),
    "macro_f1": (0.0, 1.0),
}
"""Preferred score -> its low and high, between which BIG-bench normalises; the low of a grade is that of chance."""

OUTPUT = r"[^\.\?\!\;\n]+"
"""What is read of an answer where a task says neither `output_regex` nor `stop_string`: its first sentence."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A task of BIG-bench that has examples.

    Attributes:
        name: of the task, or of the subtask within its task.
        where: its file.
        metrics: as the file names them, without those that can't be measured here.
        preferred: the one that ranks.
        prefix: stands before everything, once.
        asked: before each example's input.
        answered: behind it; the answer follows.
        chosen: before each choice that is shown.
        shows_choices: whether choices stand behind the input.
        separator: between solved examples.
        stop: an answer is cut behind it, if it is there.
        regex: its first match is the answer.
        absolute: whether choices are graded by their log-likelihoods as they are, not by their share.
        examples: without those that repeat another.
        notes: what in the file has not the effect that its author may have expected.
        settings: everything in the file but its examples, as JSON.
    """

    name: str
    where: str
    metrics: tuple[str, ...]
    preferred: str
    prefix: str
    asked: str
    answered: str
    chosen: str
    shows_choices: bool
    separator: str
    stop: str | None
    regex: str | None
    absolute: bool
    examples: Sequence[Example]
    notes: tuple[str, ...]
    settings: str

    @property
    def chooses(self) -> tuple[str, ...]:
        """Its metrics over choices: BIG-bench adds calibration to a grade."""
        named = [name for name in CHOOSING if name in self.metrics]
        if "multiple_choice_grade" in named:
            named += [name for name in CHOOSING[1:3] if name not in named]
        return tuple(named)

    @property
    def writes(self) -> tuple[str, ...]:
        """Its metrics over generated texts."""
        return tuple(name for name in WRITING if name in self.metrics)

    @property
    def scores(self) -> bool:
        """Whether the likelihood of targets is asked for."""
        return any(name in self.metrics for name in SCORING)

    @property
    def by_choice(self) -> bool:
        """Whether what counts as its answer is a choice."""
        return self.preferred in CHOOSING

    @property
    def single(self) -> bool:
        """Whether each example has one target, and that has words: then likelihoods are told by word and character."""
        return all(len(one) == 1 and one[0].strip() for one in map(targets, self.examples))

    @property
    def measured(self) -> tuple[str, ...]:
        """The names of all that is measured on a row, the preferred one first."""
        written = [part for name in self.writes for part in (ROUGE if name == "rouge" else (name,))]
        likely = ["log_likelihood"] if self.scores else []
        if likely and self.single:
            likely += ["log_likelihood_per_word", "log_likelihood_per_char"]
        return tuple(dict.fromkeys((self.preferred, *self.chooses, *written, *likely)))

    @property
    def span(self) -> tuple[float, float]:
        """The low and the high of its preferred score: a grade's low is what a random choice gets."""
        low, high = RANGES[self.preferred]
        if self.preferred == "multiple_choice_grade":
            shares = [sum(scores.values()) / len(scores) for scores in (one["target_scores"] for one in self.examples)]
            low = sum(shares) / len(shares)
        return low, high


def targets(example: Example) -> tuple[str, ...]:
    """The right answers: those that are named, or the first of the best choices."""
    named = example.get("target")
    if named is None:
        scores = example["target_scores"]
        return (max(scores, key=scores.__getitem__),)
    return tuple(named) if isinstance(named, list) else (named,)
