"""Continued pre-training: a language model learns the domain's texts before it is adapted to the task.

On the task's own texts or on others of its domain (TAPT, DAPT: Gururangan et al. 2020, arXiv:2004.10964), with the loss
that its kind was pre-trained with. What comes of it is a model, which any other strategy adapts.
"""

from __future__ import annotations

import dataclasses
import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from harness.composition import Strategies  # noqa: TC001 - annotations of registered functions are evaluated
from harness.errors import TrainingError
from harness.interfaces import Pretrainable, PretrainingJob, Trained, cannot_pretrain
from harness.sampling import texts_without
from harness.templates import render_input
from harness_strategies.textfile import digest_of, read_texts
from harness_strategies.whereabouts import placed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.composition import Changed
    from harness.interfaces import Adapted, Engine, Model, Pretrained, Setting, TaskView
    from harness.records import Component, LabelBudget, TaskSpec

TRAIN = "train"
"""The value of `on` that is no file."""

HELD_OUT = 10
"""Where there are no validation rows, one in so many texts is measured on instead of trained on."""


def pretrain(  # noqa: PLR0913 - what people can write
    strategies: Strategies,
    on: str = TRAIN,
    of: str = "zero-shot",
    *,
    pretrain_texts: Annotated[int, Field(ge=2)] | None = None,
    pretrain_epochs: Annotated[int, Field(ge=1)] = 1,
    pretrain_batch_size: Annotated[int, Field(ge=1)] = 8,
    pretrain_learning_rate: Annotated[float, Field(gt=0)] = 5e-5,
    pretrain_weight_decay: Annotated[float, Field(ge=0)] = 0.01,
    pretrain_warmup: Annotated[float, Field(ge=0, le=1)] = 0.06,
    pretrain_max_tokens: Annotated[int, Field(ge=8)] = 256,
    mask: Annotated[float, Field(gt=0, lt=1)] = 0.15,
    **parameters: Any,  # noqa: ANN401 - those of the strategy `of`, which checks them
) -> Pretrain:
    """Make the strategy.

    Args:
        strategies: those that are registered.
        on: `train`: the training rows' inputs, without their labels; else a file of texts, JSONL with `text` or texts
            with blank lines between.
        of: the strategy that adapts the model afterwards.
        pretrain_texts: a seeded draw of so many texts, and perplexity on as many at most; all unless told.
        pretrain_epochs: passes over the texts.
        pretrain_batch_size: texts (pieces of long ones) a step.
        pretrain_learning_rate: of AdamW, at its peak.
        pretrain_weight_decay: of AdamW.
        pretrain_warmup: share of all steps with a rising learning rate.
        pretrain_max_tokens: longer texts are read in pieces of so many tokens.
        mask: share of the tokens that a masked language model has to find.
        **parameters: those of the strategy `of`.

    Raises:
        UnknownNameError: when `of` is not registered.
        ParameterError: for a parameter that `of` does not have.
        DataError: when the file can't be read.
    """
    plan = Plan(
        pretrain_epochs,
        pretrain_batch_size,
        pretrain_learning_rate,
        pretrain_weight_decay,
        pretrain_warmup,
        pretrain_max_tokens,
        mask,
    )
    digest = "" if on == TRAIN else digest_of(on, "texts")
    return Pretrain(strategies.changed(of, parameters), on, digest, plan, pretrain_texts)


@dataclass(frozen=True, slots=True)
class Plan:
    """The hyperparameters, as models have them."""

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    warmup: float
    max_tokens: int
    mask: float


@dataclass(frozen=True, slots=True)
class Pretrain:
    """A strategy on a model whose pre-training went on; its baseline is the same strategy on the model as it was.

    Attributes:
        changed: the strategy that adapts the model afterwards.
        on: `train`, or a file of texts.
        digest: of the file; it is part of a trial's key.
        plan: the hyperparameters.
        most: texts to learn, and to measure on.
    """

    changed: Changed
    on: str
    digest: str
    plan: Plan
    most: int | None = None

    @property
    def reads(self) -> frozenset[str]:
        """What the other strategy reads; validation rows to measure perplexity on, and training rows to train on."""
        return self.changed.reads | {"validation"} | ({"train"} if self.on == TRAIN else set())

    @property
    def control(self) -> bool:
        """Whether the other strategy is a control."""
        return self.changed.control

    @property
    def models(self) -> tuple[Component, ...]:
        """The models that the other strategy uses beside the one that it adapts."""
        return self.changed.models

    @property
    def baseline(self) -> Component:
        """The other strategy on the model as it was: its gain is what pre-training is worth."""
        return self.changed.component

    def refuses(self, model: Model, spec: TaskSpec) -> str | None:
        """Needs a language model whose pre-training can go on, and a pair that works without that."""
        return cannot_pretrain(model) or self.changed.strategy.refuses(model, spec)

    def adapt(self, model: Model, task: TaskView, setting: Setting) -> Adapted:
        """Go on with pre-training, or take the model that the same texts left in the cache; then adapt that.

        Raises:
            TrainingError: when there are no texts, or training goes wrong.
            DataError: when the file holds none.
        """
        texts, held_out, measured_on = self._texts(task, setting.seed)
        if setting.dry:
            adapted = self.changed.strategy.adapt(model, task, setting)
            said = f"its pre-training would go on with {len(texts):,} texts first"
            return dataclasses.replace(adapted, notes=(*adapted.notes, said))
        assert isinstance(model, Pretrainable)  # noqa: S101 - refuses() has seen to it
        job = PretrainingJob(texts, held_out, setting.seed, setting.device, dataclasses.asdict(self.plan), Path())
        done = model.pretrain(placed(model, job, setting))
        below = dataclasses.replace(setting, load=_Loaded(done.model, setting))
        adapted = self.changed.strategy.adapt(done.model, task, below)
        perplexity = f"perplexity {done.before:.2f} before and {done.after:.2f} after"
        measured = f"on {done.tokens:,} {done.measure} of {len(held_out):,} {measured_on}"
        notes = (f"pre-trained on {len(texts):,} texts: {perplexity}, {measured}", *done.notes)
        return dataclasses.replace(
            adapted,
            trained=_trained(adapted, done, below, notes),
            budget=self._budget(adapted.budget, task),
            details={**adapted.details, "pretraining": _details(done, texts, held_out)},
        )

    def _texts(self, task: TaskView, seed: int) -> tuple[Sequence[str], Sequence[str], str]:
        """Texts to train on, others to measure on, and what these are."""
        spec = task.spec
        if self.on == TRAIN:
            texts = [render_input(spec, row) for row in task.samples("train")]
        else:
            texts = list(task.unscored(read_texts(self.on, "texts")))
        texts = self._drawn([text for text in texts if text.strip()], seed)
        validation = [render_input(spec, row) for row in task.samples("validation")]
        held_out = self._drawn(texts_without([text for text in validation if text.strip()], texts), seed)
        if texts and held_out:
            return texts, held_out, "validation texts"
        if len(texts) < 2:
            where = "the training rows" if self.on == TRAIN else "the file, without those that repeat scored rows,"
            raise TrainingError(f"{where} have {len(texts)} texts: too few to train on some and measure on others")
        order = random.Random(f"held out {seed}").sample(texts, len(texts))
        size = max(1, len(order) // HELD_OUT)
        return order[size:], order[:size], "texts that were left out of training"

    def _drawn(self, texts: Sequence[str], seed: int) -> Sequence[str]:
        """So many of them, drawn by the seed; all where there are no more."""
        if self.most is None or len(texts) <= self.most:
            return texts
        return random.Random(f"texts {seed}").sample(texts, self.most)

    def _budget(self, budget: LabelBudget, task: TaskView) -> LabelBudget:
        """The other strategy's, with the rows that were read without their labels."""
        rows, measured = len(task.samples("train")) if self.on == TRAIN else 0, len(task.samples("validation"))
        if self.most is not None:
            rows, measured = min(rows, self.most), min(measured, self.most)
        unlabelled = max(0, rows - budget.train) + max(0, measured - budget.validation)
        return dataclasses.replace(budget, unlabelled=max(budget.unlabelled, unlabelled))


class _Loaded:
    """Loads the pre-trained model once, and others as the trial does.

    Args:
        model: the pre-trained one.
        setting: the trial's.
    """

    def __init__(self, model: Model, setting: Setting) -> None:
        self._model, self._setting = model, setting
        self._engine: Engine | None = None

    def __call__(self, wanted: Model) -> Engine:
        if wanted is not self._model:
            return wanted.load(self._setting.device) if self._setting.load is None else self._setting.load(wanted)
        if self._engine is None:
            self._engine = wanted.load(self._setting.device)
        return self._engine


def _trained(adapted: Adapted, done: Pretrained, setting: Setting, notes: tuple[str, ...]) -> Trained:
    """What answers: the engine that the other strategy trained, or the pre-trained model's; seconds add up."""
    if adapted.trained is None:
        return Trained(setting.engine(done.model), done.train_s, notes)
    later = adapted.trained
    return Trained(later.engine, done.train_s + later.train_s, (*notes, *later.notes))


def _details(done: Pretrained, texts: Sequence[str], held_out: Sequence[str]) -> dict[str, Any]:
    """What other programs are told."""
    return {
        "texts": len(texts),
        "held_out": len(held_out),
        "perplexity": {"before": done.before, "after": done.after, "tokens": done.tokens, "measure": done.measure},
        "train_s": done.train_s,
    }
