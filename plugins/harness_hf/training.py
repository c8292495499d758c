"""Fine-tuning of an encoder as a classifier with the Hugging Face `Trainer` (Devlin et al. 2019)."""

from __future__ import annotations

import logging
import math
import shutil
import sys
from dataclasses import asdict, dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import transformers
from transformers import AutoModelForSequenceClassification, DataCollatorWithPadding, EarlyStoppingCallback, Trainer
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from harness.errors import TrainingError
from harness.interfaces import Trained
from harness_hf.batching import is_out_of_memory
from harness_hf.devices import pick_device
from harness_hf.encoder import ClassifierEngine, window_of
from harness_hf.keeping import kept, record, replacing
from harness_hf.loading import load_model, load_tokenizer, quiet
from harness_hf.tokens import token_ids

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from transformers import EvalPrediction, PreTrainedTokenizerBase

    from harness.interfaces import TrainingJob
    from harness_hf.settings import Settings

EVALUATION_BATCH = 64

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """The hyperparameters, see `EncoderModel.hyperparameters`.

    Attributes:
        epochs: passes over the examples.
        batch_size: examples a step.
        learning_rate: of AdamW at its peak, after which it falls linearly to 0.
        weight_decay: of AdamW.
        warmup: steps of linear warm-up; at most a tenth of all, as few steps with a long warm-up learn nothing.
        max_tokens: longer texts are cut on the right, in training and in answering.
        patience: epochs without a lower validation loss after which training stops.
    """

    epochs: int = 3
    batch_size: int = 16
    learning_rate: float = 5e-5
    weight_decay: float = 0.01
    warmup: int = 500
    max_tokens: int = 256
    patience: int = 2

    def warmup_steps(self, examples: int) -> int:
        """The warm-up for so many examples."""
        return min(self.warmup, math.ceil(examples / self.batch_size) * self.epochs // 10)


def train(job: TrainingJob, folder: Path, settings: Settings) -> Trained:
    """Train a classifier, or take the complete one in the job's folder; both give the engine that is loaded from there.

    The epoch with the lowest validation loss is kept: on few rows it tells epochs apart that have equal macro-F1.

    Raises:
        TrainingError: when there is nothing to learn from, the loss is not finite, or memory does not suffice.
    """
    known = kept(job.folder, job.labels)
    if known is None:
        _check(job)
        with replacing(job.folder) as part:
            known = _train(job, folder, settings, part)
        notes = tuple(known["notes"])
    else:
        notes = (*known["notes"], "trained in an earlier run")
    answering = replace(settings, max_length=known["max_tokens"])
    return Trained(ClassifierEngine.load(job.folder, answering, job.device), known["train_s"], notes)


def _check(job: TrainingJob) -> None:
    seen = {label for _, label in job.examples}
    unknown = sorted((seen | {label for _, label in job.validation}) - set(job.labels))
    if not job.examples:
        raise TrainingError("there are no training examples")
    if unknown:
        raise TrainingError(f"label {unknown[0]!r} of the examples is not among {', '.join(job.labels)}")
    if len(seen) == 1:
        raise TrainingError(f"all {len(job.examples)} training examples have the label {min(seen)!r}: nothing to learn")


def _train(job: TrainingJob, folder: Path, settings: Settings, part: Path) -> dict[str, Any]:
    """Train into a folder that becomes the job's; what is recorded of it."""
    plan = Plan(**job.hyperparameters)
    split = 1
    while True:
        started = perf_counter()
        try:
            trainer, cut = _fit(job, folder, settings, plan, part / "epochs", split)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if 2 * split > plan.batch_size:
                raise TrainingError("out of memory with a single example", hint="lower max_tokens") from error
        else:
            train_s = perf_counter() - started
            break
        split = next(parts for parts in range(2 * split, plan.batch_size + 1) if plan.batch_size % parts == 0)
        log.warning("out of memory: training starts again with %d parts a batch", split)
    shutil.rmtree(part / "epochs", ignore_errors=True)
    model: Any = trainer.model
    tokenizer: Any = trainer.processing_class
    with quiet():
        model.save_pretrained(part)
        tokenizer.save_pretrained(part)
    epochs = [entry for entry in trainer.state.log_history if "eval_loss" in entry]
    notes = [] if job.validation else ["no validation rows: the last epoch is kept"]
    if split > 1:
        notes.append(f"batches were cut into {split} parts, since memory ran out")
    best = min(epochs, key=lambda entry: entry["eval_loss"], default=None)
    return record(
        part,
        {
            "train_s": train_s,
            "labels": list(job.labels),
            "max_tokens": cut,
            "seed": job.seed,
            "plan": asdict(plan),
            "warmup_steps": plan.warmup_steps(len(job.examples)),
            "steps": trainer.state.global_step,
            "epochs": round(trainer.state.epoch or 0),
            "best_epoch": best and round(best["epoch"]),
            "validation": [
                {"epoch": round(entry["epoch"]), "loss": entry["eval_loss"], "macro_f1": entry["eval_macro_f1"]}
                for entry in epochs
            ],
            "notes": notes,
            "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        },
    )


def _fit(job: TrainingJob, folder: Path, settings: Settings, plan: Plan, work: Path, split: int) -> tuple[Trainer, int]:
    """The trainer after training, holding the epoch to keep, and the number of tokens at which texts are cut.

    Args:
        job: see `TrainingJob`.
        folder: of the checkpoint to start from.
        settings: of the model.
        plan: hyperparameters.
        work: for what is kept of each epoch.
        split: into how many parts a batch is cut for memory's sake; their gradients are summed.
    """
    device = pick_device(job.device)
    if (device.index or 0) > 0:
        hint = f"hide the others: CUDA_VISIBLE_DEVICES={device.index} harness ... --device cuda"
        raise TrainingError("the Trainer trains on the first GPU only", hint=hint)
    tokenizer = load_tokenizer(folder, trust_remote_code=settings.trust_remote_code)
    transformers.set_seed(job.seed)  # the new head is drawn now
    model = load_model(
        AutoModelForSequenceClassification, folder, replace(settings, dtype="float32"), job.device, labels=job.labels
    )
    cut = min(plan.max_tokens, settings.window(window_of(model.config, tokenizer)) or plan.max_tokens)
    with quiet():
        trainer = _FiniteTrainer(
            model=model,
            args=_arguments(job, plan, work, split),
            data_collator=DataCollatorWithPadding(tokenizer),
            train_dataset=_rows(job.examples, job.labels, tokenizer, cut),
            eval_dataset=_rows(job.validation, job.labels, tokenizer, cut) or None,
            processing_class=tokenizer,
            compute_metrics=_macro_f1,
            callbacks=[EarlyStoppingCallback(plan.patience)] if job.validation else [],
        )
        trainer.remove_callback(PrinterCallback)  # it prints to standard output
        if sys.stderr.isatty():
            trainer.add_callback(_Bar)
        trainer.train()
    return trainer, cut


def _arguments(job: TrainingJob, plan: Plan, work: Path, split: int) -> transformers.TrainingArguments:
    each_epoch = "epoch" if job.validation else "no"
    device = pick_device(job.device).type
    arguments = transformers.TrainingArguments(
        output_dir=str(work),
        num_train_epochs=plan.epochs,
        per_device_train_batch_size=plan.batch_size // split,
        gradient_accumulation_steps=split,
        per_device_eval_batch_size=max(1, EVALUATION_BATCH // split),
        learning_rate=plan.learning_rate,
        weight_decay=plan.weight_decay,
        warmup_steps=plan.warmup_steps(len(job.examples)),
        lr_scheduler_type="linear",
        max_grad_norm=1.0,
        train_sampling_strategy="group_by_length",
        eval_strategy=each_epoch,
        save_strategy=each_epoch,
        logging_strategy="no",
        load_best_model_at_end=bool(job.validation),
        metric_for_best_model="loss",
        greater_is_better=False,
        save_only_model=True,
        save_total_limit=1,
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


def _rows(
    examples: Sequence[tuple[str, str]], labels: Sequence[str], tokenizer: PreTrainedTokenizerBase, cut: int
) -> list[dict[str, Any]]:
    if not examples:
        return []
    numbers = {label: number for number, label in enumerate(labels)}
    texts = [text for text, _ in examples]
    ids = token_ids(tokenizer, texts, truncation=True, max_length=cut)
    return [{"input_ids": row, "labels": numbers[label]} for row, (_, label) in zip(ids, examples, strict=True)]


def _macro_f1(evaluated: EvalPrediction) -> dict[str, float]:
    """The mean of F1 over the labels that are predicted or true."""
    predicted, true = np.argmax(evaluated.predictions, -1), np.asarray(evaluated.label_ids)
    present = np.union1d(predicted, true)
    hits = [2 * np.sum((predicted == label) & (true == label)) for label in present]
    sizes = [np.sum(predicted == label) + np.sum(true == label) for label in present]
    return {"macro_f1": float(np.mean([hit / size for hit, size in zip(hits, sizes, strict=True)]))}


class _FiniteTrainer(Trainer):
    """Stops at the first loss that is not a number, instead of training on with broken weights."""

    def compute_loss(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as inherited
        """The loss, and the model's outputs where they are asked for."""
        found = super().compute_loss(*args, **kwargs)
        loss = found[0] if isinstance(found, tuple) else found
        if not torch.isfinite(loss).all():
            raise TrainingError(
                f"the loss is not finite after {self.state.global_step} steps", hint="lower learning_rate"
            )
        return found


class _Bar(ProgressCallback):
    """A progress bar on standard error, without the log lines that the original writes to standard output."""

    def on_log(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as inherited
        """Say nothing."""
