"""A causal transformer as the engine drives it: a key-value cache that can be shared, logits only where needed."""

from __future__ import annotations

import inspect
import logging
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from transformers import PreTrainedModel

LOGIT_ROWS = 256
"""Positions that go through the vocabulary projection at once: 256 x 50,000 floats are 50 MB."""

log = logging.getLogger(__name__)


class Decoder:
    """Wraps a model for causal language modelling.

    What not every architecture allows is tried out on a few tokens when the model is loaded: sharing a cached prefix
    among rows (recurrent layers can't), and applying the vocabulary projection apart from the model (some scale or cap
    its result).
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        self._base = model.base_model
        self._head = model.get_output_embeddings()
        self._keeps_logits = "logits_to_keep" in inspect.signature(model.forward).parameters
        with torch.inference_mode():
            probe = torch.arange(12, device=model.device)[None] % model.config.get_text_config().vocab_size  # (1, 12)
            self._splits = self._head_splits(probe)
            self.caches = self._cache_agrees(probe)

    # --- forward ---------------------------------------------------------------------------------------

    def remember(self, ids: Sequence[int]) -> DynamicCache:
        """Keys and values of a prefix, for one row."""
        cache = DynamicCache()
        self._base(input_ids=torch.tensor([ids], device=self.model.device), past_key_values=cache, use_cache=True)
        return cache

    def logits(
        self,
        ids: Tensor,
        rows: Tensor,
        columns: Tensor,
        *,
        cache: DynamicCache | None = None,
        mask: Tensor | None = None,
        positions: Tensor | None = None,
    ) -> Iterator[Tensor]:
        """Logits at the positions (rows[i], columns[i]) of `ids`, in chunks of float32.

        Args:
            ids: (B, L) tokens; they follow those of the cache.
            rows: (N,) numbers of rows.
            columns: (N,) places in `ids`.
            cache: keys and values of B rows before these; grows.
            mask: (B, P + L), 0 where there is padding among the P cached tokens and `ids`.
            positions: (B, L), where padding stands on the left.

        Yields:
            (n, V) for consecutive parts of the N positions.
        """
        inputs = {
            "input_ids": ids,
            "attention_mask": mask,
            "position_ids": positions,
            "past_key_values": cache,
            "use_cache": cache is not None,
        }
        inputs = {name: value for name, value in inputs.items() if value is not None}
        if self._splits:
            states = self._base(**inputs).last_hidden_state[rows, columns]  # (N, D)
            for part in states.split(LOGIT_ROWS):
                yield self._head(part).float()
            return
        if self._keeps_logits:
            kept, columns = torch.unique(columns, return_inverse=True)
            inputs["logits_to_keep"] = kept
        yield self.model(**inputs).logits[rows, columns].float()

    # --- what the architecture allows ----------------------------------------------------------------

    def _head_splits(self, probe: Tensor) -> bool:
        if (
            self._head is None
            or self._base is self.model
            or getattr(self.model.config.get_text_config(), "final_logit_softcapping", None)
        ):
            return False
        whole = self.model(input_ids=probe, use_cache=False).logits
        apart = self._head(self._base(input_ids=probe, use_cache=False).last_hidden_state)
        return whole.shape == apart.shape and _close(whole, apart)

    def _cache_agrees(self, probe: Tensor) -> bool:
        """Whether a cached prefix, given to two rows, leads to the states that the whole text leads to."""
        layers = DynamicCache(config=self.model.config).layers
        if not layers or not all(type(layer) in {DynamicLayer, DynamicSlidingWindowLayer} for layer in layers):
            log.info("%s keeps more than keys and values: rows are run one by one", type(self.model).__name__)
            return False
        whole = self._base(input_ids=probe, use_cache=False).last_hidden_state[:, 6:]
        cache = expanded(self.remember(probe[0, :6].tolist()), 2)
        parts = self._base(input_ids=probe[:, 6:].repeat(2, 1), past_key_values=cache, use_cache=True).last_hidden_state
        agrees = _close(whole.repeat(2, 1, 1), parts)
        if not agrees:
            log.warning(
                "%s gives other states with a cached prefix: nothing is shared, and rows are run one by one",
                type(self.model).__name__,
            )
        return agrees


def expanded(cache: DynamicCache, rows: int) -> DynamicCache:
    """The cache of one row as that of many, without copying (the next forward copies it, with what it adds)."""
    twin = DynamicCache()
    for layer in cache.layers:
        copy = DynamicLayer()
        copy.lazy_initialization(layer.keys, layer.values)
        copy.keys = layer.keys.expand(rows, -1, -1, -1)  # (B, H, T, D)
        copy.values = layer.values.expand(rows, -1, -1, -1)
        twin.layers.append(copy)
    return twin


def _close(a: Tensor, b: Tensor) -> bool:
    """Equal up to the noise of the order of summation."""
    tolerance = 1e-4 if a.dtype is torch.float32 else 5e-2
    return bool((a - b).abs().max() <= tolerance * a.abs().max().clamp(min=1e-6))
