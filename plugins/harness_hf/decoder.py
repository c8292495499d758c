"""A causal transformer as the engine drives it: a key-value cache that can be shared, logits only where needed."""

from __future__ import annotations

import inspect
import logging
import sys
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from harness_hf import cascade
from harness_hf.cascade import Call, KeyValues, Packed
from harness_hf.closeness import close
from harness_hf.counters import Counters
from harness_hf.linear import quicken
from harness_hf.packing import layout
from harness_hf.transfer import on_device
from harness_hf.trie import build

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from transformers import PreTrainedModel

    from harness_hf.packing import Layout

LOGIT_FLOATS = 2**24
"""Logits that are computed at once: 64 MB, 340 places of a vocabulary of 49,000."""

HALF = 6
"""Half of the tokens on which a model is tried out."""

log = logging.getLogger(__name__)


class Decoder:
    """Wraps a model for causal language modelling.

    What not every architecture allows is tried out on a few tokens when the model is loaded.

    Attributes:
        shares: whether rows can go on from one cached prefix (recurrent layers can't).
        pads: whether rows can be padded on the left.
        shares_padded: whether there may be padding between a cached prefix and what follows it.
        counters: tokens that went through it.
        bytes_per_token: of keys and values, where it can cascade.
        workers: forwards that run side by side: as many as it has threads on a CPU, one on a device of its own.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        self._base = model.base_model
        self._head: Any = model.get_output_embeddings()  # type: ignore[no-untyped-call]
        self._keeps_logits = "logits_to_keep" in inspect.signature(model.forward).parameters
        self._takes_positions = "position_ids" in inspect.signature(self._base.forward).parameters
        self._vocabulary = int(model.config.get_text_config().vocab_size)
        self.workers = torch.get_num_threads() if model.device.type == "cpu" else 1
        self.bytes_per_token = 0
        self.counters = Counters()
        self._probe(_ordinary(self._vocabulary)[None].to(model.device))
        self.counters = Counters()  # the tokens of the trial are nobody's work

    # --- forward ---------------------------------------------------------------------------------------

    def remember(self, ids: Sequence[int]) -> DynamicCache:
        """Keys and values of a prefix, for one row."""
        cache = DynamicCache()
        self._base(input_ids=self._tensor([ids]), past_key_values=cache, use_cache=True)
        self.counters.add(forwarded=len(ids))
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
        inputs = self._inputs(ids, cache, mask, positions)
        if self._splits:
            yield from self.project(self._base(**inputs).last_hidden_state[rows, columns])
            return
        if self._keeps_logits:
            kept, columns = torch.unique(columns, return_inverse=True)
            inputs["logits_to_keep"] = kept
        yield self.model(**inputs).logits[rows, columns].float()

    def project(self, states: Tensor) -> Iterator[Tensor]:
        """(N, D) states -> logits (n, V) in float32, for consecutive parts of them."""
        for part in states.split(max(1, LOGIT_FLOATS // self._vocabulary)):
            yield self._head(part).float()

    # --- tries ---------------------------------------------------------------------------------------

    def cascades(self, length: int) -> bool:
        """Whether rows of so many tokens can run as a trie: all layers have to see all of them."""
        return length <= self._reach

    def states(self, packed: Layout, call: Call) -> Tensor:
        """(T, D) states of the tokens of a packed forward."""
        states: Tensor = self._cascade([packed.ids], [packed.positions], call)[0]
        self.counters.add(forwarded=len(packed.ids))
        return states

    def step(self, tokens: Sequence[int], positions: Sequence[int], call: Call) -> Tensor:
        """(B, D) states of one token a row."""
        states: Tensor = self._cascade([[one] for one in tokens], [[one] for one in positions], call)[:, 0]
        return states

    def _cascade(self, ids: Sequence[Sequence[int]], positions: Sequence[Sequence[int]], call: Call) -> Tensor:
        found: Tensor = self._base(
            input_ids=self._tensor(ids),
            position_ids=self._tensor(positions),
            attention_mask=torch.zeros(1, 1, 1, 1, device=self.model.device),  # of this form it is left as it is
            use_cache=False,
            cascade=call,
        ).last_hidden_state
        return found

    def _inputs(
        self, ids: Tensor, cache: DynamicCache | None, mask: Tensor | None, positions: Tensor | None
    ) -> dict[str, Any]:
        inputs = {"attention_mask": mask, "past_key_values": cache}
        if self._takes_positions:  # others find them from the mask
            inputs["position_ids"] = positions
        given = {name: value for name, value in inputs.items() if value is not None}
        return {"input_ids": ids, "use_cache": cache is not None, **given}

    # --- what the architecture allows ----------------------------------------------------------------

    @torch.inference_mode()
    def _probe(self, ids: Tensor) -> None:
        states = self._base(input_ids=ids, use_cache=False).last_hidden_state  # (1, L, D)
        quicken(self.model, lambda: self._base(input_ids=ids, use_cache=False).last_hidden_state)
        self._splits = self._head_splits(ids, states)
        layers = {type(layer) for layer in DynamicCache(config=self.model.config).layers}
        attends = bool(layers) and layers <= {DynamicLayer, DynamicSlidingWindowLayer}
        self.shares = attends and self._goes_on(ids, states, cached=HALF, gap=0)
        self.pads = attends and self._goes_on(ids, states, cached=0, gap=2)
        # A sliding window counts places in the cache, padding included.
        self.shares_padded = self.pads and layers == {DynamicLayer} and self._goes_on(ids, states, cached=HALF, gap=2)
        self._reach = self._found_reach(ids[0].tolist())
        if not self._reach:
            log.info("%s can't run prompts as a trie: they are padded and batched", type(self.model).__name__)
        if not (self.shares and self.pads):
            log.info("%s can't share or pad what it caches: its rows are run one by one", type(self.model).__name__)

    def _head_splits(self, ids: Tensor, states: Tensor) -> bool:
        """Whether the vocabulary projection can be applied apart from the model (some scale or cap its result)."""
        capped = getattr(self.model.config.get_text_config(), "final_logit_softcapping", None)
        if self._head is None or self._base is self.model or capped:
            return False
        whole, apart = self.model(input_ids=ids, use_cache=False).logits, self._head(states)
        return whole.shape == apart.shape and close(whole, apart)

    def _found_reach(self, ids: list[int]) -> int:
        """How long rows may be that run as a trie: what every layer sees; 0 where a small trie comes out wrong."""
        config: Any = self.model.config.get_text_config()
        if not self._splits or config._attn_implementation != "sdpa":
            return 0
        rows = [tuple(ids), (*ids[: HALF + 3], *ids[:2]), (*ids[:HALF], *ids[:3])]
        plain = [self._base(input_ids=self._tensor([row]), use_cache=False).last_hidden_state[0] for row in rows]
        try:
            self.model.set_attn_implementation(cascade.NAME)
            right = all(map(close, plain, self._small_trie(rows)))
        except (cascade.UnsupportedError, TypeError, ValueError, RuntimeError, LookupError, AttributeError) as error:
            log.debug("a trie can't run: %s", error)
            right = False
        if not right:
            self.model.set_attn_implementation("sdpa")
            return 0
        named = (getattr(config, name, None) for name in ("sliding_window", "attention_chunk_size"))
        return min((int(tokens) for tokens in named if tokens), default=sys.maxsize)

    def _small_trie(self, rows: Sequence[tuple[int, ...]]) -> Iterator[Tensor]:
        """The states of rows that begin alike: their beginning run alone, what follows in one forward."""
        tree = build(rows, worth=1)
        (root,) = tree.roots
        kept: KeyValues = []
        alone, below = layout([root], below=False), layout(root.children)
        above = self.states(alone, Packed(alone, kept=kept))
        self.bytes_per_token = sum(keys.nbytes + values.nbytes for keys, values in kept) // len(root.ids)
        states = self.states(below, Packed(below, [kept]))
        for path in tree.paths:
            parts = [states[below.begins[id(node)] :][: len(node.ids)] for node in path[1:]]
            yield torch.cat([above, *parts])

    def _tensor(self, ids: Sequence[Sequence[int]]) -> Tensor:
        return on_device(ids, self.model.device)

    def _goes_on(self, ids: Tensor, states: Tensor, *, cached: int, gap: int) -> bool:
        """Whether two rows come to the states of the whole text, given cached tokens and with padding behind them."""
        cache = expanded(self.remember(ids[0, :cached].tolist()), 2) if cached else DynamicCache()
        rest = torch.cat([ids[:, :gap], ids[:, cached:]], dim=1).repeat(2, 1)
        mask = torch.ones(2, cached + rest.shape[1], dtype=torch.long, device=ids.device)
        mask[:, cached : cached + gap] = 0
        inputs = self._inputs(rest, cache, mask, positions_of(mask)[:, cached:])
        return close(states[:, cached:].repeat(2, 1, 1), self._base(**inputs).last_hidden_state[:, gap:])


def _ordinary(vocabulary: int) -> Tensor:
    """(2 * HALF,) tokens from all over the vocabulary but its beginning.

    There are the special ones. A text of nothing else leads to states that are chaotic: in half precision a last bit
    makes them another text's.
    """
    return torch.randint(vocabulary // 20, vocabulary, (2 * HALF,), generator=torch.Generator().manual_seed(0))


def positions_of(mask: Tensor) -> Tensor:
    """(B, L) mask -> (B, L) positions, padding not counted."""
    return (mask.cumsum(-1) - 1).clamp(min=0)


def expanded(cache: DynamicCache, rows: int) -> DynamicCache:
    """The cache of one row as that of many, without copying (the next forward copies it, with what it adds)."""
    twin = DynamicCache()
    layer: Any  # any of transformers' layers; `Decoder` has seen to it that it has keys and values
    copy: Any
    for layer in cache.layers:
        copy = DynamicLayer()  # type: ignore[no-untyped-call]
        copy.lazy_initialization(layer.keys, layer.values)
        copy.keys = layer.keys.expand(rows, -1, -1, -1)  # (B, H, T, D)
        copy.values = layer.values.expand(rows, -1, -1, -1)
        twin.layers.append(copy)
    return twin
