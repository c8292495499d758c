"""The engine of causal language models: answers `LogLikelihood`, `RollingLogLikelihood` and `Generate`."""

from __future__ import annotations

import math
from itertools import chain
from time import perf_counter
from typing import TYPE_CHECKING

from transformers import AutoModelForCausalLM

from harness.errors import ModelError
from harness.records import Generate, LogLikelihood, LogLikelihoods, Request, Response, RollingLogLikelihood, Usage
from harness_hf.batching import TokenBudget
from harness_hf.decoder import Decoder
from harness_hf.devices import peak_bytes, provenance
from harness_hf.generation import generate
from harness_hf.loading import load_model, load_tokenizer
from harness_hf.prefixes import Prefixes
from harness_hf.prompts import PromptEncoder
from harness_hf.quantization import floating
from harness_hf.scoring import score
from harness_hf.writing import begun, ending_tokens, generated, named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

    from harness_hf.settings import Settings


class CausalEngine:
    """A causal language model in memory."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, settings: Settings) -> None:
        with floating(model):  # while it is tried out
            self._decoder = Decoder(model)
        self._tokenizer = tokenizer
        window = settings.window(window_of(model.config))
        self._prompts = PromptEncoder(tokenizer, window=window, chat=settings.chat)
        self._budget = TokenBudget.on(model.device, settings.batch_tokens)
        self._prefixes = Prefixes()

    @classmethod
    def load(cls, folder: Path, settings: Settings, device: str) -> CausalEngine:
        """Load a checkpoint's folder.

        Raises:
            ModelError: when it can't be loaded.
        """
        tokenizer = load_tokenizer(folder, trust_remote_code=settings.trust_remote_code)
        return cls(load_model(AutoModelForCausalLM, folder, settings, device), tokenizer, settings)

    @property
    def provenance(self) -> Mapping[str, str]:
        """Device, dtype, threads, attention, versions."""
        return provenance(self._decoder.model)

    @property
    def counters(self) -> Mapping[str, int]:
        """Tokens forwarded, reused and padded since it was loaded."""
        return self._decoder.counters.told()

    def peak_device_bytes(self) -> int | None:
        """The most memory of a GPU that was in use since the last call; None on other devices."""
        return peak_bytes(self._decoder.model)

    def run(self, requests: Sequence[Request]) -> Sequence[Response]:
        """Answer log-likelihood, rolling log-likelihood and generation requests, mixed as they come.

        Raises:
            ModelError: when a request is of another kind, or an answer is not a number.
        """
        started = perf_counter()
        scored = [at for at, request in enumerate(requests) if isinstance(request, LogLikelihood)]
        rolled = {at: request for at, request in enumerate(requests) if isinstance(request, RollingLogLikelihood)}
        answered = [at for at, request in enumerate(requests) if isinstance(request, Generate)]
        if len(scored) + len(rolled) + len(answered) < len(requests):
            known = (LogLikelihood, RollingLogLikelihood, Generate)
            other = next(request for request in requests if not isinstance(request, known))
            raise ModelError(f"a causal language model does not answer {type(other).__name__}")
        try:
            responses = {
                **self._score(requests, scored),
                **self._roll(rolled),
                **self._generate(requests, answered, started),
            }
        finally:
            self._prompts.forget()
        return [responses[at] for at in range(len(requests))]

    def _score(self, requests: Sequence[Request], places: Sequence[int]) -> dict[int, Response]:
        asked = [request for request in (requests[at] for at in places) if isinstance(request, LogLikelihood)]
        fitted = self._prompts.scorable(
            [request.prompt for request in asked], [request.continuations for request in asked]
        )
        rows = [row for one in fitted for row in one.rows if row is not None]
        # A prompt that is asked alone is answered from nothing: its time is that of a prompt nobody has seen.
        prefixes = self._prefixes if len(fitted) > 1 else None
        owners = [request for request, one in zip(asked, fitted, strict=True) for row in one.rows if row is not None]
        likeliest = [number for number, request in enumerate(owners) if request.greedy]
        sums = score(self._decoder, rows, self._budget, prefixes, likeliest)
        # The sums are of the same numbers in the same order where each token is the likeliest.
        greedy = {number: sums[number] == best for number, best in zip(likeliest, sums[len(rows) :], strict=True)}
        numbers = iter(range(len(rows)))
        responses: dict[int, Response] = {}
        for at, request, one in zip(places, asked, fitted, strict=True):
            own = [None if row is None else next(numbers) for row in one.rows]
            found = tuple(0.0 if number is None else sums[number] for number in own)
            if not all(map(math.isfinite, found)):
                raise ModelError(f"{named(at, request)}: its log-likelihoods are {found}")
            lengths = tuple(0 if row is None else len(row.ids) - row.start for row in one.rows)
            told = tuple(number is None or greedy[number] for number in own) if request.greedy else ()
            responses[at] = LogLikelihoods(found, one.usage, lengths, told)
        return responses

    def _roll(self, requests: Mapping[int, RollingLogLikelihood]) -> dict[int, Response]:
        windows = self._prompts.rolling([request.text for request in requests.values()])
        prefixes = self._prefixes if len(windows) > 1 else None
        values = iter(score(self._decoder, [row for rows in windows for row in rows], self._budget, prefixes))
        responses: dict[int, Response] = {}
        for at, rows in zip(requests, windows, strict=True):
            value = math.fsum(next(values) for _ in rows)
            if not math.isfinite(value):
                raise ModelError(f"request {at}: the log-likelihood of its text is {value}")
            tokens = sum(len(row.ids) - row.start for row in rows)
            responses[at] = LogLikelihoods((value,), Usage(prompt_tokens=tokens), (tokens,))
        return responses

    def _generate(self, requests: Sequence[Request], places: Sequence[int], started: float) -> dict[int, Response]:
        asked = [request for request in (requests[at] for at in places) if isinstance(request, Generate)]
        fitted = self._prompts.answerable(
            [request.prompt for request in asked], [request.max_tokens for request in asked]
        )
        answers = [
            begun(named(at, request), request, one, ending_tokens(self._decoder, self._tokenizer, request.stop))
            for at, request, one in zip(places, asked, fitted, strict=True)
        ]
        # A prompt that is asked alone is answered from nothing, as in scoring.
        prefixes = self._prefixes if len(asked) > 1 else None
        generate(self._decoder, list(chain(*answers)), self._decode, self._budget, prefixes)
        found = zip(places, fitted, answers, strict=True)
        return {at: generated(one.usage, group, started) for at, one, group in found}

    def _decode(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))


def window_of(config: PreTrainedConfig) -> int | None:
    """How many tokens the model can read at once; None where it names no limit."""
    text = config.get_text_config()
    named = (getattr(text, name, None) for name in ("max_position_embeddings", "n_positions", "max_seq_len"))
    return next((int(limit) for limit in named if limit), None)
