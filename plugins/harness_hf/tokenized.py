"""What engines make of requests, token by token, from a checkpoint's tokenizer and configuration alone."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Any

import transformers

from harness.records import Classify, Embed, FillMask, Generate, LogLikelihood, Regress, Tag
from harness.requests import TEXTS
from harness.tokenized import Token, Tokenized, TokenizedAnswer
from harness_hf import causal, encoder
from harness_hf.blanks import BlankEncoder
from harness_hf.families import family_of
from harness_hf.loading import load_tokenizer, quiet
from harness_hf.prompts import PromptEncoder
from harness_hf.seq2seq import windows_of
from harness_hf.seq2seq_prompts import Seq2SeqPrompts
from harness_hf.tokens import token_ids

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

    from harness.records import Request, Usage
    from harness_hf.settings import Settings


def tokenized(requests: Sequence[Request], folder: Path, settings: Settings) -> list[Tokenized]:
    """Each request as the engine of the folder's checkpoint reads it.

    Raises:
        ModelError: when the tokenizer can't be loaded, or the engine would refuse a request.
    """
    tokenizer = load_tokenizer(folder, trust_remote_code=settings.trust_remote_code)
    with quiet():
        config: Any = transformers.AutoConfig.from_pretrained(
            folder, trust_remote_code=settings.trust_remote_code, local_files_only=True
        )
    family = family_of(config.to_dict(), str(folder))
    shown = {"causal": _Causal, "seq2seq": _Seq2Seq, "encoder": _Encoder}[family](tokenizer, config, settings)
    return [shown.request(request) for request in requests]


class _Shown:
    """What the families share.

    Args:
        tokenizer: of the checkpoint.
        config: of the checkpoint.
        settings: of the model.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, config: Any, settings: Settings) -> None:  # noqa: ANN401 - each architecture's
        self._tokenizer = tokenizer
        self._config = config
        self._settings = settings

    def request(self, request: Request) -> Tokenized:
        """A request as it is read; a text by itself unless the family does otherwise."""
        text = request.text if isinstance(request, TEXTS) else request.prompt.text
        return Tokenized(self._tokens(token_ids(self._tokenizer, [text])[0]))

    def _tokens(self, ids: Iterable[int]) -> tuple[Token, ...]:
        numbers = list(ids)
        pieces: Any = self._tokenizer.convert_ids_to_tokens(numbers)
        return tuple(Token(number, str(piece)) for number, piece in zip(numbers, pieces, strict=True))

    def _made(self, read: Sequence[int], answers: Sequence[TokenizedAnswer], usage: Usage) -> Tokenized:
        return Tokenized(self._tokens(read), tuple(answers), usage.cut_tokens, usage.dropped_demonstrations)


class _Causal(_Shown):
    def request(self, request: Request) -> Tokenized:
        window = self._settings.window(causal.window_of(self._config))
        prompts = PromptEncoder(self._tokenizer, window=window, chat=self._settings.chat)
        if isinstance(request, Generate):
            (found,) = prompts.answerable([request.prompt], [request.max_tokens])
            return self._made(found.ids, (), found.usage)
        if not isinstance(request, LogLikelihood):
            return super().request(request)
        (asked,) = prompts.scorable([request.prompt], [request.continuations])
        rows = [row for row in asked.rows if row is not None]
        if not rows:
            (alone,) = prompts.answerable([request.prompt], [1])
            return self._made(alone.ids, [TokenizedAnswer((), ())] * len(asked.rows), asked.usage)
        heads = [row.ids[: row.start] for row in rows]
        shared = [each[0] for each in takewhile(lambda each: len(set(each)) == 1, zip(*heads, strict=False))]
        answers = [
            TokenizedAnswer(self._tokens(row.ids[len(shared) : row.start]), self._tokens(row.ids[row.start :]))
            if row
            else TokenizedAnswer((), ())
            for row in asked.rows
        ]
        return self._made(shared, answers, asked.usage)


class _Seq2Seq(_Shown):
    def request(self, request: Request) -> Tokenized:
        source, target = windows_of(self._config)
        limits = [limit for limit in (self._settings.max_length, target) if limit is not None]
        prompts = Seq2SeqPrompts(
            self._tokenizer,
            window=self._settings.window(source),
            target_window=min(limits, default=None),
            chat=self._settings.chat,
        )
        if isinstance(request, Generate):
            (found,) = prompts.answerable([request.prompt], [request.max_tokens])
            return self._made(found.ids, (), found.usage)
        if isinstance(request, LogLikelihood):
            (asked,) = prompts.asked([request.prompt], [request.continuations])
            answers = [TokenizedAnswer((), self._tokens(ids or ())) for ids in asked.targets]
            return self._made(asked.source, answers, asked.usage)
        return super().request(request)


class _Encoder(_Shown):
    def request(self, request: Request) -> Tokenized:
        window = self._settings.window(encoder.window_of(self._config, self._tokenizer))
        if isinstance(request, FillMask):
            clozes, (usage,) = BlankEncoder(self._tokenizer, window=window).encode([request])
            fillings = {number: ids for cloze in clozes for number, ids in cloze.fillings.items()}
            answers = [TokenizedAnswer((), self._tokens(fillings[at])) for at in range(len(request.fillings))]
            first = next(cloze for cloze in clozes if 0 in cloze.fillings)
            return self._made(first.ids, answers, usage)
        found = super().request(request)
        if window is None or len(found.read) <= window or not isinstance(request, Classify | Embed | Regress | Tag):
            return found
        kept = token_ids(self._tokenizer, [request.text], truncation=True, max_length=window)[0]
        return Tokenized(self._tokens(kept), cut=len(found.read) - len(kept))
