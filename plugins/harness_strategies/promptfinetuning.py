"""Fine-tuning on prompts: PET (Schick & Schuetze 2021, arXiv:2001.07676), LM-BFF (Gao et al. 2021, arXiv:2012.15723).

What the model is trained to say is what it is asked: the label's words after the task's prompt, or in its masks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from harness.answers import ask, decide
from harness.interfaces import Adapted, Trainable, TrainingJob, cannot_train
from harness.records import LabelBudget, Prompt
from harness.templates import render_head, render_input, render_query
from harness_strategies.drawing import SHOTS, SIZES, drawn_both, one_size, said_of
from harness_strategies.whereabouts import placed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.interfaces import Model, Setting, Sizes, TaskView
    from harness.records import Request, Sample, TaskSpec

PLAN = ("epochs", "batch_size", "learning_rate", "weight_decay", "warmup", "max_tokens", "patience", "joint")


@dataclass(frozen=True, slots=True)
class PromptFineTune:
    """Train the model to answer the task's prompt with the labels' words, then prompt it.

    The loss of a row is -log softmax over labels of s(y | x), where s is the log-likelihood of y's words after the
    prompt or, of a masked language model, in its masks. The best epoch is chosen on no more validation than training
    rows.

    Args:
        shots: training rows of each label, and as many validation rows at most; 16 where `train_size` is not given.
        train_size: instead, a seeded stratified draw of this many training rows.
        joint: weight of the loss of a linear head on the bare input: (1 - joint) x prompts + joint x ordinary rows.
        epochs: passes over the training rows.
        batch_size: training rows a step.
        learning_rate: of AdamW, at its peak.
        weight_decay: of AdamW.
        warmup: share of all steps with a rising learning rate.
        max_tokens: prompts are cut to it, for training and for answering.
        patience: epochs without a better validation loss after which training stops.

    Raises:
        ParameterError: when both `shots` and `train_size` are given.
    """

    shots: Annotated[int, Field(ge=1)] | None = None
    train_size: Annotated[int, Field(ge=1)] | None = None
    joint: Annotated[float, Field(ge=0, lt=1)] = 0.0
    epochs: Annotated[int, Field(ge=1)] = 10
    batch_size: Annotated[int, Field(ge=1)] = 8
    learning_rate: Annotated[float, Field(gt=0)] = 1e-5
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    warmup: Annotated[float, Field(ge=0, le=1)] = 0.0
    max_tokens: Annotated[int, Field(ge=1)] = 256
    patience: Annotated[int, Field(ge=1)] = 3

    reads: ClassVar[frozenset[str]] = frozenset({"prompt", "train", "validation"})
    sizes: ClassVar[Sizes] = SIZES

    def __post_init__(self) -> None:
        one_size(self.shots, self.train_size)

    def refuses(self, model: Model, spec: TaskSpec) -> str | None:
        """Needs labels with words, and a model that can be trained on prompts."""
        if not spec.labelled:
            return f"only classification is fine-tuned, not {spec.kind}"
        silent = [label for label, said in spec.labels.items() if not said.strip()]
        if silent:
            return f"the label {silent[0]!r} has no words that say it after a prompt"
        why = cannot_train(model, "prompt")
        return f"the model can't be trained on prompts: {why}" if why else None

    def adapt(self, model: Model, task: TaskView, setting: Setting) -> Adapted:
        """Train, or take the checkpoint that the same training left in the cache.

        Raises:
            TrainingError: when training goes wrong.
        """
        assert isinstance(model, Trainable)  # noqa: S101 - refuses() has seen to it
        spec, answers = task.spec, model.answers
        train, validation = drawn_both(task, *self._size, setting.seed)
        head = render_head(spec)

        def requests(sample: Sample) -> tuple[Request, ...]:
            return (ask(spec, sample, Prompt(render_query(spec, sample), (), head), answers=answers),)

        notes = (said_of(spec, train, *self._size), f"{len(validation)} validation rows")
        trained = None
        if not setting.dry:
            trained = model.train(placed(model, self._job(spec, train, validation, head, setting), setting))
        budget = LabelBudget(train=len(train), validation=len(validation))
        return Adapted(requests, partial(decide, spec), trained, notes, budget)

    @property
    def _size(self) -> tuple[int | None, int | None]:
        return (SHOTS if self.shots is None and self.train_size is None else self.shots), self.train_size

    def _job(
        self, spec: TaskSpec, train: Sequence[Sample], validation: Sequence[Sample], head: str, setting: Setting
    ) -> TrainingJob:
        return TrainingJob(
            examples=[(render_query(spec, sample), sample.target) for sample in train],
            validation=[(render_query(spec, sample), sample.target) for sample in validation],
            labels=tuple(spec.labels),
            seed=setting.seed,
            device=setting.device,
            hyperparameters={name: getattr(self, name) for name in PLAN},
            folder=Path(),
            method="prompt",
            answers=dict(spec.labels),
            instruction=head,
            ordinary=[(render_input(spec, sample), sample.target) for sample in train] if self.joint else [],
        )
