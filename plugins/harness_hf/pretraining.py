"""Continued pre-training of causal and masked language models on further texts (Gururangan et al. 2020).

Causal: the mean of -log p(token | those before it). Masked: the mean of -log p(token | the corrupted text) over drawn
tokens, of which 80% stand as masks, 10% as any token and 10% as they are (Devlin et al. 2019, arXiv:1810.04805), drawn
anew for each pass. Perplexity is exp of that mean over held-out texts; of a masked model on one draw, the same before
and after, so it is no probability of a text and compares with nothing but itself.
"""

from __future__ import annotations

import math
import random
from dataclasses import asdict, dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch
import transformers
from torch.nn.functional import cross_entropy

from harness.errors import TrainingError
from harness.interfaces import Pretrained
from harness_hf.descent import Descent, seeded
from harness_hf.keeping import kept, record, replacing
from harness_hf.loading import load_model, load_tokenizer, quiet
from harness_hf.mask_logits import MaskLogits
from harness_hf.prompt_training import CAUSAL, MASKED
from harness_hf.questions import padded, parts
from harness_hf.tokens import specials, token_ids

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from harness.interfaces import Model, PretrainingJob
    from harness_hf.settings import Settings

TOKENS = 1024
"""Tokens of one forward; a batch that reads more runs in parts, whose gradients are summed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The hyperparameters.

    Attributes:
        epochs: passes over the texts.
        batch_size: pieces of texts a step.
        learning_rate: of AdamW at its peak, after which it falls linearly to 0.
        weight_decay: of AdamW.
        warmup: the share of all steps during which the learning rate rises.
        max_tokens: texts are cut into pieces of so many tokens.
        mask: the share of a text's tokens that a masked model has to find; at least one.
    """

    epochs: int = 1
    batch_size: int = 8
    learning_rate: float = 5e-5
    weight_decay: float = 0.01
    warmup: float = 0.06
    max_tokens: int = 256
    mask: float = 0.15


@dataclass(frozen=True, slots=True)
class Piece:
    """What is read at once, and what is to be found.

    Attributes:
        ids: that the model reads.
        places: where its logits are looked at.
        targets: the token to be found at each of them.
    """

    ids: Sequence[int]
    places: Sequence[int]
    targets: Sequence[int]

    @property
    def tokens(self) -> int:
        """How many tokens the model reads."""
        return len(self.ids)


def pretrain(job: PretrainingJob, folder: Path, settings: Settings, model: Model, *, masked: bool) -> Pretrained:
    """Train the checkpoint of a folder into the job's, or find that complete.

    Args:
        job: what to train on.
        folder: of the checkpoint as it is.
        settings: of the model.
        model: the one that the job's folder will hold.
        masked: whether it fills blanks.

    Raises:
        TrainingError: when there is nothing to learn from, or a number is not finite.
    """
    known = kept(job.folder, ())
    notes: tuple[str, ...] = ("pre-trained in an earlier run",)
    if known is None:
        with replacing(job.folder) as part:
            known = _train(job, folder, settings, part, masked=masked)
        notes = ()
    return Pretrained(
        model,
        known["train_s"],
        known["perplexity"]["before"],
        known["perplexity"]["after"],
        known["measure"],
        known["measured_tokens"],
        (f"pre-training: {known['tokens']:,} tokens in {known['steps']:,} steps", *notes),
    )


def _train(job: PretrainingJob, folder: Path, settings: Settings, part: Path, *, masked: bool) -> dict[str, Any]:
    """Train into a folder that becomes the job's; what is recorded of it."""
    plan, kind = Plan(**job.hyperparameters), MASKED if masked else CAUSAL
    tokenizer = load_tokenizer(folder, trust_remote_code=settings.trust_remote_code)
    model = load_model(kind.auto, folder, replace(settings, dtype="float32"), job.device)
    window = min(plan.max_tokens, settings.window(kind.window(model, tokenizer)) or plan.max_tokens)
    reader = MaskedReader(tokenizer, window, plan.mask) if masked else CausalReader(tokenizer, window)
    texts = reader.pieces(job.texts)
    held_out = reader.questions(reader.pieces(job.held_out), random.Random(f"held out {job.seed}"))
    if not texts or not held_out:
        raise TrainingError("the texts have no token that follows another: there is nothing to learn")
    lesson = _Lesson(model, tokenizer.pad_token_id or 0)
    with seeded(job.seed, model.device):
        before = lesson.loss(held_out)
        started = perf_counter()
        descent = lesson.run(texts, reader, plan, random.Random(f"texts {job.seed}"))
        train_s = perf_counter() - started
        after = lesson.loss(held_out)
    descent.check(after)
    with quiet():
        model.save_pretrained(part)
        tokenizer.save_pretrained(part)
    return record(
        part,
        {
            "train_s": train_s,
            "labels": [],
            "perplexity": {"before": _exp(before), "after": _exp(after)},
            "measure": reader.measure,
            "measured_tokens": sum(len(one.targets) for one in held_out),
            "seed": job.seed,
            "plan": asdict(plan),
            "texts": len(job.texts),
            "pieces": len(texts),
            "tokens": sum(map(len, texts)),
            "steps": descent.done,
            "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        },
    )


def _exp(loss: float) -> float:
    """Perplexity of a mean loss.

    Raises:
        TrainingError: when it is beyond any number.
    """
    try:
        return math.exp(loss)
    except OverflowError:
        raise TrainingError(
            f"the loss on held-out texts is {loss:g}: training diverged", hint="lower pretrain_learning_rate"
        ) from None


class _Lesson:
    """One model that is trained in place."""

    def __init__(self, model: PreTrainedModel, pad: int) -> None:
        self._model, self._pad = model, pad
        self._logits = MaskLogits(model)

    def run(self, texts: Sequence[Sequence[int]], reader: CausalReader, plan: Plan, rng: random.Random) -> Descent:
        """Train on all pieces, in a new order each epoch."""
        descent = Descent(
            [self._model],
            learning_rate=plan.learning_rate,
            weight_decay=plan.weight_decay,
            warmup=plan.warmup,
            steps=plan.epochs * math.ceil(len(texts) / plan.batch_size),
        )
        self._model.train()
        for _ in range(plan.epochs):
            order = rng.sample(reader.questions(texts, rng), len(texts))
            for begin in range(0, len(order), plan.batch_size):
                descent.step(self.losses(order[begin : begin + plan.batch_size]))
        self._model.eval()
        return descent

    def losses(self, batch: Sequence[Piece]) -> Iterator[Tensor]:
        """Parts whose sum is the mean loss over all tokens to be found."""
        whole = sum(len(one.targets) for one in batch)
        for part in parts(batch, TOKENS):
            yield self._sum(part) / whole

    @torch.no_grad()
    def loss(self, pieces: Sequence[Piece]) -> float:
        """The mean over all tokens to be found."""
        total = sum(float(self._sum(part)) for part in parts(pieces, TOKENS))
        return total / sum(len(one.targets) for one in pieces)

    def _sum(self, part: Sequence[Piece]) -> Tensor:
        device = self._model.device
        inputs = padded([one.ids for one in part], self._pad, device)
        rows = torch.tensor([row for row, one in enumerate(part) for _ in one.places], device=device)
        columns = torch.tensor([place for one in part for place in one.places], device=device)
        targets = torch.tensor([target for one in part for target in one.targets], device=device)
        return cross_entropy(self._logits.at(inputs, rows, columns), targets, reduction="sum")


# --- reading ---------------------------------------------------------------------------------------


class CausalReader:
    """Each token is to be found from those before it; the first of a piece is not.

    Args:
        tokenizer: puts its special tokens around each piece.
        window: tokens of a piece.
    """

    measure = "tokens, given those before,"

    def __init__(self, tokenizer: PreTrainedTokenizerBase, window: int) -> None:
        self._tokenizer = tokenizer
        self._before, self._behind = specials(tokenizer)
        self._room = window - len(self._before) - len(self._behind)

    def pieces(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of the texts, long ones cut; pieces without anything to find are left out."""
        found = token_ids(self._tokenizer, texts, add_special_tokens=False) if texts else []
        cut = [ids[begin : begin + self._room] for ids in found for begin in range(0, len(ids), self._room)]
        whole = [[*self._before, *ids, *self._behind] for ids in cut]
        return [ids for ids in whole if self._findable(ids)]

    def questions(self, pieces: Sequence[Sequence[int]], rng: random.Random) -> list[Piece]:
        """What is to be found of each; nothing is drawn."""
        del rng
        return [Piece(ids, range(len(ids) - 1), ids[1:]) for ids in pieces]

    def _findable(self, ids: Sequence[int]) -> bool:
        return len(ids) > 1


class MaskedReader(CausalReader):
    """Drawn tokens are to be found in a text where they are hidden (Devlin et al. 2019).

    Args:
        tokenizer: puts its special tokens around each piece; these are never drawn.
        window: tokens of a piece.
        share: of a piece's tokens that are drawn.
    """

    measure = "masked tokens (of one draw)"

    def __init__(self, tokenizer: PreTrainedTokenizerBase, window: int, share: float) -> None:
        super().__init__(tokenizer, window)
        self._share = share

    def questions(self, pieces: Sequence[Sequence[int]], rng: random.Random) -> list[Piece]:
        """Each piece corrupted, in its order."""
        return [self._corrupted(ids, rng) for ids in pieces]

    def _corrupted(self, ids: Sequence[int], rng: random.Random) -> Piece:
        inner = range(len(self._before), len(ids) - len(self._behind))
        places = sorted(rng.sample(inner, max(1, round(self._share * len(inner)))))
        read = list(ids)
        for place in places:
            chance = rng.random()
            if chance < 0.8:
                read[place] = int(self._tokenizer.mask_token_id)
            elif chance < 0.9:
                read[place] = rng.randrange(len(self._tokenizer))
        return Piece(read, places, [ids[place] for place in places])

    def _findable(self, ids: Sequence[int]) -> bool:
        return len(ids) > len(self._before) + len(self._behind)
