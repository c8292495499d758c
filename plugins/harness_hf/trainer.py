"""The Hugging Face `Trainer` as it trains classifiers: own losses, the best epoch kept, nothing printed."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import transformers
from transformers import DataCollatorForTokenClassification, DataCollatorWithPadding, Trainer, TrainerCallback
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from harness.errors import TrainingError
from harness_hf.adapters import read_trained, write_trained
from harness_hf.devices import pick_device
from harness_hf.objectives import IGNORED, Objective

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from harness.interfaces import TrainingJob
    from harness.records import Text
    from harness_hf.plan import Plan

EVALUATION_BATCH = 64

Rows = list[dict[str, Any]]


class ClassTrainer(Trainer):
    """Trains a classifier by the mean of its targets' losses.

    The mean is over the targets of a step, so that cutting a batch into parts changes nothing. Stops at the first loss
    that is not a number, instead of training on with broken weights.
    """

    weights: Tensor
    objective: Objective

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,  # noqa: ANN401 - as inherited
    ) -> Any:  # noqa: ANN401 - as inherited
        """The loss, and the model's outputs where they are asked for."""
        targets = inputs["labels"]
        outputs = model(**{name: value for name, value in inputs.items() if name != "labels"})
        loss = self.weighted(outputs, targets, num_items_in_batch)
        if not torch.isfinite(loss).all():
            rate = self.args.learning_rate
            raise TrainingError(
                f"the loss is not finite at step {self.state.global_step + 1}, with learning rate {rate:g}",
                hint="lower learning_rate",
            )
        return (loss, outputs) if return_outputs else loss

    def weighted(self, outputs: Any, targets: Tensor, num_items_in_batch: Any = None) -> Tensor:  # noqa: ANN401
        """Sum of the losses over a part of a step, by the number of targets in the whole step."""
        losses = self.objective.loss(self.objective.logits(outputs), targets, self.weights)
        return losses / (targets.ne(IGNORED).sum() if num_items_in_batch is None else num_items_in_batch)


class BestEpoch(TrainerCallback):
    """Keeps the trained weights of the epoch with the lowest validation loss; stops when it is long past.

    Args:
        file: for the weights.
        patience: epochs without a lower loss after which training stops.
    """

    def __init__(self, file: Path, patience: int) -> None:
        self._file = file
        self._patience = patience
        self._lowest = float("inf")
        self._since = 0

    def on_evaluate(self, *told: Any, **context: Any) -> None:  # noqa: ANN401 - as inherited
        """Compare the epoch with the best one."""
        loss = context["metrics"]["eval_loss"]
        if loss < self._lowest:
            self._lowest, self._since = loss, 0
            write_trained(context["model"], self._file)
            return
        self._since += 1
        told[2].should_training_stop = self._since >= self._patience


class _Bar(ProgressCallback):
    """A progress bar on standard error, without the log lines that the original writes to standard output."""

    def on_log(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as inherited
        """Say nothing."""


@dataclass(frozen=True, slots=True)
class Material:
    """What is trained, and on what.

    Attributes:
        model: with the parameters to train left trainable; may be wrapped by peft.
        tokenizer: pads.
        rows: token ids and numbers of labels, for training.
        validation: the same, for choosing the epoch; may be empty.
        work: a folder for what is kept of the best epoch.
        parts: into how many a batch is cut; their gradients are summed.
    """

    model: Any
    tokenizer: PreTrainedTokenizerBase
    rows: Rows
    validation: Rows
    work: Path
    parts: int


def fit(job: TrainingJob, plan: Plan, material: Material) -> Trainer:
    """Train; the model then holds the epoch to keep.

    Raises:
        TrainingError: when a loss is not finite.
    """
    trainer = make_trainer(job, plan, material)
    file = material.work / "best.safetensors"
    if material.validation:
        trainer.add_callback(BestEpoch(file, plan.patience))
    trainer.train()
    if file.is_file():
        read_trained(material.model, file)
        file.unlink()
    return trainer


def make_trainer(job: TrainingJob, plan: Plan, material: Material) -> ClassTrainer:
    """The trainer, ready to begin."""
    objective = Objective.of(job)
    tags: Any = DataCollatorForTokenClassification(material.tokenizer, label_pad_token_id=IGNORED)
    trainer = ClassTrainer(
        model=material.model,
        args=_arguments(job, plan, material.work, material.parts),
        data_collator=tags if job.learnt == "tags" else DataCollatorWithPadding(material.tokenizer),
        train_dataset=material.rows,
        eval_dataset=material.validation or None,
        processing_class=material.tokenizer,
        compute_metrics=objective.score,
    )
    trainer.objective = objective
    trainer.weights = torch.tensor(plan.weights([label for _, label in job.examples], job.labels))
    trainer.compute_loss_func = trainer.weighted  # tells the Trainer to count a step's targets, and not to divide again
    trainer.model_accepts_loss_kwargs = False
    trainer.remove_callback(PrinterCallback)  # it prints to standard output
    if sys.stderr.isatty():
        trainer.add_callback(_Bar)
    return trainer


def _arguments(job: TrainingJob, plan: Plan, work: Path, parts: int) -> transformers.TrainingArguments:
    device = pick_device(job.device).type
    arguments = transformers.TrainingArguments(
        output_dir=str(work),
        num_train_epochs=plan.epochs,
        per_device_train_batch_size=plan.batch_size // parts,
        gradient_accumulation_steps=parts,
        per_device_eval_batch_size=max(1, EVALUATION_BATCH // parts),
        learning_rate=plan.learning_rate,
        weight_decay=plan.weight_decay,
        warmup_steps=plan.warmup_steps(len(job.examples)),
        lr_scheduler_type="linear",
        max_grad_norm=1.0,
        bf16=device == "cuda" and torch.cuda.is_bf16_supported(),
        train_sampling_strategy="group_by_length",
        eval_strategy="epoch" if job.validation else "no",
        save_strategy="no",
        logging_strategy="no",
        label_names=["labels"],
        remove_unused_columns=False,
        seed=job.seed,
        data_seed=job.seed,
        use_cpu=device == "cpu",
        dataloader_pin_memory=device == "cuda",
        disable_tqdm=True,
        report_to="none",
    )
    if arguments.n_gpu > 1:
        arguments._n_gpu = 1  # else the Trainer would spread every batch over all of them
    return arguments


def missing(examples: Sequence[tuple[Text, str]], labels: Sequence[str]) -> list[str]:
    """The labels that no example has."""
    seen = {label for _, label in examples}
    return [label for label in labels if label not in seen]
