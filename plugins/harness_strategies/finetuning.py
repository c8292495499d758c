"""Fine-tuning: cross-entropy on the training rows, the best epoch chosen on validation rows (Devlin et al. 2019)."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from harness.answers import classify, decide
from harness.interfaces import (
    Adapted,
    ExplainsTraining,
    Trainable,
    TrainableInWays,
    TrainingJob,
)
from harness.records import LabelBudget
from harness.sampling import draw
from harness.templates import render_input

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.interfaces import Model, Setting, TaskView
    from harness.records import Sample, Split, TaskSpec

OWN = frozenset({"train_size"})
"""Parameters of the strategy that are none of the training itself."""


@dataclass(frozen=True, slots=True)
class FineTune:
    """Train the model as a classifier of the task's labels; its input is the task's `prompt.input`.

    Other ways to train (`harness_strategies.tuning`) are this one with another `method` and other parameters.

    Args:
        epochs: passes over the training rows.
        batch_size: training rows a step.
        learning_rate: of AdamW, at its peak.
        weight_decay: of AdamW.
        warmup: steps of linear warm-up; never more than a tenth of all steps, since few steps with a long warm-up
            learn nothing.
        max_tokens: longer inputs are cut for training and for answering.
        patience: epochs without a better validation score after which training stops.
        class_weights: `balanced`: each label counts as much as any other, however many rows it has.
        accumulation: parts that a batch is cut into, for memory's sake; the steps are the same.
        gradient_checkpointing: less memory for a third more time.
        train_size: a seeded stratified draw of this many training rows, and of no more validation rows; all where it is
            not given.
    """

    epochs: Annotated[int, Field(ge=1)] = 3
    batch_size: Annotated[int, Field(ge=1)] = 16
    learning_rate: Annotated[float, Field(gt=0)] = 5e-5
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    warmup: Annotated[int, Field(ge=0)] = 500
    max_tokens: Annotated[int, Field(ge=1)] = 256
    patience: Annotated[int, Field(ge=1)] = 2
    class_weights: Literal["none", "balanced"] = "none"
    accumulation: Annotated[int, Field(ge=1)] = 1
    gradient_checkpointing: bool = False
    train_size: Annotated[int, Field(ge=1)] | None = None

    method: ClassVar[str] = "head"
    reads: ClassVar[frozenset[str]] = frozenset({"train", "validation"})

    def refuses(self, model: Model, spec: TaskSpec) -> str | None:
        """Needs a model that can be trained that way, and labels."""
        if not isinstance(model, Trainable):
            return "the model can't be trained"
        if spec.kind != "classification":
            return f"only classification is fine-tuned, not {spec.kind}"
        methods = model.methods if isinstance(model, TrainableInWays) else {"head"}
        if self.method in methods:
            return None
        why = model.cannot(self.method) if isinstance(model, ExplainsTraining) else None
        return why or f"the model can't be trained by {self.method}"

    def adapt(self, model: Model, task: TaskView, setting: Setting) -> Adapted:
        """Train, or take the checkpoint that the same training left in the cache.

        Raises:
            TrainingError: when training goes wrong.
        """
        assert isinstance(model, Trainable)  # noqa: S101 - refuses() has seen to it
        given = {one.name: getattr(self, one.name) for one in dataclasses.fields(self) if one.name not in OWN}
        understood = {name: value for name, value in given.items() if name in model.hyperparameters}
        train, validation = self._rows(task, "train", setting), self._rows(task, "validation", setting)
        job = _job(model, task.spec, (train, validation), setting, self.method, understood)
        trained = model.train(job)
        notes = (*self._unused(model, given), *self._sizes(task, job))
        budget = LabelBudget(train=len(train), validation=len(validation))
        return Adapted(partial(classify, task.spec), partial(decide, task.spec), trained, notes, budget)

    def _rows(self, task: TaskView, split: Split, setting: Setting) -> Sequence[Sample]:
        """The rows of a split. Choosing on more rows than one trains on would be no few-shot (Perez et al. 2021)."""
        rows = task.samples(split)
        if self.train_size is None:
            return rows
        return draw(rows, self.train_size, lambda sample: (sample.target, sample.context or ""), seed=setting.seed)

    def _unused(self, model: Trainable, given: dict[str, Any]) -> tuple[str, ...]:
        """Parameters that somebody set and that mean nothing to this model."""
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        unused = [
            name for name, value in given.items() if name not in model.hyperparameters and value != defaults[name]
        ]
        return (f"not used by this model: {', '.join(unused)}",) if unused else ()

    def _sizes(self, task: TaskView, job: TrainingJob) -> tuple[str, ...]:
        """How many rows there were to train on, and how many the epoch was chosen on where that is fewer than all."""
        said = f"{len(job.examples)} training rows"
        if self.train_size is not None and len(job.examples) < self.train_size:
            said += f": {task.spec.name} has no {self.train_size}"
        whole = len(task.samples("validation"))
        if len(job.validation) == whole:
            return (said,)
        return (said, f"{len(job.validation)} of {whole} validation rows, no more than train_size")


def _job(
    model: Model,
    spec: TaskSpec,
    rows: tuple[Sequence[Sample], Sequence[Sample]],
    setting: Setting,
    method: str,
    hyperparameters: dict[str, Any],
) -> TrainingJob:
    train, validation = rows
    job = TrainingJob(
        examples=[(render_input(spec, sample), sample.target) for sample in train],
        validation=[(render_input(spec, sample), sample.target) for sample in validation],
        labels=tuple(spec.labels),
        seed=setting.seed,
        device=setting.device,
        hyperparameters=hyperparameters,
        folder=Path(),
        method=method,
    )
    return dataclasses.replace(job, folder=setting.folder / "checkpoints" / _digest(model, job, setting))


def _digest(model: Model, job: TrainingJob, setting: Setting) -> str:
    """Names what training would give: the same model, rows in order, labels, method, parameters, seed and plugins."""
    parts = [
        model.fingerprint(),
        list(job.examples),
        list(job.validation),
        job.labels,
        job.method,
        dict(job.hyperparameters),
        job.seed,
        dict(setting.versions),
    ]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()
