"""Demonstrations, scorer and calibrator put together: an adapted model that is asked by prompts."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from harness.answers import choose, decide, fills
from harness.errors import ModelError
from harness.interfaces import Adapted
from harness.promptparts import Question
from harness.records import LabelBudget, Usage
from harness.templates import render_head
from harness_strategies.scorers import Sum

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.interfaces import Engine, Model, Setting
    from harness.promptparts import Calibrator, Correction, Scorer
    from harness.records import Chat, Prediction, Request, Response, Sample, TaskSpec

CLOZE = "asked by cloze: an answer stands in the place of masks, one for each of its tokens"


@dataclass(frozen=True, slots=True)
class Demonstrations:
    """What is shown before a question.

    Attributes:
        fixed: the same for all samples.
        search: finds those of one sample, where each has its own.
        prepare: tells the search which samples it will be asked for, all at once.
        budget: the labels and texts that choosing them has used.
        notes: what is worth saying of them.
    """

    fixed: tuple[Sample, ...] = ()
    search: Callable[[Sample], tuple[Sample, ...]] | None = None
    prepare: Callable[[Sequence[Sample]], None] | None = None
    budget: LabelBudget = field(default_factory=LabelBudget)
    notes: tuple[str, ...] = ()

    def of(self, sample: Sample) -> tuple[Sample, ...]:
        """Those of a sample, in their order."""
        return self.fixed if self.search is None else self.search(sample)


@dataclass(frozen=True, slots=True)
class Parts:
    """Scorer and calibrator.

    Attributes:
        scoring: the scorer's name.
        calibrate: the calibrator's name; `none` where there is none.
        texts: how many texts the calibrator may see.
        chat: how a chat template is used.
    """

    scoring: str = "sum"
    scorer: Scorer = field(default_factory=Sum)
    calibrate: str = "none"
    calibrator: Calibrator | None = None
    texts: int = 128
    chat: Chat = "auto"


@dataclass(frozen=True, slots=True)
class Asking:
    """Questions of one trial: pure functions of a sample."""

    spec: TaskSpec
    model: Model
    seed: int
    shown: Demonstrations
    scorer: Scorer
    chat: Chat

    def question(self, sample: Sample, shown: tuple[Sample, ...]) -> Question:
        """The sample behind these demonstrations."""
        return Question(self.spec, sample, render_head(self.spec), shown, self.model.answers, self.seed, self.chat)

    def requests(self, sample: Sample) -> tuple[Request, ...]:
        """What to ask for a sample."""
        return self.scorer.requests(self.question(sample, self.shown.of(sample)))

    def scores(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        """A score a choice."""
        return self.scorer.scores(self.question(sample, ()), responses)

    def decide(self, correction: Correction | None, sample: Sample, responses: Sequence[Response]) -> Prediction:
        """The choice with the highest score, corrected where there is a calibrator."""
        scores = self.scores(sample, responses)
        usage = _total([response.usage for response in responses])
        if correction is not None and max(scores) > float("-inf"):
            scores = correction.apply(scores)
        return choose(self.spec, sample, scores, usage)


def adapted(
    model: Model, spec: TaskSpec, shown: Demonstrations, parts: Parts, pool: Sequence[Sample], setting: Setting
) -> Adapted:
    """Put the parts together; a calibrator asks the model now, and is left out where nothing is to be asked.

    Raises:
        ModelError: when there is nothing to calibrate with.
    """
    asking = Asking(spec, model, setting.seed, shown, parts.scorer, parts.chat)
    cloze = not spec.generates and fills(model.answers)
    notes = (*shown.notes, CLOZE) if cloze else shown.notes
    plain = parts.scoring == "sum" and parts.calibrator is None
    found = Adapted(
        asking.requests,
        partial(decide, spec) if plain else partial(asking.decide, None),
        notes=notes,
        budget=shown.budget,
        prepare=shown.prepare,
    )
    if parts.calibrator is None:
        return found
    if setting.dry:
        return replace(found, notes=(*notes, f"calibrate={parts.calibrate} asks the model, which is not loaded"))
    correction, said, drawn = _calibration(asking, parts, parts.calibrator, pool, setting)
    budget = replace(shown.budget, unlabelled=shown.budget.unlabelled + drawn)
    return replace(found, decide=partial(asking.decide, correction), notes=(*notes, said), budget=budget)


def _calibration(
    asking: Asking, parts: Parts, calibrator: Calibrator, pool: Sequence[Sample], setting: Setting
) -> tuple[Correction, str, int]:
    """The correction, what is to be said of it, and how many training texts it has seen."""
    shown = {sample.id for sample in asking.shown.fixed}
    left = [sample for sample in pool if sample.id not in shown] if calibrator.draws else []
    samples = calibrator.samples(asking.spec, left, parts.texts, random.Random(f"calibrate {setting.seed}"))
    if not samples:
        raise ModelError(
            f"calibrate={parts.calibrate} has no training text beside the demonstrations",
            hint="lower k, or leave it out",
        )
    scores, calls = _scores(asking, setting.engine(asking.model), samples)
    correction = calibrator.fit(asking.spec, scores)
    said = f"calibrated on {calibrator.said(len(samples))}, {calls} model calls"
    note = f"{said}; {correction.said}" if correction.said else said
    return correction, note, len(samples) if calibrator.draws else 0


def _scores(asking: Asking, engine: Engine, samples: Sequence[Sample]) -> tuple[list[tuple[float, ...]], int]:
    """A row of scores a sample, all asked in one call, and the number of requests."""
    if asking.shown.prepare is not None:
        asking.shown.prepare(samples)
    asked = [asking.requests(sample) for sample in samples]
    responses = iter(engine.run([request for requests in asked for request in requests]))
    rows = [
        asking.scores(sample, [next(responses) for _ in requests])
        for sample, requests in zip(samples, asked, strict=True)
    ]
    return rows, sum(map(len, asked))


def _total(usages: Sequence[Usage]) -> Usage:
    """What all requests of a sample took together."""
    return Usage(
        sum(usage.prompt_tokens for usage in usages),
        sum(usage.output_tokens for usage in usages),
        max((usage.dropped_demonstrations for usage in usages), default=0),
        sum(usage.cut_tokens for usage in usages),
    )
