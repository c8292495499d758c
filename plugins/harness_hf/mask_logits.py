"""Logits of a language model at some places only: its head, as wide as the vocabulary, is what costs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import torch

from harness_hf.closeness import close

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor
    from transformers import PreTrainedModel

log = logging.getLogger(__name__)

HALF = 3e-2
"""How far logits that should be equal may lie apart in dtypes of 16 bits, as a share of the largest."""


class MaskLogits:
    """The model's logits at chosen places.

    The model's own forward runs, but between its body and its head all other states are left out: so the head is
    whichever the model has. On two rows it is tried whether the head gives what it gives with all states there; where
    it does not (a head that looks at neighbours, a model built in another way), it gets all of them.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model
        self._alone = self._head_works_alone()

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self._model.device

    def at(self, inputs: Mapping[str, Tensor], rows: Tensor, columns: Tensor) -> Tensor:
        """(B, L) tokens and mask, (M,) rows and columns -> (M, V) float32."""
        return self._selected(inputs, rows, columns) if self._alone else self._all(inputs, rows, columns)

    def _all(self, inputs: Mapping[str, Tensor], rows: Tensor, columns: Tensor) -> Tensor:
        logits: Tensor = self._model(**inputs).logits[rows, columns]
        return logits.float()

    def _selected(self, inputs: Mapping[str, Tensor], rows: Tensor, columns: Tensor) -> Tensor:
        def select(module: object, arguments: object, output: Any) -> Any:  # noqa: ANN401, ARG001 - a forward hook
            output.last_hidden_state = output.last_hidden_state[rows, columns][None]  # (1, M, D)
            return output

        handle = self._model.base_model.register_forward_hook(select)
        try:
            logits: Tensor = self._model(**inputs).logits  # (1, M, V)
        finally:
            handle.remove()
        return logits[0].float()

    @torch.inference_mode()
    def _head_works_alone(self) -> bool:
        if self._model.base_model is self._model:
            return False
        ids = torch.arange(12, device=self._model.device).reshape(2, 6) % self._model.config.vocab_size
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        rows, columns = (torch.tensor(places, device=ids.device) for places in ([0, 1, 1], [2, 0, 4]))
        whole = self._all(inputs, rows, columns)
        try:
            alone = self._selected(inputs, rows, columns)
        except Exception as error:  # noqa: BLE001 - whatever a model makes of fewer states: then it gets all of them
            log.debug("%s: its head needs all states: %s", type(self._model).__name__, error)
            return False
        return alone.shape == whole.shape and close(whole, alone, self._model.dtype, half=HALF)
