"""Engines that read texts whole: `EmbeddingEngine` (encoders) embeds them or their tokens, `ClassifierEngine` labels.

Blanks are filled in `harness_hf.cloze`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from transformers import AutoModel, AutoModelForSequenceClassification

from harness.errors import ModelError
from harness.records import (
    Classified,
    Classify,
    Embed,
    Embedded,
    EmbeddedTokens,
    EmbedTokens,
    Regress,
    Regressed,
    Usage,
)
from harness.requests import as_one
from harness_hf.adapters import bare
from harness_hf.batching import TokenBudget
from harness_hf.classifier import class_ids, let_pad, read_last, segmented
from harness_hf.devices import peak_bytes, provenance
from harness_hf.linear import quicken
from harness_hf.loading import load_model, load_tokenizer, quiet
from harness_hf.objectives import NUMBER, read_out
from harness_hf.quantization import floating
from harness_hf.tokens import token_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

    from harness.records import Request, Response, Text
    from harness_hf.settings import Pooling, Settings

UNLIMITED = 1_000_000
"""Tokenizers without a limit name a length beyond all bounds."""


class TextEngine(ABC):
    """Texts of mixed lengths -> one vector a text, in batches of similar length."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, settings: Settings) -> None:
        tokenizer.padding_side = "right"  # where the first token and the masks stand must not depend on the batch
        self._model = model
        self._tokenizer = tokenizer
        self._window = settings.window(window_of(model.config, tokenizer))
        self._budget = TokenBudget.on(model.device, settings.batch_tokens)
        ids = (
            torch.arange(min(8, self._window or 8), device=model.device)[None]
            % model.config.get_text_config().vocab_size
        )
        if model.config.is_encoder_decoder:
            ids[0, -1] = int(model.config.eos_token_id)  # without one there is no place that its head reads
        with torch.inference_mode(), floating(model):
            quicken(model, lambda: model(input_ids=ids, attention_mask=torch.ones_like(ids))[0])

    @property
    def provenance(self) -> Mapping[str, str]:
        """Device, dtype, threads, attention, versions."""
        return provenance(self._model)

    def peak_device_bytes(self) -> int | None:
        """The most memory of a GPU that was in use since the last call; None on other devices."""
        return peak_bytes(self._model)

    @abstractmethod
    def _vectors(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """(B, L) tokens and mask -> (B, N) float32."""

    def _read(self, texts: Sequence[Text]) -> tuple[list[Tensor], list[Usage]]:
        """The vector of each text and its tokens; what the window does not hold is cut on the right and counted."""
        kept, usages = self._kept(texts)
        found = self._forward(kept)
        return [self._finite(at, found[at], as_one(texts[at])) for at in range(len(texts))], usages

    def _kept(self, texts: Sequence[Text]) -> tuple[list[list[int]], list[Usage]]:
        """The token ids of each text that the window holds, and how many these are and are not."""
        if not texts:
            return [], []
        whole = kept = self._ids(texts)
        if self._window is not None and max(map(len, whole)) > self._window:
            kept = self._ids(texts, truncation=True, max_length=self._window)
        return kept, [
            Usage(len(short), cut_tokens=len(long) - len(short)) for short, long in zip(kept, whole, strict=True)
        ]

    def _forward(
        self, rows: Sequence[list[int]], vectors: Callable[[Mapping[str, Tensor]], Tensor] | None = None
    ) -> list[Tensor]:
        """What `vectors` (`_vectors` unless told) makes of each row of token ids, in batches of similar length."""
        found: dict[int, Tensor] = {}
        read = vectors or self._vectors

        @torch.inference_mode()
        def forward(batch: Sequence[int]) -> None:
            inputs = self._padded([rows[at] for at in batch])
            found.update(zip(batch, read(inputs).cpu(), strict=True))

        self._budget.run(range(len(rows)), lambda at: len(rows[at]), forward)
        return [found[at] for at in range(len(rows))]

    def _ids(self, texts: Sequence[Text], **options: Any) -> list[list[int]]:  # noqa: ANN401 - the tokenizer's own
        return token_ids(self._tokenizer, texts, **options)

    def _padded(self, rows: list[list[int]]) -> Mapping[str, Tensor]:
        """Token ids of several texts -> (B, L) tokens and mask, on the model's device."""
        return self._tokenizer.pad({"input_ids": rows}, return_tensors="pt", verbose=False).to(self._model.device)

    @staticmethod
    def _finite(at: int, vector: Tensor, text: str) -> Tensor:
        if not vector.isfinite().all():
            raise ModelError(f"request {at} ({text.strip()[:60]!r}): the model's output is not finite")
        return vector


class EmbeddingEngine(TextEngine):
    """An encoder as it is, without any head."""

    made_by: ClassVar[Any] = AutoModel
    """The auto class that makes its model."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, settings: Settings) -> None:
        super().__init__(model, tokenizer, settings)
        self._pooling: Pooling = settings.pooling

    @classmethod
    def load(cls, folder: Path, settings: Settings, device: str) -> Self:
        """Load a checkpoint's folder.

        Raises:
            ModelError: when it can't be loaded.
        """
        tokenizer = load_tokenizer(folder, trust_remote_code=settings.trust_remote_code)
        return cls(load_model(cls.made_by, folder, settings, device), tokenizer, settings)

    def run(self, requests: Sequence[Request]) -> Sequence[Response]:
        """One vector a text: the mean over its tokens (padding left out), or the state of its first token; or all.

        Raises:
            ModelError: when a request is of another kind or asks for a layer that is not there, or a vector is not
                finite.
        """
        texts = [request for request in requests if isinstance(request, Embed)]
        tokens = [request for request in requests if isinstance(request, EmbedTokens)]
        refuse_others(requests, len(texts) + len(tokens), "embeds and, once trained, classifies")
        vectors, usages = self._read([request.text for request in texts])
        whole = (Embedded(tuple(vector.tolist()), usage) for vector, usage in zip(vectors, usages, strict=True))
        single = iter(self._of_tokens(tokens))
        return [next(single) if isinstance(request, EmbedTokens) else next(whole) for request in requests]

    def _of_tokens(self, requests: Sequence[EmbedTokens]) -> list[EmbeddedTokens]:
        """The state of each token of each text, those of one layer together."""
        rows, usages = self._kept([request.text for request in requests])
        found: dict[int, Tensor] = {}
        for layer in dict.fromkeys(request.layer for request in requests):
            places = [at for at, request in enumerate(requests) if request.layer == layer]
            states = self._forward([rows[at] for at in places], partial(token_states, self._model, layer))
            found.update(zip(places, states, strict=True))
        return [self._spelt(at, request, rows[at], found[at], usages[at]) for at, request in enumerate(requests)]

    def _spelt(self, at: int, request: EmbedTokens, ids: list[int], states: Tensor, usage: Usage) -> EmbeddedTokens:
        vectors = self._finite(at, states[: len(ids)], request.text)  # padding stands on the right
        framing = {getattr(self._tokenizer, f"{name}_token_id", None) for name in ("cls", "sep", "bos", "eos")}
        spelt: Any = self._tokenizer.convert_ids_to_tokens(ids)
        return EmbeddedTokens(tuple(map(str, spelt)), tuple(one in framing for one in ids), vectors.numpy(), usage)

    def _vectors(self, inputs: Mapping[str, Tensor]) -> Tensor:
        return embedded(self._model, inputs, self._pooling)


def embedded(model: PreTrainedModel, inputs: Mapping[str, Tensor], pooling: Pooling) -> Tensor:
    """(B, L) tokens and mask -> (B, D) float32: the mean of the states (padding left out), or that of the first."""
    states: Tensor = model.base_model(**inputs).last_hidden_state.float()  # (B, L, D)
    if pooling == "cls":
        return states[:, 0]
    mask = inputs["attention_mask"][:, :, None]  # (B, L, 1)
    return (states * mask).sum(1) / mask.sum(1)


def token_states(model: PreTrainedModel, layer: int | None, inputs: Mapping[str, Tensor]) -> Tensor:
    """(B, L) tokens and mask -> (B, L, D) float32: the states after so many layers, or after the last.

    Raises:
        ModelError: when there are not so many.
    """
    if layer is None:
        return model.base_model(**inputs).last_hidden_state.float()  # type: ignore[no-any-return]
    states: Sequence[Tensor] = model.base_model(**inputs, output_hidden_states=True).hidden_states
    if layer >= len(states):
        raise ModelError(f"there is no layer {layer}: the model has {len(states) - 1}")
    return states[layer].float()


class ClassifierEngine(TextEngine):
    """A trained classifier, of numbers too: of any of the three families; `model` may be wrapped by peft."""

    def __init__(self, model: Any, tokenizer: PreTrainedTokenizerBase, settings: Settings) -> None:  # noqa: ANN401
        let_pad(model.config, tokenizer)
        read_last(bare(model))
        super().__init__(model, tokenizer, settings)
        names: Any = model.config.id2label  # number -> label
        self._labels = [str(names[number]) for number in range(len(names))]
        self.scale: Sequence[float] = (0.0, 1.0)
        """Mean and deviation of the numbers that it has learnt."""

    @classmethod
    def load(cls, folder: Path, settings: Settings, device: str) -> ClassifierEngine:
        """Load what training has saved.

        Raises:
            ModelError: when it can't be loaded.
        """
        tokenizer = load_tokenizer(folder, trust_remote_code=settings.trust_remote_code)
        return cls(load_model(AutoModelForSequenceClassification, folder, settings, device), tokenizer, settings)

    def run(self, requests: Sequence[Request]) -> Sequence[Response]:
        """The log-probability of each label in each request's order, or the number that it was trained to give.

        Of labels it is the softmax over all that it was trained on; where a text can have several, the sigmoid of each.

        Raises:
            ModelError: when a request is of another kind or names a label that is not known, or a score is not finite.
        """
        asked = [request for request in requests if isinstance(request, Classify | Regress)]
        refuse_others(requests, len(asked), "classifies")
        places = [self._places(request.labels if isinstance(request, Classify) else NUMBER) for request in asked]
        vectors, usages = self._read([request.text for request in asked])
        return [
            self._answer(request, vector, place, usage)
            for request, vector, place, usage in zip(asked, vectors, places, usages, strict=True)
        ]

    def _answer(self, request: Classify | Regress, logits: Tensor, place: list[int], usage: Usage) -> Response:
        if isinstance(request, Regress):
            mean, deviation = self.scale
            return Regressed(mean + deviation * float(logits[0]), usage)
        return Classified(tuple(read_out(logits, several=request.several)[place].tolist()), usage)

    def _padded(self, rows: list[list[int]]) -> Mapping[str, Tensor]:
        parts = segmented(self._tokenizer, self._model.config, rows)
        return self._tokenizer.pad(parts, return_tensors="pt", verbose=False).to(self._model.device)

    def _places(self, labels: Sequence[str]) -> list[int]:
        unknown = [label for label in labels if label not in self._labels]
        if unknown:
            raise ModelError(f"the model was not trained on label {unknown[0]!r}, only on {', '.join(self._labels)}")
        return [self._labels.index(label) for label in labels]

    def _ids(self, texts: Sequence[Text], **options: Any) -> list[list[int]]:  # noqa: ANN401 - the tokenizer's own
        return class_ids(self._tokenizer, self._model.config, texts, **options)

    def _vectors(self, inputs: Mapping[str, Tensor]) -> Tensor:
        with quiet():  # of decoders' warning that padding is not seen among vectors: the mask shows it
            logits: Tensor = self._model(**inputs).logits.float()  # (B, labels)
        return logits


def refuse_others(requests: Sequence[Request], understood: int, does: str) -> None:
    """Every request must have been understood.

    Raises:
        ModelError: when one was not, saying what the engine does.
    """
    if understood < len(requests):
        kinds = sorted({type(request).__name__ for request in requests})
        raise ModelError(f"this engine only {does}; it was asked for {', '.join(kinds)}")


def window_of(config: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase) -> int | None:
    """How many tokens the encoder has positions for; None where neither it nor its tokenizer names a limit."""
    limits = [tokenizer.model_max_length]
    positions = getattr(config, "max_position_embeddings", None)
    if positions:
        behind_padding = "roberta" in config.model_type or config.model_type in {"camembert", "mpnet", "data2vec-text"}
        limits.append(positions - (config.pad_token_id or 0) - 1 if behind_padding else positions)
    return int(min(limits)) if min(limits) < UNLIMITED else None
