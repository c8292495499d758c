"""Demonstrations, scorer and calibrator put together: an adapted model that is asked by prompts."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from harness.answers import choose, decide, fills
from harness.errors import ModelError
from harness.interfaces import Adapted
from harness.records import LabelBudget, Usage
from harness.templates import render_head
from harness_strategies.calibration import CALIBRATORS, calibrated, log_prior
from harness_strategies.scorers import SCORERS, Question

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from harness.interfaces import Engine, Model, Setting
    from harness.records import Chat, Prediction, Request, Response, Sample, TaskSpec
    from harness_strategies.calibration import Calibration
    from harness_strategies.scorers import Scoring

CLOZE = "asked by cloze: an answer stands in the place of masks, one for each of its tokens"


@dataclass(frozen=True, slots=True)
class Demonstrations:
    """What is shown before a question.

    Attributes:
        fixed: the same for all samples.
        search: finds those of one sample, where each has its own.
        budget: the labels and texts that choosing them has used.
        notes: what is worth saying of them.
    """

    fixed: tuple[Sample, ...] = ()
    search: Callable[[Sample], tuple[Sample, ...]] | None = None
    budget: LabelBudget = field(default_factory=LabelBudget)
    notes: tuple[str, ...] = ()

    def of(self, sample: Sample) -> tuple[Sample, ...]:
        """Those of a sample, in their order."""
        return self.fixed if self.search is None else self.search(sample)


@dataclass(frozen=True, slots=True)
class Parts:
    """The names of scorer and calibrator, how many texts the calibrator may see, and how a chat template is used."""

    scoring: Scoring = "sum"
    calibrate: Calibration = "none"
    texts: int = 128
    chat: Chat = "auto"


@dataclass(frozen=True, slots=True)
class Asking:
    """Questions of one trial: pure functions of a sample."""

    spec: TaskSpec
    model: Model
    seed: int
    shown: Demonstrations
    scoring: Scoring
    chat: Chat

    def question(self, sample: Sample, shown: tuple[Sample, ...]) -> Question:
        """The sample behind these demonstrations."""
        return Question(self.spec, sample, render_head(self.spec), shown, self.model.answers, self.seed, self.chat)

    def requests(self, sample: Sample) -> tuple[Request, ...]:
        """What to ask for a sample."""
        return SCORERS[self.scoring].requests(self.question(sample, self.shown.of(sample)))

    def scores(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        """A score a choice."""
        return SCORERS[self.scoring].scores(self.question(sample, ()), responses)

    def decide(self, prior: NDArray[np.float64] | None, sample: Sample, responses: Sequence[Response]) -> Prediction:
        """The choice with the highest score, calibrated where there is a prior."""
        scores = self.scores(sample, responses)
        usage = _total([response.usage for response in responses])
        if prior is not None and max(scores) > float("-inf"):
            scores = calibrated(scores, prior)
        return choose(self.spec, sample, scores, usage)


def adapted(
    model: Model, spec: TaskSpec, shown: Demonstrations, parts: Parts, pool: Sequence[Sample], setting: Setting
) -> Adapted:
    """Put the parts together; a calibrator asks the model now, and is left out where nothing is to be asked.

    Raises:
        ModelError: when there is nothing to calibrate with.
    """
    asking = Asking(spec, model, setting.seed, shown, parts.scoring, parts.chat)
    cloze = spec.kind != "generation" and fills(model.answers)
    notes = (*shown.notes, CLOZE) if cloze else shown.notes
    plain = parts.scoring == "sum" and parts.calibrate == "none"
    found = Adapted(
        asking.requests, partial(decide, spec) if plain else partial(asking.decide, None), None, notes, shown.budget
    )
    if parts.calibrate == "none":
        return found
    if setting.dry:
        return replace(found, notes=(*notes, f"calibrate={parts.calibrate} asks the model, which is not loaded"))
    prior, said, used = _calibration(asking, parts, pool, setting)
    unlabelled = 0 if parts.calibrate == "contextual" else used
    budget = replace(shown.budget, unlabelled=shown.budget.unlabelled + unlabelled)
    return replace(found, decide=partial(asking.decide, prior), notes=(*notes, said), budget=budget)


def _calibration(
    asking: Asking, parts: Parts, pool: Sequence[Sample], setting: Setting
) -> tuple[NDArray[np.float64], str, int]:
    """The prior, what is to be said of it, and how many inputs were asked."""
    calibrator = CALIBRATORS[parts.calibrate]
    shown = {sample.id for sample in asking.shown.fixed}
    left = [sample for sample in pool if sample.id not in shown]
    samples = calibrator.samples(asking.spec, left, parts.texts, random.Random(f"calibrate {setting.seed}"))
    if not samples:
        raise ModelError(
            f"calibrate={parts.calibrate} has no training text beside the demonstrations",
            hint="lower k, or leave it out",
        )
    scores, calls = _scores(asking, setting.engine(asking.model), samples)
    prior = log_prior(scores)
    said = ", ".join(f"{label} {share:.3f}" for label, share in zip(asking.spec.labels, _shares(prior), strict=True))
    note = f"calibrated on {calibrator.said(len(samples))}, {calls} model calls; the prior: {said}"
    return prior, note, len(samples)


def _scores(asking: Asking, engine: Engine, samples: Sequence[Sample]) -> tuple[list[tuple[float, ...]], int]:
    """A row of scores a sample, all asked in one call, and the number of requests."""
    asked = [asking.requests(sample) for sample in samples]
    responses = iter(engine.run([request for requests in asked for request in requests]))
    rows = [
        asking.scores(sample, [next(responses) for _ in requests])
        for sample, requests in zip(samples, asked, strict=True)
    ]
    return rows, sum(map(len, asked))


def _shares(prior: NDArray[np.float64]) -> list[float]:
    from numpy import exp

    return [float(share) for share in exp(prior)]


def _total(usages: Sequence[Usage]) -> Usage:
    """What all requests of a sample took together."""
    return Usage(
        sum(usage.prompt_tokens for usage in usages),
        sum(usage.output_tokens for usage in usages),
        max((usage.dropped_demonstrations for usage in usages), default=0),
        sum(usage.cut_tokens for usage in usages),
    )
