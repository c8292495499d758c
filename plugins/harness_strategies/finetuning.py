"""Fine-tuning: cross-entropy on the training rows, the best epoch chosen on validation rows (Devlin et al. 2019)."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from harness.answers import classify, decide
from harness.interfaces import Adapted, RefusesTraining, Trainable, TrainingJob
from harness.sampling import draw
from harness.templates import render_input

if TYPE_CHECKING:
    from harness.interfaces import Model, Setting, TaskView
    from harness.records import TaskSpec

HYPERPARAMETERS = ("epochs", "batch_size", "learning_rate", "weight_decay", "warmup", "max_tokens", "patience")


@dataclass(frozen=True, slots=True)
class FineTune:
    """Train the model as a classifier of the task's labels; its input is the task's `prompt.input`.

    Args:
        epochs: passes over the training rows.
        batch_size: training rows a step.
        learning_rate: of AdamW, at its peak.
        weight_decay: of AdamW.
        warmup: steps of linear warm-up; never more than a tenth of all steps, since few steps with a long warm-up
            learn nothing.
        max_tokens: longer inputs are cut for training and for answering.
        patience: epochs without a better validation score after which training stops.
        train_size: a seeded stratified draw of this many training rows; all where it is not given.
    """

    epochs: Annotated[int, Field(ge=1)] = 3
    batch_size: Annotated[int, Field(ge=1)] = 16
    learning_rate: Annotated[float, Field(gt=0)] = 5e-5
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    warmup: Annotated[int, Field(ge=0)] = 500
    max_tokens: Annotated[int, Field(ge=1)] = 256
    patience: Annotated[int, Field(ge=1)] = 2
    train_size: Annotated[int, Field(ge=1)] | None = None

    reads: ClassVar[frozenset[str]] = frozenset({"train", "validation"})

    def refuses(self, model: Model, spec: TaskSpec) -> str | None:
        """Needs a model that can be trained, and labels."""
        if not isinstance(model, Trainable) or "head" not in getattr(model, "methods", {"head"}):
            return "the model can't be trained"
        if isinstance(model, RefusesTraining) and (reason := model.refuses_training()):
            return reason
        if spec.kind != "classification":
            return f"only classification is fine-tuned, not {spec.kind}"
        return None

    def adapt(self, model: Model, task: TaskView, setting: Setting) -> Adapted:
        """Train, or take the checkpoint that the same training left in the cache.

        Raises:
            TrainingError: when training goes wrong.
        """
        assert isinstance(model, Trainable)  # noqa: S101 - refuses() has seen to it
        given = {name: getattr(self, name) for name in HYPERPARAMETERS}
        understood = {name: value for name, value in given.items() if name in model.hyperparameters}
        job = self._job(model, task, setting, understood)
        trained = model.train(job)
        notes = (*self._unused(model, given), *self._size(task.spec, job))
        return Adapted(partial(classify, task.spec), partial(decide, task.spec), trained, notes)

    def _job(self, model: Model, task: TaskView, setting: Setting, hyperparameters: dict[str, Any]) -> TrainingJob:
        spec = task.spec
        train = task.samples("train")
        if self.train_size is not None:
            train = draw(
                train, self.train_size, lambda sample: (sample.target, sample.context or ""), seed=setting.seed
            )
        job = TrainingJob(
            examples=[(render_input(spec, sample), sample.target) for sample in train],
            validation=[(render_input(spec, sample), sample.target) for sample in task.samples("validation")],
            labels=tuple(spec.labels),
            seed=setting.seed,
            device=setting.device,
            hyperparameters=hyperparameters,
            folder=Path(),
        )
        return dataclasses.replace(job, folder=setting.folder / "checkpoints" / _digest(model, job, setting))

    def _unused(self, model: Trainable, given: dict[str, Any]) -> tuple[str, ...]:
        """Parameters that somebody set and that mean nothing to this model."""
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        unused = [
            name for name, value in given.items() if name not in model.hyperparameters and value != defaults[name]
        ]
        return (f"not used by this model: {', '.join(unused)}",) if unused else ()

    def _size(self, spec: TaskSpec, job: TrainingJob) -> tuple[str, ...]:
        if self.train_size is None or len(job.examples) == self.train_size:
            return (f"{len(job.examples)} training rows",)
        return (f"{len(job.examples)} training rows: {spec.name} has no {self.train_size}",)


def _digest(model: Model, job: TrainingJob, setting: Setting) -> str:
    """Names what training would give: the same model, rows in order, labels, parameters, seed and plugins."""
    parts = [
        model.fingerprint(),
        list(job.examples),
        list(job.validation),
        job.labels,
        dict(job.hyperparameters),
        job.seed,
        dict(setting.versions),
    ]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()
