"""Answers on their way to being written: their tokens, where they end, how a next token is chosen, what they make."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING, Literal

import torch

from harness.errors import ModelError
from harness.records import Generated, Written
from harness.seeds import answer_seeds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from harness.records import Generate, LogLikelihood, Usage
    from harness_hf.decoder import Decoder
    from harness_hf.prompts import Answerable
    from harness_hf.seq2seq_model import EncoderDecoder


@dataclass(slots=True, eq=False)
class Answer:
    """A prompt on its way to being answered.

    Attributes:
        name: for errors.
        ids: tokens of the prompt.
        limit: most new tokens.
        stop: strings that end it and are not part of it.
        temperature: 0 takes the most likely token, else one is drawn from softmax(logits / temperature).
        top_p: see `nucleus`; 1 draws from all tokens.
        seed: of the draws.
        ends: tokens that end it.
        new: tokens so far, the ending one included.
        text: what they say, when it is finished.
        finish: why it is finished.
        first_at: when its first token was there, by `time.perf_counter`.
        draws: the random numbers of this answer alone.
    """

    name: str
    ids: tuple[int, ...]
    limit: int
    stop: tuple[str, ...]
    temperature: float
    top_p: float
    seed: int
    ends: frozenset[int]
    new: list[int] = field(default_factory=list)
    text: str = ""
    finish: Literal["stop", "length"] = "length"
    first_at: float | None = None
    draws: torch.Generator | None = None

    def begin(self) -> None:
        """Forget what a batch that ran out of memory has left."""
        self.new = []
        self.draws = torch.Generator().manual_seed(self.seed)

    def add(self, token: int, decode: Callable[[Sequence[int]], str]) -> bool:
        """Take a token; True when the answer is finished with it."""
        if not self.new:
            self.first_at = perf_counter()
        self.new.append(token)
        if token in self.ends:
            self.text, self.finish = decode(self.new[:-1]), "stop"
            return True
        last = len(self.new) == self.limit
        if not (last or self.stop):
            return False
        text = decode(self.new)
        found = [at for at in (text.find(stop) for stop in self.stop) if at >= 0]
        if found:
            self.text, self.finish = text[: min(found)], "stop"
        elif last:
            self.text = text
        return bool(found) or last


def begun(name: str, request: Generate, fitted: Answerable, ends: frozenset[int]) -> list[Answer]:
    """The n answers of a request, to be filled in."""
    return [
        Answer(name, fitted.ids, fitted.limit, request.stop, request.temperature, request.top_p, seed, ends)
        for seed in answer_seeds(request.seed, request.n)
    ]


def generated(usage: Usage, answers: Sequence[Answer], asked_at: float) -> Generated:
    """The response that the answers to one request make, which was asked at that time (`time.perf_counter`)."""
    (first, *more) = (Written(answer.text, answer.finish) for answer in answers)
    tokens = sum(len(answer.new) for answer in answers)
    began = [answer.first_at for answer in answers if answer.first_at is not None]
    first_token_s = min(began) - asked_at if began else None
    return Generated(first.text, first.finish, replace(usage, output_tokens=tokens), tuple(more), first_token_s)


def named(at: int, request: LogLikelihood | Generate) -> str:
    """How an error speaks of a request: its number in the call and the beginning of its question."""
    return f"request {at} ({request.prompt.query.strip()[:60]!r})"


def ending_tokens(
    decoder: Decoder | EncoderDecoder, tokenizer: PreTrainedTokenizerBase, stop: Sequence[str]
) -> frozenset[int]:
    """Tokens that end a text by model and tokenizer, and stop strings that are special tokens (no text shows them)."""
    config = decoder.model.generation_config
    own = None if config is None else config.eos_token_id
    ends = {tokenizer.eos_token_id, *(own if isinstance(own, (list, tuple)) else [own])}
    special = dict(zip(tokenizer.all_special_tokens, tokenizer.all_special_ids, strict=True))
    return frozenset(int(token) for token in (*ends, *(special.get(word) for word in stop)) if token is not None)


def choose(one: Answer, logits: Tensor) -> int:
    """The next token: the likeliest, or where the cumulative distribution passes a number drawn from the seed."""
    best = int(logits.argmax())
    if not logits[best].isfinite():
        raise ModelError(f"{one.name}: the model's logits are not finite")
    if one.temperature == 0:
        return best
    probabilities = (logits.cpu().double() / one.temperature).softmax(-1)  # (V,)
    kept = nucleus(probabilities, one.top_p) if one.top_p < 1 else None
    cumulative = (probabilities if kept is None else probabilities[kept]).cumsum(-1)
    point = torch.rand((), generator=one.draws, dtype=torch.float64) * cumulative[-1]
    at = min(int(torch.searchsorted(cumulative, point, right=True)), len(cumulative) - 1)
    return at if kept is None else int(kept[at])


def nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    """The fewest tokens, likeliest first, that have the probability `top_p` together (Holtzman et al. 2020).

    Args:
        probabilities: (V,) float64 that sum to 1.
        top_p: above 0 and below 1.

    Returns:
        (n,) tokens, at least one; of equally likely ones the lowest.
    """
    # Tokens rarer than this have less than 1 - top_p together, so none is kept: few are left to be sorted.
    rarest = (1 - top_p) / len(probabilities) / 2  # half, for what rounding may do
    candidates = (probabilities >= rarest).nonzero()[:, 0]
    found, order = probabilities[candidates].sort(descending=True, stable=True)
    count = int((found.cumsum(-1) < top_p).sum()) + 1
    return candidates[order[:count]]
