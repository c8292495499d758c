"""Decoding rows that share what they begin with: its keys and values are computed once, neither padded nor copied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from harness_hf.cascade import KeyValues, Packed, Step
from harness_hf.packing import layout, packs
from harness_hf.parallel import each
from harness_hf.prefill import prefill
from harness_hf.sharing import shared_length
from harness_hf.trie import Node
from harness_hf.writing import choose

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from harness_hf.batching import TokenBudget
    from harness_hf.decoder import Decoder
    from harness_hf.prefixes import Prefixes
    from harness_hf.writing import Answer

BATCH_ROWS = 64
"""Rows decoded together: up to about this many, a step costs little more than for one."""

ROOM_BYTES = 512 * 2**20
"""Of the keys and values of the rows of all batches at work."""

TOKENS_A_ROW = 16
"""Tokens of the budget that a row takes: after running out of memory there are fewer rows."""

SPARSE = 0.75
"""The share of rows still going at which the others' room is given back: doing so copies what is kept."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """What all batches of a call have in common.

    Attributes:
        shared: how many tokens all prompts begin with.
        chain: their keys and values.
        decode: tokens -> text.
    """

    decoder: Decoder
    budget: TokenBudget
    shared: int
    chain: Sequence[KeyValues]
    decode: Callable[[Sequence[int]], str]


def run_stepping(
    decoder: Decoder,
    answers: Sequence[Answer],
    budget: TokenBudget,
    prefixes: Prefixes | None,
    decode: Callable[[Sequence[int]], str],
) -> None:
    """Fill in the answers.

    Args:
        decoder: the model; it has to be able to cascade.
        answers: with at least one token to write each.
        budget: tokens in one forward.
        prefixes: see `harness_hf.prefill.prefill`.
        decode: tokens -> text.
    """
    shared = shared_length([one.ids for one in answers], [len(one.ids) - 1 for one in answers])
    chain: Sequence[KeyValues] = ()
    if shared:
        chain, _ = prefill(decoder, Node(answers[0].ids[:shared], 0), budget, prefixes)
    decoding = Decoding(decoder, budget, shared, chain, decode)
    waiting = sorted(answers, key=lambda one: len(one.ids) + one.limit, reverse=True)
    while waiting:
        failed: list[Sequence[Answer]] = []

        def work(batch: Sequence[Answer], failed: list[Sequence[Answer]] = failed) -> None:
            if not budget.fits(batch, lambda batch: _Batch(decoding, batch).run()):
                failed.append(batch)

        each(_batches(decoding, waiting), work, decoder.workers)
        if failed:  # those at work side by side fail together: that is one thing to learn
            rows = max(map(len, failed))
            budget.out_of_memory(rows, TOKENS_A_ROW * rows)
        waiting = [one for batch in failed for one in batch]


def _batches(decoding: Decoding, answers: Sequence[Answer]) -> list[Sequence[Answer]]:
    """Answers of about equal length together, as many batches as can be at work where that leaves each enough."""
    workers, decoder = decoding.decoder.workers, decoding.decoder
    most = max(1, min(BATCH_ROWS, decoding.budget.tokens // TOKENS_A_ROW))
    batches: list[Sequence[Answer]] = []
    begin = 0
    while begin < len(answers):
        room = len(answers[begin].ids) - decoding.shared + answers[begin].limit
        by_memory = ROOM_BYTES // workers // (room * decoder.bytes_per_token)
        by_workers = -(-len(answers) // workers)
        rows = max(1, min(most, by_memory, by_workers))
        batches.append(answers[begin : begin + rows])
        begin += rows
    return batches


class _Batch:
    """Rows that are decoded together; one that is finished goes on unheard until enough others are."""

    def __init__(self, decoding: Decoding, answers: Sequence[Answer]) -> None:
        self._decoding = decoding
        self._going: list[Answer | None] = list(answers)
        self._lengths = [len(one.ids) for one in answers]
        self._longest = max(self._lengths) - decoding.shared
        self._columns = self._longest + max(one.limit for one in answers)
        self._rooms: KeyValues = []

    def run(self) -> None:
        decoder = self._decoding.decoder
        for one in self._going:
            assert one is not None  # noqa: S101 - all begin
            one.begin()
        states = self._prefilled()  # (B, D)
        step = Step(self._rooms, self._longest, self._mask(states), self._decoding.chain)
        while tokens := self._take(states):
            going = [at for at, one in enumerate(self._going) if one is not None]
            if len(going) <= SPARSE * len(self._going):
                tokens = [tokens[at] for at in going]
                self._shrink(going, step)
            states = decoder.step(tokens, self._lengths, step)
            alive = sum(one is not None for one in self._going)
            decoder.counters.add(forwarded=alive, padded=len(self._going) - alive)
            self._lengths = [length + 1 for length in self._lengths]
            step.used += 1

    def _take(self, states: Tensor) -> list[int]:
        """Give each answer its next token; these, or nothing when all are finished."""
        logits = torch.cat([*self._decoding.decoder.project(states)])  # (B, V)
        tokens = [0] * len(self._going)
        for at, one in enumerate(self._going):
            if one is not None:
                tokens[at] = choose(one, logits[at])
                if one.add(tokens[at], self._decoding.decode):
                    self._going[at] = None
        return tokens if any(one is not None for one in self._going) else []

    def _prefilled(self) -> Tensor:
        """Run the rows' own prompts, packed, into their rooms; the states at their ends. Equal prompts run once."""
        decoding = self._decoding
        own = [one.ids[decoding.shared :] for one in self._going if one is not None]
        rows: dict[tuple[int, ...], list[int]] = {}
        for at, ids in enumerate(own):
            rows.setdefault(ids, []).append(at)
        nodes = [Node(ids, decoding.shared, size=len(ids)) for ids in rows]
        ends: dict[tuple[int, ...], Tensor] = {}
        for pack in packs(nodes, decoding.budget.tokens, 1):
            packed = layout(pack)
            found: KeyValues = []
            states = decoding.decoder.states(packed, Packed(packed, decoding.chain, found))
            if not self._rooms:
                self._rooms += [(self._room(keys), self._room(values)) for keys, values in found]
            for node in pack:
                begin = packed.begins[id(node)]
                source, target = slice(begin, begin + node.size), slice(self._longest - node.size, self._longest)
                for at in rows[node.ids]:
                    for (keys, values), (all_keys, all_values) in zip(found, self._rooms, strict=True):
                        all_keys[at, :, target] = keys[0, :, source]
                        all_values[at, :, target] = values[0, :, source]
                ends[node.ids] = states[begin + node.size - 1]
        return torch.stack([ends[ids] for ids in own])

    def _room(self, like: Tensor) -> Tensor:
        """(B, H_kv, C, D) zeros: what is masked is multiplied by 0, so it has to be a number."""
        return like.new_zeros(len(self._going), like.shape[1], self._columns, like.shape[3])

    def _mask(self, states: Tensor) -> Tensor:
        gaps = [self._longest - (length - self._decoding.shared) for length in self._lengths]
        mask = states.new_zeros(len(gaps), 1, 1, self._columns)
        for at, gap in enumerate(gaps):
            mask[at, ..., :gap] = -torch.inf
        return mask

    def _shrink(self, going: Sequence[int], step: Step) -> None:
        kept = torch.tensor(going, device=step.mask.device)
        for layer, (keys, values) in enumerate(self._rooms):
            self._rooms[layer] = keys[kept], values[kept]
        step.mask = step.mask[kept]
        self._going = [self._going[at] for at in going]
        self._lengths = [self._lengths[at] for at in going]
