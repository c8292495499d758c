"""Prompts with their possible answers as training reads them: token ids, and which token counts for which answer.

What a causal model and a masked one make of a prompt differs here alone: rows that end in an answer there, masks in its
place here. Both are encoded as their engines encode what they are asked, so training and answering see the same tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import torch

from harness.errors import TrainingError
from harness.records import FillMask
from harness_hf.blanks import BlankEncoder
from harness_hf.prompts import PromptEncoder
from harness_hf.wanted import Input, Lookup, inputs_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from harness.records import Prompt
    from harness_hf.mask_logits import MaskLogits
    from harness_hf.settings import Settings


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt with its answers; `Lookup.row` is the number of an answer.

    Attributes:
        readings: what the model reads: one text for all answers, or several.
        right: the number of the right answer.
        cut: tokens that had to be left out.
    """

    readings: tuple[Input, ...]
    right: int
    cut: int

    @property
    def tokens(self) -> int:
        """How many tokens the model reads."""
        return sum(len(one.ids) for one in self.readings)


def masked_questions(
    tokenizer: PreTrainedTokenizerBase,
    settings: Settings,
    prompts: Sequence[Prompt],
    answers: tuple[str, ...],
    right: Sequence[int],
) -> list[Question]:
    """Clozes: an answer of m tokens stands in the place of m masks, see `harness.records.Filled`.

    Raises:
        ModelError: when an answer has no tokens or unknown ones, or does not fit into the window.
    """
    encoder = BlankEncoder(tokenizer, window=settings.max_length)
    clozes, usages = encoder.encode([FillMask(prompt, answers) for prompt in prompts])
    readings: list[list[Input]] = [[] for _ in prompts]
    for cloze in clozes:
        lookups = [
            Lookup(cloze.start + at, token, number)
            for number, tokens in cloze.fillings.items()
            for at, token in enumerate(tokens)
        ]
        readings[cloze.request].append(Input(cloze.ids, lookups))
    return [
        Question(tuple(own), number, usage.cut_tokens)
        for own, number, usage in zip(readings, right, usages, strict=True)
    ]


def causal_questions(
    tokenizer: PreTrainedTokenizerBase,
    settings: Settings,
    prompts: Sequence[Prompt],
    answers: tuple[str, ...],
    right: Sequence[int],
) -> list[Question]:
    """Continuations: each answer's tokens after the prompt; answers of one token each read the prompt once.

    Raises:
        ModelError: when an answer alone is longer than the window.
        TrainingError: when an answer has no tokens.
    """
    encoder = PromptEncoder(tokenizer, window=settings.max_length, chat=settings.chat)
    found = []
    for one, number in zip(encoder.scorable(prompts, [answers] * len(prompts)), right, strict=True):
        rows = [row for row in one.rows if row is not None]
        if len(rows) < len(answers):
            raise TrainingError(f"the answer {answers[one.rows.index(None)]!r} has no tokens: nothing can be learnt")
        found.append(Question(tuple(inputs_of(rows)), number, one.usage.cut_tokens))
    return found


class Readable(Protocol):
    """Something that a model reads at once."""

    @property
    def tokens(self) -> int:
        """How many tokens."""


ReadableT = TypeVar("ReadableT", bound=Readable)


def parts(questions: Sequence[ReadableT], tokens: int) -> Iterator[list[ReadableT]]:
    """Cut a batch into parts that read no more than so many tokens (one question at least)."""
    part: list[ReadableT] = []
    for one in questions:
        if part and sum(other.tokens for other in part) + one.tokens > tokens:
            yield part
            part = []
        part.append(one)
    if part:
        yield part


def answer_scores(logits: MaskLogits, pad: int, questions: Sequence[Question], answers: int) -> Tensor:
    """(B, K): the sum of the log-probabilities of each answer's tokens, each over the whole vocabulary.

    Args:
        logits: of the model.
        pad: the token that fills rows up.
        questions: B of them.
        answers: K.
    """
    device = logits.device
    readings = [(at, one) for at, question in enumerate(questions) for one in question.readings]
    inputs = padded([one.ids for _, one in readings], pad, device)
    numbers: dict[tuple[int, int], int] = {}  # a place that several answers look at is computed once
    looked = [
        (numbers.setdefault((row, lookup.place), len(numbers)), lookup.token, at * answers + lookup.row)
        for row, (at, one) in enumerate(readings)
        for lookup in one.lookups
    ]
    places, tokens, cells = torch.tensor(looked, device=device).unbind(-1)
    rows, columns = torch.tensor(list(numbers), device=device).unbind(-1)
    log_probs = logits.at(inputs, rows, columns).log_softmax(-1)  # (places, V)
    sums = log_probs.new_zeros(len(questions) * answers).index_add(0, cells, log_probs[places, tokens])
    return sums.view(len(questions), answers)


def padded(rows: Sequence[Sequence[int]], pad: int, device: torch.device) -> dict[str, Tensor]:
    """Token ids -> (B, L) ids filled up on the right, and their mask."""
    width = max(map(len, rows))
    ids = torch.tensor([[*row, *[pad] * (width - len(row))] for row in rows], device=device)
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=device)
    return {"input_ids": ids, "attention_mask": mask}
