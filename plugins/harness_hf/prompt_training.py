"""Fine-tuning on prompts: PET (Schick & Schuetze 2021, arXiv:2001.07676), LM-BFF (Gao et al. 2021, arXiv:2012.15723).

With s(y | x) the sum of the log-probabilities of y's words after the prompt P(x), or in its masks, the loss of a row is
-log softmax_y s(y | x) at the right label. Joint training mixes in ordinary rows, classified from the bare text by a
new linear head on the same body: (1 - joint) x the mean over prompts + joint x the mean over ordinary rows. The head
is thrown away; the trained model is prompted.
"""

from __future__ import annotations

import math
import random
from dataclasses import asdict, dataclass, replace
from itertools import islice
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

import torch
import transformers
from torch import nn
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

from harness.errors import TrainingError
from harness.interfaces import Trained
from harness.records import Prompt
from harness_hf import causal, encoder
from harness_hf.causal import CausalEngine
from harness_hf.cloze import ClozeEngine
from harness_hf.descent import Descent, seeded
from harness_hf.keeping import kept, record, replacing
from harness_hf.learnable import check_answers, check_examples
from harness_hf.loading import load_model, load_tokenizer, quiet
from harness_hf.mask_logits import MaskLogits
from harness_hf.questions import answer_scores, causal_questions, masked_questions, padded, parts
from harness_hf.tokens import token_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from harness.interfaces import Engine, TrainingJob
    from harness_hf.questions import Question
    from harness_hf.settings import Settings

TOKENS = 2048
"""Tokens of one forward; a batch that reads more runs in parts, whose gradients are summed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The hyperparameters.

    Attributes:
        epochs: passes over the prompts.
        batch_size: prompts a step, and ordinary rows beside them.
        learning_rate: of AdamW at its peak, after which it falls linearly to 0.
        weight_decay: of AdamW.
        warmup: the share of all steps during which the learning rate rises.
        max_tokens: what does not fit is left out as in prompts, in training and in answering.
        patience: epochs without a lower validation loss after which training stops.
        joint: the weight of the loss on ordinary rows; 0: prompts alone.
    """

    epochs: int = 10
    batch_size: int = 8
    learning_rate: float = 1e-5
    weight_decay: float = 0.01
    warmup: float = 0.0
    max_tokens: int = 256
    patience: int = 3
    joint: float = 0.0


class _Loads(Protocol):
    def load(self, folder: Path, settings: Settings, device: str) -> Engine: ...


@dataclass(frozen=True, slots=True)
class Kind:
    """What differs between masked and causal models.

    Attributes:
        auto: the auto class that makes the model.
        engine: what answers with it.
        window: how many tokens it can read.
        questions: prompts -> what is read of them.
        state: (B, L, D) states and (B, L) mask -> (B, D): what an ordinary row is classified from.
    """

    auto: Any
    engine: _Loads
    window: Callable[[PreTrainedModel, PreTrainedTokenizerBase], int | None]
    questions: Callable[..., list[Question]]
    state: Callable[[Tensor, Tensor], Tensor]


def _mean(states: Tensor, mask: Tensor) -> Tensor:
    return (states * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)


def _last(states: Tensor, mask: Tensor) -> Tensor:
    return states[torch.arange(len(states), device=states.device), mask.sum(1) - 1]


MASKED = Kind(
    AutoModelForMaskedLM,
    ClozeEngine,
    lambda model, tokenizer: encoder.window_of(model.config, tokenizer),
    masked_questions,
    _mean,
)
CAUSAL = Kind(
    AutoModelForCausalLM, CausalEngine, lambda model, _: causal.window_of(model.config), causal_questions, _last
)


def train(job: TrainingJob, folder: Path, settings: Settings, *, masked: bool) -> Trained:
    """Train, or take the complete result in the job's folder; both give the engine that is loaded from there.

    The epoch with the lowest loss on the validation prompts is kept.

    Raises:
        TrainingError: when there is nothing to learn from, or a number is not finite.
        ModelError: when answers can't be scored.
    """
    kind = MASKED if masked else CAUSAL
    known = kept(job.folder, job.labels)
    notes: tuple[str, ...] = ("trained in an earlier run",)
    if known is None:
        check_examples(job)
        check_answers(job)
        with replacing(job.folder) as part:
            known = _train(job, folder, settings, kind, part)
        notes = ()
    answering = replace(settings, max_length=known["max_tokens"])
    engine = kind.engine.load(job.folder, answering, job.device)
    return Trained(engine, known["train_s"], (*known["notes"], *notes))


def _train(job: TrainingJob, folder: Path, settings: Settings, kind: Kind, part: Path) -> dict[str, Any]:
    """Train into a folder that becomes the job's; what is recorded of it."""
    plan = Plan(**job.hyperparameters)
    started = perf_counter()
    tokenizer = load_tokenizer(folder, trust_remote_code=settings.trust_remote_code)
    model = load_model(kind.auto, folder, replace(settings, dtype="float32"), job.device)
    cut = min(plan.max_tokens, settings.window(kind.window(model, tokenizer)) or plan.max_tokens)
    with seeded(job.seed, model.device):
        lesson = _Lesson(job, plan, kind, model, tokenizer, replace(settings, max_length=cut))
        losses = lesson.run(part)
    notes = [] if job.validation else ["no validation rows: the last epoch is kept"]
    if lesson.shortened:
        notes.append(f"{lesson.shortened} training and validation prompts were cut to {cut} tokens")
    return record(
        part,
        {
            "train_s": perf_counter() - started,
            "labels": list(job.labels),
            "max_tokens": cut,
            "seed": job.seed,
            "plan": asdict(plan),
            "steps": lesson.steps,
            "epochs": lesson.epochs,
            "best_epoch": 1 + losses.index(min(losses)) if losses else None,
            "validation": [{"epoch": epoch, "loss": loss} for epoch, loss in enumerate(losses, 1)],
            "notes": notes,
            "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        },
    )


class _Lesson:
    """One training in memory."""

    def __init__(
        self,
        job: TrainingJob,
        plan: Plan,
        kind: Kind,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        settings: Settings,
    ) -> None:
        self._job, self._plan, self._kind, self._model, self._tokenizer = job, plan, kind, model, tokenizer
        self._numbers = {label: number for number, label in enumerate(job.labels)}
        self._pad = tokenizer.pad_token_id or 0
        self._logits = MaskLogits(model)
        self._questions = self._asked(job.examples, settings)
        self._held_out = self._asked(job.validation, settings)
        self._rng = random.Random(f"prompts {job.seed}")
        self._ordinary = self._rows(settings) if plan.joint else []
        if plan.joint and not self._ordinary:
            raise TrainingError("joint training needs ordinary rows", hint="set joint=0")
        self._head = _head(model, len(job.labels)) if plan.joint else nn.Identity()
        self._descent = Descent(
            [model, self._head],
            learning_rate=plan.learning_rate,
            weight_decay=plan.weight_decay,
            warmup=plan.warmup,
            steps=plan.epochs * math.ceil(len(self._questions) / plan.batch_size),
        )
        self.shortened = sum(one.cut > 0 for one in (*self._questions, *self._held_out))
        self.epochs = 0

    @property
    def steps(self) -> int:
        """Steps that were made."""
        return self._descent.done

    def run(self, part: Path) -> list[float]:
        """Train, and save the epoch that is kept; the validation loss of each epoch."""
        losses: list[float] = []
        stream = self._stream()
        for _ in range(self._plan.epochs):
            self.epochs += 1
            self._epoch(stream)
            if not self._held_out:
                continue
            losses.append(self._validation_loss())
            self._descent.check(losses[-1])
            behind = len(losses) - 1 - losses.index(min(losses))  # epochs since the best
            if not behind:
                self._save(part)
            elif behind >= self._plan.patience:
                break
        if not self._held_out:
            self._descent.check()
            self._save(part)
        return losses

    def _epoch(self, stream: Iterator[tuple[list[int], int]]) -> None:
        self._model.train()
        order = self._rng.sample(self._questions, len(self._questions))
        for begin in range(0, len(order), self._plan.batch_size):
            batch = order[begin : begin + self._plan.batch_size]
            self._descent.step(self._losses(batch, list(islice(stream, len(batch)))))

    def _losses(self, batch: Sequence[Question], ordinary: Sequence[tuple[list[int], int]]) -> Iterator[Tensor]:
        """Parts whose sum is (1 - joint) x mean prompt loss + joint x mean ordinary loss."""
        weight = self._plan.joint
        for part in parts(batch, TOKENS):
            yield (1 - weight) * self._prompt_loss(part) / len(batch)
        if ordinary:
            inputs = padded([ids for ids, _ in ordinary], self._pad, self._model.device)
            states = self._model.base_model(**inputs).last_hidden_state.float()
            right = torch.tensor([label for _, label in ordinary], device=self._model.device)
            yield weight * cross_entropy(self._head(self._kind.state(states, inputs["attention_mask"])), right)

    def _prompt_loss(self, questions: Sequence[Question]) -> Tensor:
        """The sum over questions."""
        scores = answer_scores(self._logits, self._pad, questions, len(self._job.labels))
        right = torch.tensor([one.right for one in questions], device=self._model.device)
        return cross_entropy(scores, right, reduction="sum")

    @torch.no_grad()
    def _validation_loss(self) -> float:
        self._model.eval()
        total = sum(float(self._prompt_loss(part)) for part in parts(self._held_out, TOKENS))
        return total / len(self._held_out)

    def _save(self, part: Path) -> None:
        with quiet():
            self._model.save_pretrained(part)
            self._tokenizer.save_pretrained(part)

    # --- rows ----------------------------------------------------------------------------------------

    def _asked(self, examples: Sequence[tuple[str, str]], settings: Settings) -> list[Question]:
        prompts = [Prompt(text, (), self._job.instruction) for text, _ in examples]
        answers = tuple(self._job.answers[label] for label in self._job.labels)
        right = [self._numbers[label] for _, label in examples]
        return self._kind.questions(self._tokenizer, settings, prompts, answers, right)

    def _rows(self, settings: Settings) -> list[tuple[list[int], int]]:
        texts = [text for text, _ in self._job.ordinary]
        cut = {"truncation": True, "max_length": settings.max_length}
        found = token_ids(self._tokenizer, texts, **cut) if texts else []
        rows = [(ids, self._numbers[label]) for ids, (_, label) in zip(found, self._job.ordinary, strict=True)]
        return [(ids, label) for ids, label in rows if ids]

    def _stream(self) -> Iterator[tuple[list[int], int]]:
        """Ordinary rows without end: all of them in a new order, again and again."""
        while self._ordinary:
            yield from self._rng.sample(self._ordinary, len(self._ordinary))


def _head(model: PreTrainedModel, labels: int) -> nn.Linear:
    width = int(model.config.get_text_config().hidden_size)
    head = nn.Linear(width, labels, device=model.device)
    nn.init.normal_(head.weight, std=0.02)
    nn.init.zeros_(head.bias)
    return head
