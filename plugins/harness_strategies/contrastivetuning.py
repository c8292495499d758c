"""SetFit: an encoder tuned on pairs of rows, then logistic regression (Tunstall et al. 2022, arXiv:2209.11055)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from harness.answers import classify, decide
from harness.errors import PluginError
from harness.interfaces import Adapted, Trainable, TrainingJob, cannot_train
from harness.records import LabelBudget
from harness.requests import as_one
from harness.templates import render_text
from harness_strategies.drawing import SHOTS, SIZES, drawn, one_size, said_of
from harness_strategies.whereabouts import placed

if TYPE_CHECKING:
    from harness.interfaces import Model, Setting, Sizes, TaskView
    from harness.records import TaskSpec

PLAN = ("pairs", "epochs", "batch_size", "learning_rate", "weight_decay", "warmup", "max_tokens")


@dataclass(frozen=True, slots=True)
class SetFit:
    """Tune the encoder so that rows of a label lie close, then fit a classifier on its embeddings of the same rows.

    The loss of a pair is (cos(u, v) - t)^2, with t = 1 for two rows of a label and 0 for others. The classifier is
    logistic regression (C = 1) on embeddings of length 1. Validation rows are not used. The text is `prompt.input`.

    Args:
        shots: training rows of each label; 16 where `train_size` is not given.
        train_size: instead, a seeded stratified draw of this many training rows.
        pairs: pairs for each row, half of them with its own label.
        epochs: passes over the pairs.
        batch_size: pairs a step.
        learning_rate: of AdamW, at its peak.
        weight_decay: of AdamW.
        warmup: share of all steps with a rising learning rate.
        max_tokens: longer inputs are cut, for training and for answering.

    Raises:
        ParameterError: when both `shots` and `train_size` are given.
        PluginError: when scikit-learn is not installed.
    """

    shots: Annotated[int, Field(ge=1)] | None = None
    train_size: Annotated[int, Field(ge=1)] | None = None
    pairs: Annotated[int, Field(ge=2)] = 20
    epochs: Annotated[int, Field(ge=1)] = 1
    batch_size: Annotated[int, Field(ge=1)] = 16
    learning_rate: Annotated[float, Field(gt=0)] = 2e-5
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    warmup: Annotated[float, Field(ge=0, le=1)] = 0.1
    max_tokens: Annotated[int, Field(ge=1)] = 256

    reads: ClassVar[frozenset[str]] = frozenset({"train"})
    sizes: ClassVar[Sizes] = SIZES

    def __post_init__(self) -> None:
        one_size(self.shots, self.train_size)
        if find_spec("sklearn") is None:
            raise PluginError("setfit needs scikit-learn", hint="pip install 'adapt-harness[baselines]'")

    def refuses(self, model: Model, spec: TaskSpec) -> str | None:
        """Needs an encoder that can be tuned on pairs, and labels."""
        if not spec.labelled:
            return f"only classification is learnt from pairs, not {spec.kind}"
        why = cannot_train(model, "contrastive")
        return f"the model can't be tuned on pairs of texts, as encoders can: {why}" if why else None

    def adapt(self, model: Model, task: TaskView, setting: Setting) -> Adapted:
        """Tune, or take the encoder that the same tuning left in the cache, and fit the classifier.

        Raises:
            TrainingError: when training goes wrong.
        """
        assert isinstance(model, Trainable)  # noqa: S101 - refuses() has seen to it
        spec = task.spec
        shots = SHOTS if self.shots is None and self.train_size is None else self.shots
        train = drawn(task.samples("train"), shots, self.train_size, setting.seed)
        notes = (said_of(spec, train, shots, self.train_size),)
        asked, budget = (partial(classify, spec), partial(decide, spec)), LabelBudget(train=len(train))
        if setting.dry:
            return Adapted(*asked, notes=notes, budget=budget)
        from harness_strategies.probe import on_top

        job = TrainingJob(
            examples=[(as_one(render_text(spec, sample)), sample.target) for sample in train],
            validation=(),
            labels=tuple(spec.labels),
            seed=setting.seed,
            device=setting.device,
            hyperparameters={name: getattr(self, name) for name in PLAN},
            folder=Path(),
            method="contrastive",
        )
        tuned = model.train(placed(model, job, setting))
        return Adapted(*asked, on_top(tuned, job.examples, job.labels), notes, budget)
