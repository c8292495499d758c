"""Contrastive fine-tuning of an encoder on pairs of a few rows (SetFit, Tunstall et al. 2022, arXiv:2209.11055).

The loss of two texts is (cos(u, v) - t)^2, t = 1 where they share their label and 0 where they do not (Reimers &
Gurevych 2019, arXiv:1908.10084). What comes of it is an encoder: its engine embeds.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import asdict, dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import transformers
from transformers import AutoModel

from harness.interfaces import Trained
from harness_hf.descent import Descent, seeded
from harness_hf.encoder import EmbeddingEngine, embedded, window_of
from harness_hf.keeping import kept, record, replacing
from harness_hf.learnable import check_examples
from harness_hf.loading import load_model, load_tokenizer, quiet
from harness_hf.questions import padded
from harness_hf.tokens import token_ids

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor
    from transformers import PreTrainedModel

    from harness.interfaces import TrainingJob
    from harness_hf.settings import Pooling, Settings


@dataclass(frozen=True, slots=True)
class Plan:
    """The hyperparameters.

    Attributes:
        pairs: for each example, half of them with its own label.
        epochs: passes over the pairs.
        batch_size: pairs a step.
        learning_rate: of AdamW at its peak, after which it falls linearly to 0.
        weight_decay: of AdamW.
        warmup: the share of all steps during which the learning rate rises.
        max_tokens: longer texts are cut on the right, in training and in answering.
    """

    pairs: int = 20
    epochs: int = 1
    batch_size: int = 16
    learning_rate: float = 2e-5
    weight_decay: float = 0.01
    warmup: float = 0.1
    max_tokens: int = 256


class Pair(NamedTuple):
    """Two examples by number, and the cosine that they should have."""

    left: int
    right: int
    target: float


def pairs(labels: Sequence[str], each: int, rng: random.Random) -> list[Pair]:
    """For each example `each` partners, in a random order: half (rounded up) of its label, half of others.

    An example is never its own partner: the only one of its label has partners of other labels alone.
    """
    found: list[Pair] = []
    for left, label in enumerate(labels):
        same = [right for right, other in enumerate(labels) if other == label and right != left]
        different = [right for right, other in enumerate(labels) if other != label]
        found += [Pair(left, rng.choice(same), 1.0) for _ in range(each - each // 2) if same]
        found += [Pair(left, rng.choice(different), 0.0) for _ in range(each // 2) if different]
    rng.shuffle(found)
    return found


def pair_loss(left: Tensor, right: Tensor, targets: Tensor) -> Tensor:
    """(B, D) vectors twice and (B,) targets -> the mean of (cos - target)^2."""
    return (torch.cosine_similarity(left, right) - targets).square().mean()


def train(job: TrainingJob, folder: Path, settings: Settings) -> Trained:
    """Tune the encoder, or take the complete result in the job's folder; its engine answers `Embed`.

    Raises:
        TrainingError: when there is nothing to learn from, or a number is not finite.
    """
    known = kept(job.folder, job.labels)
    notes: tuple[str, ...] = ("tuned in an earlier run",)
    if known is None:
        check_examples(job)
        with replacing(job.folder) as part:
            known = _train(job, folder, settings, part)
        notes = ()
    engine = EmbeddingEngine.load(job.folder, replace(settings, max_length=known["max_tokens"]), job.device)
    return Trained(engine, known["train_s"], (*known["notes"], *notes))


def _train(job: TrainingJob, folder: Path, settings: Settings, part: Path) -> dict[str, Any]:
    """Tune into a folder that becomes the job's; what is recorded of it."""
    plan = Plan(**job.hyperparameters)
    started = perf_counter()
    tokenizer = load_tokenizer(folder, trust_remote_code=settings.trust_remote_code)
    model = load_model(AutoModel, folder, replace(settings, dtype="float32"), job.device)
    cut = min(plan.max_tokens, settings.window(window_of(model.config, tokenizer)) or plan.max_tokens)
    texts = [text for text, _ in job.examples]
    ids = token_ids(tokenizer, texts, truncation=True, max_length=cut)
    drawn = pairs([label for _, label in job.examples], plan.pairs, random.Random(f"pairs {job.seed}"))
    with seeded(job.seed, model.device):
        steps = _fit(model, ids, drawn, plan, settings.pooling, tokenizer.pad_token_id or 0)
    with quiet():
        model.save_pretrained(part)
        tokenizer.save_pretrained(part)
    return record(
        part,
        {
            "train_s": perf_counter() - started,
            "labels": list(job.labels),
            "max_tokens": cut,
            "seed": job.seed,
            "plan": asdict(plan),
            "pairs": len(drawn),
            "steps": steps,
            "notes": [f"{len(drawn)} pairs in {steps} steps", *_alone(job)],
            "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        },
    )


def _fit(
    model: PreTrainedModel, ids: Sequence[list[int]], drawn: Sequence[Pair], plan: Plan, pooling: Pooling, pad: int
) -> int:
    """Train in place; the number of steps."""
    descent = Descent(
        [model],
        learning_rate=plan.learning_rate,
        weight_decay=plan.weight_decay,
        warmup=plan.warmup,
        steps=plan.epochs * math.ceil(len(drawn) / plan.batch_size),
    )
    model.train()
    for _ in range(plan.epochs):
        for begin in range(0, len(drawn), plan.batch_size):
            batch = drawn[begin : begin + plan.batch_size]
            # Of few rows most stand in several pairs of a batch: each is embedded once.
            rows = sorted({row for pair in batch for row in pair[:2]})
            vectors = embedded(model, padded([ids[row] for row in rows], pad, model.device), pooling)
            left, right = (vectors[[rows.index(pair[side]) for pair in batch]] for side in (0, 1))
            targets = torch.tensor([pair.target for pair in batch], device=model.device)
            descent.step([pair_loss(left, right, targets)])
    descent.check()
    model.eval()
    return descent.done


def _alone(job: TrainingJob) -> list[str]:
    counts = Counter(label for _, label in job.examples)
    alone = [label for label in job.labels if counts[label] == 1]
    return [f"labels with a single row, which has no pair of its own label: {', '.join(alone)}"] if alone else []
