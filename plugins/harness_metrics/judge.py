"""Answers judged by a model (Zheng et al. 2023, arXiv:2306.05685): ratings by a rubric, preferences in both orders.

A judge that tells log-likelihoods is asked for the likeliest of the ratings; another one writes, and the first that it
writes counts. Judgements are kept by the judge's fingerprint, so that scoring again asks nothing. A judge that is weak
judges badly: `judge_agreement` and `judge_consistency` say how far it can be relied on.
"""

from __future__ import annotations

import copy
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from harness.clusters import cluster_codes, clustered_mean
from harness.components import parse_component
from harness.differences import Paired, paired_means
from harness.errors import ParameterError
from harness.extraction import verbatim
from harness.metricparts import ModelsOfMetrics, NoModels
from harness.records import Generate, Generated, LogLikelihood, LogLikelihoods, Prompt
from harness.statistics import bootstrap_mean
from harness.templates import render_query, render_template, undeclared
from harness.weighing import weighted_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.records import Component, Estimate, Prediction, Response, Sample, TaskSpec
    from harness.weighing import Weighted

WRITTEN = 16
"""Tokens that a judge may write."""

RATING = """\
A question, the right answer to it, and the answer of a candidate follow.

Question:
{{ question }}

Right answer:
{{ reference }}

Candidate's answer:
{{ answer }}

Rate how well the candidate's answer agrees with the right one, from 1 (not at all) to {{ scale }} (fully).
Say the number alone.
Rating:"""

PREFERENCE = """\
A question and two answers to it follow.

Question:
{{ question }}

Answer A:
{{ a }}

Answer B:
{{ b }}

Which answer is better? Say A or B alone.
Better answer:"""


class _Judged:
    """What all metrics of a judge share: its model, its rubric, the rows, and asking for one of some words."""

    higher_is_better = True
    rubric_of_its_own = ""
    names: frozenset[str] = frozenset()

    def __init__(self, model: str, rubric: str | None, models: ModelsOfMetrics) -> None:
        self._model = parse_component(model)
        self._asked = models
        self._rubric = self.rubric_of_its_own if rubric is None else _read(rubric)
        self._find: Callable[[Sequence[str]], Mapping[str, Sample]] | None = None
        self._known: dict[str, str] = {}
        if unknown := sorted(undeclared(self._rubric) - self.names):
            told = ", ".join(sorted(self.names))
            raise ParameterError(f"rubric {rubric}: {unknown[0]!r} is nothing it can name", hint=f"there are {told}")

    @property
    def models(self) -> tuple[Component, ...]:
        """The judge."""
        return (self._model,)

    @property
    def told(self) -> Mapping[str, str]:
        """The rubric's digest."""
        return {"rubric": f"sha256:{hashlib.sha256(self._rubric.encode()).hexdigest()}"}

    def misfit(self, spec: TaskSpec) -> str | None:
        """A judge that can't say anything, or a task without answers."""
        if spec.reads:
            return "the task has no answers to judge"
        if self._asked.answers(self._model).isdisjoint({"LogLikelihood", "Generate"}):
            return f"model {str(self._model)!r} can't judge: it says nothing after a prompt"
        return None

    def reading(self, find: Callable[[Sequence[str]], Mapping[str, Sample]]) -> Any:  # noqa: ANN401 - the same metric
        """The same metric with the rows."""
        bound = copy.copy(self)
        bound._find, bound._known = find, {}
        return bound

    def _questions(self, predictions: Sequence[Prediction], spec: TaskSpec) -> list[str]:
        """The task's question of each sample; empty where the task doesn't have it any more."""
        unknown = [one.sample_id for one in predictions if one.sample_id not in self._known]
        if self._find is not None and unknown:
            rows = self._find(unknown)
            self._known |= {id_: render_query(spec, rows[id_]).strip() if id_ in rows else "" for id_ in unknown}
        return [self._known.get(one.sample_id, "") for one in predictions]

    def _choices(self, told: Sequence[Mapping[str, Any]], words: Sequence[str]) -> list[int | None]:
        """For each rubric that is filled in so, the place of the word that the judge says; None where it says none."""
        prompts = [Prompt(render_template(self._rubric, one, "a judge's rubric")) for one in told]
        if "LogLikelihood" in self._asked.answers(self._model):
            said = tuple(f" {word}" for word in words)
            responses = self._asked.ask(self._model, [LogLikelihood(prompt, said) for prompt in prompts])
        else:
            responses = self._asked.ask(self._model, [Generate(prompt, WRITTEN) for prompt in prompts])
        return [_chosen(response, words) for response in responses]


class Rates(_Judged):
    """A judge that rates each answer; `Judge` says what its parameters are."""

    rubric_of_its_own = RATING
    names = frozenset({"question", "reference", "answer", "scale"})

    def __init__(
        self,
        model: str,
        rubric: str | None = None,
        scale: Annotated[int, Field(ge=2, le=9)] = 5,
        models: ModelsOfMetrics = NoModels(),  # noqa: B008 - holds nothing
    ) -> None:
        super().__init__(model, rubric, models)
        self._scale = scale

    def ratings(self, predictions: Sequence[Prediction], spec: TaskSpec) -> list[float] | None:
        """The rating of each answer; None where nobody gave the metric the rows."""
        if self._find is None:
            return None
        questions = self._questions(predictions, spec)
        asked = [at for at, one in enumerate(predictions) if one.prediction is not None]
        told = [
            {
                "question": questions[at],
                "reference": _reference(predictions[at], spec),
                "answer": _answer(predictions[at], spec),
                "scale": self._scale,
            }
            for at in asked
        ]
        ratings = [1.0] * len(predictions)
        for at, place in zip(asked, self._choices(told, [str(n + 1) for n in range(self._scale)]), strict=True):
            ratings[at] = 1.0 + (place or 0)
        return ratings


class Judge(Rates):
    """The mean rating of answers by a model, from 1 to `scale`, with a bootstrap interval.

    A sample without an answer, or one that the judge gives no rating, counts 1.

    Args:
        model: the judge, as it is named in runs.
        rubric: a file with a Jinja template of `question`, `reference`, `answer` and `scale`.
        scale: the best rating.
        models: provided.

    Raises:
        ParameterError: when the rubric can't be read, or names something else.
    """

    @property
    def top(self) -> float:
        """The best rating."""
        return float(self._scale)

    def compute(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Estimate | None:
        """The mean; None where nobody gave the metric the rows."""
        return _mean(self.ratings(predictions, spec), predictions)

    def compare(
        self, a: Sequence[Prediction], b: Sequence[Prediction], spec: TaskSpec, level: float = 0.95
    ) -> Paired | None:
        """The permutation test of the two means; None where nobody gave the metric the rows."""
        return _difference(self.ratings(a, spec), self.ratings(b, spec), a, level)

    def weighted(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Weighted | None:
        """The mean as a function of weights; None where nobody gave the metric the rows."""
        ratings = self.ratings(predictions, spec)
        return None if ratings is None else weighted_mean(ratings)


class Prefers(_Judged):
    """A judge that says which of answer and reference is better; `JudgePreference` says what its parameters are."""

    rubric_of_its_own = PREFERENCE
    names = frozenset({"question", "a", "b"})

    def __init__(self, model: str, rubric: str | None = None, models: ModelsOfMetrics = NoModels()) -> None:  # noqa: B008 - holds nothing
        super().__init__(model, rubric, models)

    def orders(self, predictions: Sequence[Prediction], spec: TaskSpec) -> list[tuple[bool | None, bool | None]]:
        """Whether the answer is preferred to the reference where it stands first, and where it stands second."""
        told = []
        for one, question in zip(predictions, self._questions(predictions, spec), strict=True):
            answer, reference = _answer(one, spec), _reference(one, spec)
            told += [
                {"question": question, "a": answer, "b": reference},
                {"question": question, "a": reference, "b": answer},
            ]
        said = self._choices(told, ["A", "B"])
        first = [None if place is None else place == 0 for place in said[::2]]
        second = [None if place is None else place == 1 for place in said[1::2]]
        return list(zip(first, second, strict=True))


class JudgePreference(Prefers):
    """How often a judge prefers the answer to the reference, asked in both orders; 0.5 is a tie.

    A sample counts 1 where the answer is preferred in both orders, 0 where the reference is (or there is no answer),
    and 0.5 where the judge changes its mind with the order, or says neither.

    Args:
        model: the judge, as it is named in runs.
        rubric: a file with a Jinja template of `question`, `a` and `b`.
        models: provided.

    Raises:
        ParameterError: when the rubric can't be read, or names something else.
    """

    def compute(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Estimate | None:
        """The mean; None where nobody gave the metric the rows."""
        return _mean(self._preferred(predictions, spec), predictions)

    def compare(
        self, a: Sequence[Prediction], b: Sequence[Prediction], spec: TaskSpec, level: float = 0.95
    ) -> Paired | None:
        """The permutation test of the two means; None where nobody gave the metric the rows."""
        return _difference(self._preferred(a, spec), self._preferred(b, spec), a, level)

    def weighted(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Weighted | None:
        """The mean as a function of weights; None where nobody gave the metric the rows."""
        preferred = self._preferred(predictions, spec)
        return None if preferred is None else weighted_mean(preferred)

    def _preferred(self, predictions: Sequence[Prediction], spec: TaskSpec) -> list[float] | None:
        if self._find is None:
            return None
        return [
            0.0 if one.prediction is None else sum(0.5 if said is None else float(said) for said in both) / 2
            for one, both in zip(predictions, self.orders(predictions, spec), strict=True)
        ]


def _chosen(response: Response, words: Sequence[str]) -> int | None:
    """The likeliest word, the first of equals; of a text the first word that stands in it alone."""
    if isinstance(response, LogLikelihoods):
        return response.values.index(max(response.values))
    text = response.text if isinstance(response, Generated) else ""
    found = re.search(rf"(?<!\w)({'|'.join(words)})(?!\w)", text)
    return words.index(found[1]) if found else None


def _answer(prediction: Prediction, spec: TaskSpec) -> str:
    return verbatim(spec, prediction) if spec.generates else prediction.prediction or ""


def _reference(prediction: Prediction, spec: TaskSpec) -> str:
    """The first right answer, as the data writes it; of labels how they are called."""
    references = prediction.measured.get("references") if spec.generates else None
    return str(references[0]) if references else prediction.target


def _mean(values: list[float] | None, predictions: Sequence[Prediction]) -> Estimate | None:
    if values is None:
        return None
    clusters = cluster_codes(one.cluster for one in predictions)
    return bootstrap_mean(values) if clusters is None else clustered_mean(values, clusters)


def _difference(
    first: list[float] | None, second: list[float] | None, predictions: Sequence[Prediction], level: float
) -> Paired | None:
    if first is None or second is None:
        return None
    return paired_means(first, second, level=level, clusters=cluster_codes(one.cluster for one in predictions))


def _read(rubric: str) -> str:
    try:
        return Path(rubric).read_text(encoding="utf-8").rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"rubric {rubric} can't be read: {getattr(error, 'strerror', None) or error}") from error
