"""Fine-tuning: cross-entropy on the training rows, the best epoch chosen on validation rows (Devlin et al. 2019).

Numbers are learnt by squared errors, sets of labels by the cross-entropy of each label, entities by that of each
word's tag, answers in passages by that of where they begin and end.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from harness.answers import classify, decide, example
from harness.interfaces import Adapted, Trainable, TrainingJob, cannot_learn, cannot_train
from harness.records import LabelBudget
from harness_strategies.drawing import SIZES, drawn_both, one_size, refuses_shots, said_of
from harness_strategies.whereabouts import placed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.interfaces import Model, Setting, Sizes, TaskView
    from harness.records import Sample, TaskSpec

OWN = frozenset({"train_size", "shots"})
"""Parameters of the strategy that are none of the training itself."""
VIRTUAL = frozenset({"prompt-tuning", "prefix-tuning"})


@dataclass(frozen=True, slots=True)
class FineTune:
    """Train the model to give the task's labels, numbers or entities; it reads `prompt.input`, a pair's texts, words.

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
        class_weights: `balanced`: each label counts as much as any other, however many rows it has; of single labels.
        accumulation: parts that a batch is cut into, for memory's sake; the steps are the same.
        gradient_checkpointing: less memory for a third more time.
        train_size: a seeded stratified draw of this many training rows, and of no more validation rows; all where it is
            not given.
        shots: instead, this many training rows of each label, and as many validation rows at most.

    Raises:
        ParameterError: when both `shots` and `train_size` are given.
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
    shots: Annotated[int, Field(ge=1)] | None = None

    method: ClassVar[str] = "head"
    reads: ClassVar[frozenset[str]] = frozenset({"train", "validation"})
    sizes: ClassVar[Sizes] = SIZES

    def __post_init__(self) -> None:
        one_size(self.shots, self.train_size)

    def refuses(self, model: Model, spec: TaskSpec) -> str | None:
        """Needs a model that can be trained that way, and labels, numbers, entities or passages."""
        if isinstance(model, Trainable) and spec.learnt is None:
            return f"only labels, numbers, entities and answers in passages are fine-tuned, not {spec.kind}"
        if self.class_weights != "none" and not spec.labelled:
            return f"class_weights={self.class_weights} is of tasks whose rows have one label each"
        if spec.learnt in {"tags", "span"} and self.method in VIRTUAL:
            return f"{self.method} is for texts as a whole, not for single words"
        unable = cannot_train(model, self.method)
        if unable or spec.learnt is None:
            return unable
        return cannot_learn(model, spec.learnt) or refuses_shots(spec, self.shots)

    def adapt(self, model: Model, task: TaskView, setting: Setting) -> Adapted:
        """Train, or take the checkpoint that the same training left in the cache.

        Raises:
            TrainingError: when training goes wrong.
        """
        assert isinstance(model, Trainable)  # noqa: S101 - refuses() has seen to it
        given = {one.name: getattr(self, one.name) for one in dataclasses.fields(self) if one.name not in OWN}
        understood = {name: value for name, value in given.items() if name in model.hyperparameters}
        train, validation = drawn_both(task, self.shots, self.train_size, setting.seed)
        job = _job(model, task.spec, (train, validation), setting, self.method, understood)
        trained = model.train(job)
        notes = (*self._unused(model, given), *self._sizes(task, train, validation))
        if lacking := len(train) - len(job.examples):
            notes = (*notes, f"{lacking} training rows left out, whose answer does not stand in the passage")
        budget = LabelBudget(train=len(train), validation=len(validation))
        return Adapted(partial(classify, task.spec), partial(decide, task.spec), trained, notes, budget)

    def _unused(self, model: Trainable, given: dict[str, Any]) -> tuple[str, ...]:
        """Parameters that somebody set and that mean nothing to this model."""
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        unused = [
            name for name, value in given.items() if name not in model.hyperparameters and value != defaults[name]
        ]
        return (f"not used by this model: {', '.join(unused)}",) if unused else ()

    def _sizes(self, task: TaskView, train: Sequence[Sample], validation: Sequence[Sample]) -> tuple[str, ...]:
        """How many rows there were to train on, and how many the epoch was chosen on where that is fewer than all."""
        said = said_of(task.spec, train, self.shots, self.train_size)
        whole = len(task.samples("validation"))
        if len(validation) == whole:
            return (said,)
        return (said, f"{len(validation)} of {whole} validation rows, no more than training rows")


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
        examples=[found for sample in train if (found := example(spec, sample))],
        validation=[found for sample in validation if (found := example(spec, sample))],
        labels=tuple(spec.labels),
        seed=setting.seed,
        device=setting.device,
        hyperparameters=hyperparameters,
        folder=Path(),
        method=method,
        learnt=spec.learnt or "label",
    )
    return placed(model, job, setting)
