"""Rows as a trie: whatever several of them begin with runs once, and nothing is padded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from harness_hf.cascade import KeyValues, Packed
from harness_hf.packing import Layout, fits, layout, packs
from harness_hf.parallel import each
from harness_hf.prefill import prefill
from harness_hf.trie import Node, build
from harness_hf.wanted import log_probabilities

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from harness_hf.batching import TokenBudget
    from harness_hf.decoder import Decoder
    from harness_hf.prefixes import Prefixes
    from harness_hf.wanted import Input

Place = tuple[int, int]
"""`id` of a node and a place in it."""


def run_shared(
    decoder: Decoder, inputs: Sequence[Input], budget: TokenBudget, prefixes: Prefixes | None
) -> list[tuple[int, float]]:
    """The number of a row and a log-probability, for each lookup.

    Args:
        decoder: the model; it has to be able to cascade.
        inputs: different from one another.
        budget: tokens in one forward.
        prefixes: see `harness_hf.scoring.score`.

    Raises:
        ModelError: when memory does not suffice for a single token.
    """
    trie = build([one.ids for one in inputs])
    lookups: dict[Place, list[tuple[int, int]]] = {}
    for one, path in zip(inputs, trie.paths, strict=True):
        for lookup in one.lookups:
            node = next(node for node in path if lookup.place < node.end)
            lookups.setdefault((id(node), lookup.place - node.start), []).append((lookup.token, lookup.row))
    run = _Run(decoder, budget, prefixes, _by_node(lookups))
    run.forest(trie.roots)
    return list(_looked_up(decoder, run.states, lookups))


def _by_node(places: Iterable[Place]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for node, place in places:
        found.setdefault(node, []).append(place)
    return found


def _looked_up(
    decoder: Decoder, states: dict[Place, Tensor], lookups: dict[Place, list[tuple[int, int]]]
) -> Iterator[tuple[int, float]]:
    """Project the states to distributions, few at a time, and look the tokens up."""
    if not lookups:
        return iter(())
    asked = [(at, *one) for at, ones in enumerate(lookups.values()) for one in ones]
    logits = decoder.project(torch.stack([states[place] for place in lookups]))
    found = log_probabilities(logits, [(at, token) for at, token, _ in asked])
    return zip((row for _, _, row in asked), found, strict=True)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A node that runs alone, since what is below it takes several forwards; and the cached nodes above it."""

    node: Node
    chain: tuple[KeyValues, ...]


@dataclass(slots=True)
class _Run:
    """One call's way through a trie: depth first, so that only the nodes above the current one are cached."""

    decoder: Decoder
    budget: TokenBudget
    prefixes: Prefixes | None
    wanted: dict[int, list[int]]
    states: dict[Place, Tensor] = field(default_factory=dict)
    waiting: list[_Kept] = field(default_factory=list)

    def forest(self, roots: Sequence[Node]) -> None:
        """Run all nodes."""
        self._level(roots, ())
        while self.waiting:
            kept = self.waiting.pop()
            self._level(kept.node.children, (*kept.chain, *self._alone(kept)))

    def _level(self, nodes: Sequence[Node], chain: tuple[KeyValues, ...]) -> None:
        """Run siblings: those that fit in packs, the others later, alone and then what is below them."""
        fitting = [node for node in nodes if fits(node, self.budget.tokens)]
        self.waiting += [_Kept(node, chain) for node in nodes if not fits(node, self.budget.tokens)]
        while fitting:
            failed: list[list[Node]] = []

            def work(pack: list[Node], failed: list[list[Node]] = failed) -> None:
                tokens = sum(node.size for node in pack)
                if not self.budget.fits(pack, lambda pack: self._forward(layout(pack), chain), tokens=tokens):
                    failed.append(pack)

            dealt = packs(fitting, self.budget.tokens, self.decoder.workers)
            # While the best size is still looked for, one forward decides about the next.
            now, later = (dealt[:1], dealt[1:]) if self.budget.growing else (dealt, [])
            each(now, work, self.decoder.workers)
            if failed:  # those at work side by side fail together: that is one thing to learn
                self.budget.halve(max(sum(node.size for node in pack) for pack in failed))
            self.waiting += [_Kept(pack[0], chain) for pack in failed if len(pack) == 1]
            fitting = [node for pack in [*later, *(pack for pack in failed if len(pack) > 1)] for node in pack]

    def _alone(self, kept: _Kept) -> list[KeyValues]:
        """Run one node and give its keys and values."""
        node, wanted = kept.node, self.wanted.get(id(kept.node), ())
        pieces, states = prefill(self.decoder, node, self.budget, self.prefixes, chain=kept.chain, wanted=tuple(wanted))
        self.states.update({(id(node), place): state for place, state in states.items()})
        return pieces

    def _forward(self, packed: Layout, chain: Sequence[KeyValues]) -> None:
        states = self.decoder.states(packed, Packed(packed, chain))
        wanted = [
            ((node, place), begin + place)
            for node, begin in packed.begins.items()
            for place in self.wanted.get(node, ())
        ]
        if wanted:  # copied, so that the rest is freed
            rows = states[torch.tensor([at for _, at in wanted], device=states.device)]
            self.states.update(zip((place for place, _ in wanted), rows, strict=True))
