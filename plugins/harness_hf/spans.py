"""Questions about passages -> where the answer begins and ends: a checkpoint with a head that judges each token so.

A passage that is too long is read in windows that overlap by a quarter. An answer has no more than 30 tokens. That a
passage holds none is judged at the first token (Devlin et al. 2019; Rajpurkar et al. 2018 for such questions).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from transformers import AutoModelForQuestionAnswering

from harness.errors import ModelError
from harness.records import FindSpan, FoundSpan, Usage
from harness.spans import read_span
from harness_hf.classifier import let_pad, segmented
from harness_hf.encoder import TextEngine, refuse_others
from harness_hf.loading import load_model, load_tokenizer, quiet

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Tensor
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase

    from harness.records import Request, Response, Text
    from harness_hf.settings import Settings
    from harness_hf.trainer import Rows

LONGEST = 30
"""Tokens of an answer."""
NOTHING = 0
"""The token at which both ends stand where there is no answer."""


class _Span(NamedTuple):
    score: float
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Window:
    """A piece of a passage behind its question.

    Attributes:
        pair: the number of question and passage.
        ids: its tokens.
        letters: for each token the letters of the passage that it stands for; None for the question's and special ones.
    """

    pair: int
    ids: list[int]
    letters: list[tuple[int, int] | None]


class SpanEngine(TextEngine):
    """A trained finder of answers; `model` may be wrapped by peft."""

    def __init__(self, model: Any, tokenizer: PreTrainedTokenizerBase, settings: Settings) -> None:  # noqa: ANN401
        let_pad(model.config, tokenizer)
        super().__init__(model, tokenizer, settings)

    @classmethod
    def load(cls, folder: Path, settings: Settings, device: str) -> SpanEngine:
        """Load what training has saved.

        Raises:
            ModelError: when it can't be loaded.
        """
        tokenizer = load_tokenizer(folder, trust_remote_code=settings.trust_remote_code)
        return cls(load_model(AutoModelForQuestionAnswering, folder, settings, device), tokenizer, settings)

    def run(self, requests: Sequence[Request]) -> Sequence[Response]:
        """The likeliest span of all windows, by the sum of its ends' scores.

        Where a passage may hold no answer, that is the answer if it is likelier than any span in every window.

        Raises:
            ModelError: when a request is of another kind, or a score is not finite.
        """
        asked = [request for request in requests if isinstance(request, FindSpan)]
        refuse_others(requests, len(asked), "finds answers in passages")
        read = windows(self._tokenizer, [request.text for request in asked], self._window)
        scores = self._forward([one.ids for one in read])
        found: list[list[tuple[Window, Tensor]]] = [[] for _ in asked]
        for number, (window, score) in enumerate(zip(read, scores, strict=True)):
            self._finite(number, score, asked[window.pair].text[0])
            found[window.pair].append((window, score))
        return [_answer(request, of_it) for request, of_it in zip(asked, found, strict=True)]

    def _padded(self, rows: list[list[int]]) -> Mapping[str, Tensor]:
        parts = segmented(self._tokenizer, self._model.config, rows)
        return self._tokenizer.pad(parts, return_tensors="pt", verbose=False).to(self._model.device)

    def _vectors(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """(B, L) tokens and mask -> (B, L, 2) float32: how likely each is the first and the last of the answer."""
        with quiet():
            outputs = self._model(**inputs)
        return torch.stack([outputs.start_logits, outputs.end_logits], dim=-1).float()


def _answer(request: FindSpan, read: Sequence[tuple[Window, Tensor]]) -> FoundSpan:
    usage = Usage(sum(len(window.ids) for window, _ in read))
    spans = [span for window, scores in read if (span := _best(window, scores)) is not None]
    best = max(spans, default=None)
    nothing = min(float(scores[NOTHING].sum()) for _, scores in read)
    if best is None or (request.unanswerable and nothing > best.score):
        return FoundSpan("", -1, usage)
    answer = request.text[1][best.start : best.end]
    return FoundSpan(answer.strip(), best.start + len(answer) - len(answer.lstrip()), usage)


def _best(window: Window, scores: Tensor) -> _Span | None:
    """The likeliest span of a window; None where it holds none of the passage."""
    places = [at for at, letters in enumerate(window.letters) if letters is not None and letters[1] > letters[0]]
    if not places:
        return None
    start, end = scores[places].unbind(-1)
    both = start[:, None] + end[None, :]
    allowed = torch.ones_like(both).triu().tril(LONGEST - 1).bool()
    score, at = both.masked_fill(~allowed, -torch.inf).flatten().max(0)
    first, last = divmod(int(at), len(places))
    begins, ends = window.letters[places[first]], window.letters[places[last]]
    assert begins is not None  # noqa: S101 - places are those of the passage
    assert ends is not None  # noqa: S101 - likewise
    return _Span(float(score), begins[0], ends[1])


def span_rows(
    examples: Sequence[tuple[Text, str]], tokenizer: PreTrainedTokenizerBase, config: PreTrainedConfig, cut: int
) -> Rows:
    """Each window of each example, with the tokens where the answer begins and ends; `NOTHING` where it holds none.

    Args:
        examples: question and passage, and where its answer stands.
        tokenizer: of the model.
        config: likewise.
        cut: tokens of a window.
    """
    read = windows(tokenizer, [text for text, _ in examples if isinstance(text, tuple)], cut)
    parts = segmented(tokenizer, config, [one.ids for one in read])
    spans = [read_span(target) for _, target in examples]
    return [{**part, "labels": _ends(one, spans[one.pair])} for one, part in zip(read, parts, strict=True)]


def _ends(window: Window, span: tuple[int, int] | None) -> list[int]:
    """The tokens with the span's first and last letter; `NOTHING` twice where one of them is not in the window."""
    if span is None:
        return [NOTHING, NOTHING]
    held = [(at, letters) for at, letters in enumerate(window.letters) if letters is not None]
    start = next((at for at, (begin, end) in held if begin <= span[0] < end), None)
    last = next((at for at, (begin, end) in held if begin < span[1] <= end), None)
    return [NOTHING, NOTHING] if start is None or last is None else [start, last]


def windows(tokenizer: PreTrainedTokenizerBase, pairs: Sequence[tuple[str, str]], limit: int | None) -> list[Window]:
    """Questions with their passages, in windows of at most so many tokens, in the pairs' order.

    A question has at most half of a window; what is too long loses its end. A tokenizer that marks no border between
    the two (most decoders') is given a line end there.

    Raises:
        ModelError: when the tokenizer does not tell where its tokens are from.
    """
    if not tokenizer.is_fast:
        raise ModelError(f"{type(tokenizer).__name__} does not tell which letters its tokens stand for")
    if not pairs:
        return []
    special = tokenizer.num_special_tokens_to_add(pair=True)
    border = "" if special > tokenizer.num_special_tokens_to_add(pair=False) else "\n"
    questions = [question + border for question, _ in pairs]
    options: dict[str, Any] = {}
    if limit is not None:
        longest = max(1, limit // 2 - special)
        questions = [_shortened(tokenizer, question, longest) for question in questions]
        options = {"truncation": "only_second", "max_length": limit, "stride": limit // 4}
    read = tokenizer(
        questions,
        [passage for _, passage in pairs],
        return_offsets_mapping=True,
        return_overflowing_tokens=limit is not None,
        verbose=False,
        **options,
    )
    origins = read["overflow_to_sample_mapping"] if limit is not None else range(len(pairs))
    found = []
    for number, (pair, ids, spans) in enumerate(zip(origins, read["input_ids"], read["offset_mapping"], strict=True)):
        of_passage = [which == 1 for which in read.sequence_ids(number)]
        letters = [tuple(span) if own else None for span, own in zip(spans, of_passage, strict=True)]
        found.append(Window(int(pair), list(ids), letters))
    return sorted(found, key=lambda one: one.pair)


def _shortened(tokenizer: PreTrainedTokenizerBase, question: str, longest: int) -> str:
    spans = tokenizer(question, add_special_tokens=False, return_offsets_mapping=True, verbose=False)["offset_mapping"]
    return question if len(spans) <= longest else question[: spans[longest - 1][1]]
