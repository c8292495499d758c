"""Attention over packed subtrees of a trie: each part of what a token sees is attended to apart, and the parts merged.

A token sees the earlier tokens of its own node, the nodes above it in the same forward, and cached nodes above these.
Softmax over the union is the mean of the softmaxes over the parts, weighted by their normalisers, so nothing is padded,
masked or copied (the exact decomposition of Hydragen, Juravsky et al. 2024, arXiv:2402.05099).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness_hf.packing import Layout

NAME = "harness_cascade"
"""Under which transformers knows this attention; without a `Call` it is transformers' own sdpa."""

KeyValues = list[tuple[Tensor, Tensor]]
"""Keys and values (1, H_kv, L, D) of a node, a layer each."""


class UnsupportedError(Exception):
    """The model's attention has parts that can't be merged (soft caps, sinks, biases)."""


class Call(Protocol):
    """What a forward has to know; it travels through the model to each layer's attention."""

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """The attention of one layer.

        Args:
            layer: its number.
            query: (B, H, L, D).
            key: (B, H_kv, L, D).
            value: (B, H_kv, L, D).
            scale: of the products.

        Returns:
            (B, L, H, D)
        """


def cascade_attention(  # noqa: PLR0913 - as transformers calls it
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    cascade: Call | None = None,
    **options: Any,  # noqa: ANN401 - what transformers gives besides
) -> tuple[Tensor, None]:
    """The attention of one layer: as the forward's `cascade` has it; without one, transformers' own.

    Raises:
        UnsupportedError: when the layer does more than plain causal attention.
    """
    if cascade is None:
        return sdpa_attention_forward(  # type: ignore[no-any-return]
            module, query, key, value, attention_mask, scaling=scaling, **options
        )
    if any(options.get(name) is not None for name in ("softcap", "s_aux", "position_bias")):
        raise UnsupportedError
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    return cascade.attend(int(module.layer_idx), query, key, value, scale), None  # type: ignore[arg-type]


@dataclass(slots=True)
class Packed:
    """Whole subtrees in one row; a `Call`.

    Attributes:
        layout: of the tokens.
        chain: cached nodes above all of them.
        kept: takes the keys and values of the tokens, where they are wanted.
    """

    layout: Layout
    chain: Sequence[KeyValues] = ()
    kept: KeyValues | None = None

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """(1, H, T, D) -> (1, T, H, D)."""
        if self.kept is not None:
            self.kept.append((key, value))
        out = _Merged(query.new_empty(1, query.shape[2], query.shape[1], value.shape[-1]))
        for begin, end in self.layout.spans:
            own = slice(begin, end)
            out.put(own, *_causal(query[:, :, own], key[:, :, own], value[:, :, own], scale))
        for begin, end, until in self.layout.inner:
            above, below = slice(begin, end), slice(end, until)
            out.merge(below, *_full(query[:, :, below], key[:, :, above], value[:, :, above], scale))
        for cached in self.chain:
            out.merge(slice(0, query.shape[2]), *_full(query, *cached[layer], scale))
        return out.states


@dataclass(slots=True)
class Step:
    """One token more for each row of a batch; a `Call`. Rows have room for their own tokens, and share what is before.

    Attributes:
        rooms: keys and values (B, H_kv, C, D) of the rows' own tokens, a layer each.
        used: how many of the C columns hold tokens; those of this step go into the next one.
        mask: (B, 1, 1, C), -inf where a row has nothing in a column.
        chain: cached nodes before all rows.
    """

    rooms: KeyValues
    used: int
    mask: Tensor
    chain: Sequence[KeyValues] = ()

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """(B, H, 1, D) -> (B, 1, H, D)."""
        keys, values = self.rooms[layer]
        keys[:, :, self.used] = key[:, :, 0]
        values[:, :, self.used] = value[:, :, 0]
        seen = slice(0, self.used + 1)
        rows, heads, _, width = query.shape
        out = _Merged(query.new_empty(1, rows, heads, value.shape[-1]))
        folded = query.reshape(rows, keys.shape[1], -1, width)  # heads that share keys are one longer query
        own, lse = _masked(folded, keys[:, :, seen], values[:, :, seen], self.mask[..., seen], scale)
        everyone = slice(0, rows)
        out.put(everyone, own.reshape(1, rows, heads, -1).transpose(1, 2), lse.reshape(1, rows, heads).transpose(1, 2))
        as_one = query.transpose(0, 2)  # (1, H, B, D): to what all share, the rows are one text
        for cached in self.chain:
            out.merge(everyone, *_full(as_one, *cached[layer], scale))
        return out.states.reshape(rows, 1, heads, -1)


class _Merged:
    """The attention of a forward's tokens so far, and the logarithms of its normalisers."""

    def __init__(self, states: Tensor) -> None:
        self.states = states  # (1, T, H, D)
        self._out = states.transpose(1, 2)  # (1, H, T, D)
        self._lse = torch.empty(self._out.shape[:3], device=states.device)  # (1, H, T)

    def put(self, span: slice, out: Tensor, lse: Tensor) -> None:
        self._out[:, :, span] = out
        self._lse[:, :, span] = lse

    def merge(self, span: slice, out: Tensor, lse: Tensor) -> None:
        mine, known = self._out[:, :, span], self._lse[:, :, span]
        share = torch.sigmoid(lse - known).unsqueeze(-1).to(out.dtype)
        mine.lerp_(out, share)
        torch.logaddexp(known, lse, out=known)


def _causal(query: Tensor, key: Tensor, value: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Attention of tokens (1, H, T, D) to themselves and those before them; the log-normalisers (1, H, T) too."""
    if query.device.type == "cpu":
        return _flash_cpu(query, key, value, scale, causal=True)
    groups = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    return _elsewhere(query, key, value, scale, causal=True)


def _full(query: Tensor, key: Tensor, value: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Attention of tokens (1, H, T, D) to all of (1, H_kv, L, D): heads that share keys are one longer query."""
    _, heads, tokens, width = query.shape
    folded = query.reshape(1, key.shape[1], -1, width)
    attend = _flash_cpu if query.device.type == "cpu" else _elsewhere
    out, lse = attend(folded, key, value, scale, causal=False)
    return out.reshape(1, heads, tokens, -1), lse.reshape(1, heads, tokens)


def _masked(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Attention of (B, H_kv, G, D) to (B, H_kv, L, D) where the mask (B, 1, 1, L) is 0."""
    if query.device.type != "cpu":
        return _plain(query, key, value, scale, mask)
    found: tuple[Tensor, Tensor] = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        query, key, value, 0.0, False, attn_mask=mask, scale=scale
    )
    return found


def _flash_cpu(query: Tensor, key: Tensor, value: Tensor, scale: float, *, causal: bool) -> tuple[Tensor, Tensor]:
    found: tuple[Tensor, Tensor] = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        query, key, value, 0.0, causal, attn_mask=None, scale=scale
    )
    return found


def _elsewhere(query: Tensor, key: Tensor, value: Tensor, scale: float, *, causal: bool) -> tuple[Tensor, Tensor]:
    """The kernels of a GPU that tell normalisers: flash attention for half precision, else the efficient one."""
    if query.device.type != "cuda":
        ahead = torch.full((query.shape[2], key.shape[2]), -torch.inf, device=query.device).triu(1) if causal else None
        return _plain(query, key, value, scale, ahead)
    if query.dtype in {torch.float16, torch.bfloat16}:
        out, lse, *_ = torch.ops.aten._scaled_dot_product_flash_attention(
            query, key, value, 0.0, causal, False, scale=scale
        )
    else:
        out, lse, *_ = torch.ops.aten._scaled_dot_product_efficient_attention(
            query, key, value, None, True, 0.0, causal, scale=scale
        )
    return out, lse[:, :, : query.shape[2]]  # the efficient one pads it


def _plain(query: Tensor, key: Tensor, value: Tensor, scale: float, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    scores = (query @ key.transpose(-1, -2)).float() * scale  # (B, H, T, L)
    if mask is not None:
        scores = scores + mask
    lse = scores.logsumexp(-1)
    return (scores - lse.unsqueeze(-1)).exp().to(value.dtype) @ value, lse


AttentionInterface.register(NAME, cascade_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
