"""The engine of masked language models: it fills blanks, and embeds as other encoders do."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from transformers import AutoModelForMaskedLM

from harness.errors import ModelError
from harness.records import Embed, EmbedTokens, Filled, FillMask
from harness_hf.blanks import BlankEncoder
from harness_hf.encoder import EmbeddingEngine, refuse_others
from harness_hf.mask_logits import MaskLogits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from harness.records import Request, Response, Usage
    from harness_hf.blanks import Cloze
    from harness_hf.settings import Settings


class ClozeEngine(EmbeddingEngine):
    """An encoder with its masked-language-model head; `harness.records.Filled` says what the values are."""

    made_by: ClassVar[Any] = AutoModelForMaskedLM

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, settings: Settings) -> None:
        super().__init__(model, tokenizer, settings)
        self._blanks = BlankEncoder(tokenizer, window=self._window)
        self._logits = MaskLogits(model)

    def run(self, requests: Sequence[Request]) -> Sequence[Response]:
        """Fill blanks and embed texts.

        Raises:
            ModelError: when a request is of another kind, a filling can't be scored, or a number is not finite.
        """
        blanks = [request for request in requests if isinstance(request, FillMask)]
        texts = [request for request in requests if isinstance(request, Embed | EmbedTokens)]
        refuse_others(requests, len(blanks) + len(texts), "embeds, fills blanks and, once trained, classifies")
        filled, embedded = iter(self._fill(blanks)), iter(super().run(texts))
        return [next(filled) if isinstance(request, FillMask) else next(embedded) for request in requests]

    def _fill(self, requests: Sequence[FillMask]) -> list[Filled]:
        clozes, usages = self._blanks.encode(requests)
        values = [[0.0] * len(request.fillings) for request in requests]
        lengths = [[0] * len(request.fillings) for request in requests]
        for cloze in clozes:
            for number in cloze.fillings:
                lengths[cloze.request][number] = cloze.masks

        @torch.inference_mode()
        def forward(batch: Sequence[Cloze]) -> None:
            for cloze, scores in zip(batch, self._scores(batch), strict=True):
                for number, score in zip(cloze.fillings, scores.tolist(), strict=True):
                    values[cloze.request][number] = score

        self._budget.run(clozes, lambda cloze: len(cloze.ids), forward)
        return [self._answer(*each) for each in zip(requests, values, usages, lengths, strict=True)]

    def _scores(self, batch: Sequence[Cloze]) -> list[Tensor]:
        """For each cloze the (F,) sums of its fillings' log-probabilities."""
        inputs = self._padded([list(cloze.ids) for cloze in batch])
        device = self._model.device
        places = [(row, cloze.start + mask) for row, cloze in enumerate(batch) for mask in range(cloze.masks)]
        rows, columns = torch.tensor(places, device=device).unbind(-1)
        log_probs = self._logits.at(inputs, rows, columns).log_softmax(-1)  # (all masks, V)
        return [
            own.gather(-1, torch.tensor(list(cloze.fillings.values()), device=device).T).sum(0).cpu()
            for cloze, own in zip(batch, torch.split(log_probs, [cloze.masks for cloze in batch]), strict=True)
        ]

    @staticmethod
    def _answer(request: FillMask, values: Sequence[float], usage: Usage, tokens: Sequence[int]) -> Filled:
        if not all(map(math.isfinite, values)):
            raise ModelError(f"after {request.prompt.query[-60:]!r}: the model's output is not finite")
        return Filled(tuple(values), usage, tuple(tokens))
