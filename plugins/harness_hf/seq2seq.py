"""The engine of encoder-decoders: answers `LogLikelihood` and `Generate`.

The encoder reads the prompt, the decoder is asked for the continuation or writes the answer.
"""

from __future__ import annotations

import math
from itertools import chain
from time import perf_counter
from typing import TYPE_CHECKING

from transformers import AutoModelForSeq2SeqLM

from harness.errors import ModelError
from harness.records import Generate, LogLikelihood, LogLikelihoods, Request, Response
from harness_hf.batching import TokenBudget
from harness_hf.devices import peak_bytes, provenance
from harness_hf.loading import load_model, load_tokenizer
from harness_hf.quantization import floating
from harness_hf.seq2seq_generation import generate
from harness_hf.seq2seq_model import EncoderDecoder
from harness_hf.seq2seq_prompts import Seq2SeqPrompts
from harness_hf.seq2seq_scoring import score
from harness_hf.writing import begun, ending_tokens, generated, named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

    from harness_hf.settings import Settings


class Seq2SeqEngine:
    """An encoder-decoder in memory."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, settings: Settings) -> None:
        source, target = windows_of(model.config)
        window = settings.window(source)
        limits = [limit for limit in (settings.max_length, target) if limit is not None]
        self._prompts = Seq2SeqPrompts(
            tokenizer, window=window, target_window=min(limits, default=None), chat=settings.chat
        )
        with floating(model):  # while it is tried out
            self._model = EncoderDecoder(model)
        self._tokenizer = tokenizer
        self._budget = TokenBudget.on(model.device, settings.batch_tokens)

    @classmethod
    def load(cls, folder: Path, settings: Settings, device: str) -> Seq2SeqEngine:
        """Load a checkpoint's folder.

        Raises:
            ModelError: when it can't be loaded.
        """
        tokenizer = load_tokenizer(folder, trust_remote_code=settings.trust_remote_code)
        return cls(load_model(AutoModelForSeq2SeqLM, folder, settings, device), tokenizer, settings)

    @property
    def provenance(self) -> Mapping[str, str]:
        """Device, dtype, threads, attention, versions."""
        return provenance(self._model.model)

    @property
    def counters(self) -> Mapping[str, int]:
        """Tokens forwarded (by encoder and decoder), reused and padded since it was loaded."""
        return self._model.counters.told()

    def peak_device_bytes(self) -> int | None:
        """The most memory of a GPU that was in use since the last call; None on other devices."""
        return peak_bytes(self._model.model)

    def run(self, requests: Sequence[Request]) -> Sequence[Response]:
        """Answer log-likelihood and generation requests, mixed as they come.

        Raises:
            ModelError: when a request is of another kind, or an answer is not a number.
        """
        started = perf_counter()
        scored = {at: request for at, request in enumerate(requests) if isinstance(request, LogLikelihood)}
        answered = {at: request for at, request in enumerate(requests) if isinstance(request, Generate)}
        if len(scored) + len(answered) < len(requests):
            other = next(request for request in requests if not isinstance(request, (LogLikelihood, Generate)))
            raise ModelError(f"an encoder-decoder does not answer {type(other).__name__}")
        try:
            responses = {**self._score(scored), **self._generate(answered, started)}
        finally:
            self._prompts.forget()
        return [responses[at] for at in range(len(requests))]

    def _score(self, requests: Mapping[int, LogLikelihood]) -> dict[int, Response]:
        asked = self._prompts.asked(
            [request.prompt for request in requests.values()], [request.continuations for request in requests.values()]
        )
        pairs = [(one.source, target) for one in asked for target in one.targets if target is not None]
        values = iter(score(self._model, pairs, self._budget))
        responses: dict[int, Response] = {}
        for (at, request), one in zip(requests.items(), asked, strict=True):
            found = tuple(0.0 if target is None else next(values) for target in one.targets)
            if not all(map(math.isfinite, found)):
                raise ModelError(f"{named(at, request)}: its log-likelihoods are {found}")
            responses[at] = LogLikelihoods(found, one.usage, tuple(len(target or ()) for target in one.targets))
        return responses

    def _generate(self, requests: Mapping[int, Generate], started: float) -> dict[int, Response]:
        fitted = self._prompts.answerable(
            [request.prompt for request in requests.values()], [request.max_tokens for request in requests.values()]
        )
        answers = [
            begun(named(at, request), request, one, ending_tokens(self._model, self._tokenizer, request.stop))
            for (at, request), one in zip(requests.items(), fitted, strict=True)
        ]
        generate(self._model, list(chain(*answers)), self._decode, self._budget)
        found = zip(requests, fitted, answers, strict=True)
        return {at: generated(one.usage, group, started) for at, one, group in found}

    def _decode(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))


def windows_of(config: PreTrainedConfig) -> tuple[int | None, int | None]:
    """How many positions encoder and decoder have; None where they are relative, as T5's."""
    return _positions(config, "encoder"), _positions(config, "decoder")


def _positions(config: PreTrainedConfig, side: str) -> int | None:
    part = getattr(config, side, None) or config  # composite configurations have one for each
    part = getattr(part, "text_config", None) or part
    named = (getattr(part, name, None) for name in (f"max_{side}_position_embeddings", "max_position_embeddings"))
    return next((int(limit) for limit in named if limit), None)
