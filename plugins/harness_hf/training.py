"""Training a checkpoint to classify texts, tokens: fine-tuning (Devlin et al. 2019), or an adapter's parameters."""

from __future__ import annotations

import logging
import shutil
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from time import perf_counter
from typing import TYPE_CHECKING, Any

import transformers

from harness.errors import TrainingError
from harness.interfaces import Trained
from harness_hf.adapters import TRAINED, adapted, bare, merged, read_trained, share, write_trained
from harness_hf.batching import is_out_of_memory
from harness_hf.classifier import class_ids, new_classifier, read_last, segmented
from harness_hf.devices import pick_device
from harness_hf.encoder import ClassifierEngine, window_of
from harness_hf.keeping import kept, record, replacing
from harness_hf.learnable import check_examples
from harness_hf.loading import quiet
from harness_hf.objectives import SCORES, Objective
from harness_hf.plan import NEED_PEFT, Plan
from harness_hf.spans import SpanEngine, span_rows
from harness_hf.tagging import TaggerEngine, tagged_rows
from harness_hf.trainer import Material, fit, missing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase, Trainer

    from harness.interfaces import TrainingJob
    from harness.records import Text
    from harness_hf.settings import Settings
    from harness_hf.trainer import Rows

log = logging.getLogger(__name__)


def train(job: TrainingJob, folder: Path, settings: Settings) -> Trained:
    """Train a classifier, or take the complete one in the job's folder; both give the engine that is loaded from there.

    The epoch with the lowest validation loss is kept: on few rows it tells epochs apart that have equal macro-F1.
    Numbers are learnt standardised, by squared errors; sets of labels by the cross-entropy of each label, tags by
    that of each word's last token, answers in passages by that of
    their first and last one.

    Raises:
        TrainingError: when there is nothing to learn from, the loss is not finite, memory does not suffice, or the
            architecture can't be trained by the job's method.
    """
    known = kept(job.folder, job.labels)
    if known is None:
        check_examples(job)
        with replacing(job.folder) as part:
            known = _train(job, folder, settings, part)
        notes = tuple(known["notes"])
    else:
        notes = (*known["notes"], "trained in an earlier run")
    answering = replace(settings, max_length=known["max_tokens"])
    engine = _engine(job, folder, answering)
    if isinstance(engine, ClassifierEngine):
        engine.scale = known.get("scale", engine.scale)
    return Trained(engine, known["train_s"], notes)


def _engine(job: TrainingJob, folder: Path, settings: Settings) -> ClassifierEngine | TaggerEngine | SpanEngine:
    """What answers: the whole model of the job's folder, or the checkpoint with the few weights that it holds."""
    made_by = {"tags": TaggerEngine, "span": SpanEngine}.get(job.learnt, ClassifierEngine)
    if job.method == "head":
        return made_by.load(job.folder, settings, job.device)
    plan = Plan.of(job.method, job.hyperparameters)
    base, tokenizer = _new(job, folder, settings)
    model = adapted(base, job.method, plan)
    read_trained(model, job.folder / TRAINED)
    return made_by(merged(model).eval(), tokenizer, settings)


def _new(job: TrainingJob, folder: Path, settings: Settings) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The checkpoint with a new head."""
    return new_classifier(folder, settings, job.device, Objective.of(job).labels, job.learnt)


# --- training ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Fitted:
    """A trainer after training, holding the epoch to keep; the tokens at which texts are cut; seconds; parts."""

    trainer: Trainer
    cut: int
    train_s: float
    parts: int


def _train(job: TrainingJob, folder: Path, settings: Settings, part: Path) -> dict[str, Any]:
    """Train into a folder that becomes the job's; what is recorded of it."""
    plan = Plan.of(job.method, job.hyperparameters)
    fitted = _fit_in_memory(job, folder, settings, plan, part / "epochs")
    shutil.rmtree(part / "epochs", ignore_errors=True)
    model: Any = fitted.trainer.model
    tokenizer: Any = fitted.trainer.processing_class
    with quiet():
        if job.method == "head":
            model.save_pretrained(part)
            tokenizer.save_pretrained(part)
        else:
            write_trained(model, part / TRAINED)
    return record(part, _facts(job, plan, fitted))


def _facts(job: TrainingJob, plan: Plan, fitted: _Fitted) -> dict[str, Any]:
    """What is to be known of a training."""
    state, objective = fitted.trainer.state, Objective.of(job)
    epochs = [entry for entry in state.log_history if "eval_loss" in entry]
    best = min(epochs, key=lambda entry: entry["eval_loss"], default=None)
    own, whole = share(fitted.trainer.model)
    libraries = ["torch", "transformers", *(["peft"] if job.method in NEED_PEFT else [])]
    return {
        "method": job.method,
        "train_s": fitted.train_s,
        "labels": list(job.labels),
        "scale": [objective.mean, objective.deviation],
        "max_tokens": fitted.cut,
        "seed": job.seed,
        "plan": asdict(plan),
        "warmup_steps": plan.warmup_steps(len(job.examples)),
        "steps": state.global_step,
        "parameters": {"trained": own, "all": whole},
        "epochs": round(state.epoch or 0),
        "best_epoch": best and round(best["epoch"]),
        "validation": [
            {
                "epoch": round(entry["epoch"]),
                "loss": entry["eval_loss"],
                **{name: entry[f"eval_{name}"] for name in SCORES if f"eval_{name}" in entry},
            }
            for entry in epochs
        ],
        "notes": list(_notes(job, plan, fitted)),
        "versions": {library: version(library) for library in libraries},
    }


def _notes(job: TrainingJob, plan: Plan, fitted: _Fitted) -> Sequence[str]:
    own, whole = share(fitted.trainer.model)
    notes = [f"{own:,} of {whole:,} parameters trained ({own / whole:.2%}), {fitted.trainer.state.global_step} steps"]
    absent = missing(job.examples, job.labels) if job.learnt == "label" else []
    if absent:
        notes.append(f"no training row has the label {', '.join(absent)}")
    if not job.validation:
        notes.append("no validation rows: the last epoch is kept")
    if fitted.parts > plan.accumulation:
        notes.append(f"batches were cut into {fitted.parts} parts, since memory ran out")
    return notes


def _fit_in_memory(job: TrainingJob, folder: Path, settings: Settings, plan: Plan, work: Path) -> _Fitted:
    """Train; where memory runs out, begin anew with batches cut into more parts."""
    parts = plan.accumulation
    while True:
        started = perf_counter()
        try:
            trainer, cut = _fit(job, folder, settings, plan, work, parts)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if 2 * parts > plan.batch_size:
                raise TrainingError("out of memory with a single example", hint="lower max_tokens") from error
        else:
            return _Fitted(trainer, cut, perf_counter() - started, parts)
        parts = next(more for more in range(2 * parts, plan.batch_size + 1) if plan.batch_size % more == 0)
        log.warning("out of memory: training starts again with %d parts a batch", parts)


def _fit(job: TrainingJob, folder: Path, settings: Settings, plan: Plan, work: Path, parts: int) -> tuple[Trainer, int]:
    """The trainer after training, holding the epoch to keep, and the number of tokens at which texts are cut.

    Args:
        job: see `TrainingJob`.
        folder: of the checkpoint to start from.
        settings: of the model.
        plan: hyperparameters.
        work: for what is kept of the best epoch.
        parts: into how many a batch is cut for memory's sake; their gradients are summed.
    """
    device = pick_device(job.device)
    if (device.index or 0) > 0:
        hint = f"hide the others: CUDA_VISIBLE_DEVICES={device.index} harness ... --device cuda"
        raise TrainingError("the Trainer trains on the first GPU only", hint=hint)
    transformers.set_seed(job.seed)  # the new head is drawn now
    objective = Objective.of(job)
    base, tokenizer = _new(job, folder, replace(settings, dtype="float32"))
    cut = cut_at(job.method, plan, settings.window(window_of(base.config, tokenizer)))
    model = adapted(base, job.method, plan)
    if job.learnt not in {"tags", "span"}:
        read_last(bare(model))
    if plan.gradient_checkpointing:
        _checkpoint(bare(model))
    work.mkdir(exist_ok=True)
    rows = rows_of(job.examples, objective, tokenizer, base.config, cut)
    validation = rows_of(job.validation, objective, tokenizer, base.config, cut)
    with quiet():
        return fit(job, plan, Material(model, tokenizer, rows, validation, work, parts)), cut


def _checkpoint(model: PreTrainedModel) -> None:
    # transformers 5 renames it in between
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    try:
        enable({"use_reentrant": False})
    except ValueError as error:
        hint = "leave gradient_checkpointing out"
        raise TrainingError(f"{type(model).__name__} can't compute activations anew", hint=hint) from error


def cut_at(method: str, plan: Plan, window: int | None) -> int:
    """The tokens of a text that are read: virtual tokens need places of their own.

    Raises:
        TrainingError: when they leave no place for the text.
    """
    virtual = plan.virtual_tokens if method in {"prompt-tuning", "prefix-tuning"} else 0
    if window is None:
        return plan.max_tokens
    if virtual >= window:
        raise TrainingError(f"{virtual} virtual tokens fill the model's {window}", hint="lower virtual_tokens")
    return min(plan.max_tokens, window - virtual)


def rows_of(
    examples: Sequence[tuple[Text, str]],
    objective: Objective,
    tokenizer: PreTrainedTokenizerBase,
    config: PreTrainedConfig,
    cut: int,
) -> Rows:
    """Token ids and target of each example, and which tokens are of a pair's second text where the model asks."""
    if not examples:
        return []
    if objective.learnt == "span":
        return span_rows(examples, tokenizer, config, cut)
    if objective.learnt == "tags":
        return tagged_rows(examples, objective.targets(examples), tokenizer, cut)
    ids = class_ids(tokenizer, config, [text for text, _ in examples], truncation=True, max_length=cut)
    targets = objective.targets(examples)
    rows = segmented(tokenizer, config, ids)
    return [{**row, "labels": one} for row, one in zip(rows, targets, strict=True)]
