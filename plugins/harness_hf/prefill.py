"""Running one node of a trie alone, for the keys and values that all below it attend to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import ModelError
from harness_hf.cascade import KeyValues, Packed
from harness_hf.packing import layout
from harness_hf.trie import Node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from harness_hf.batching import TokenBudget
    from harness_hf.decoder import Decoder
    from harness_hf.prefixes import Prefixes

PIECE = 4
"""Budgets of tokens in one forward of a long node: it needs no more memory than as many short ones with their heads."""


def prefill(
    decoder: Decoder,
    node: Node,
    budget: TokenBudget,
    prefixes: Prefixes | None,
    *,
    chain: Sequence[KeyValues] = (),
    wanted: Sequence[int] = (),
) -> tuple[list[KeyValues], dict[int, Tensor]]:
    """Run a node, in pieces where it is long; or take what an earlier call has left of it.

    Args:
        decoder: the model; it has to be able to cascade.
        node: what to run.
        budget: tokens in one forward.
        prefixes: what earlier calls have left, and takes this; None to do without.
        chain: cached nodes above it.
        wanted: places in the node whose states are needed.

    Returns:
        Keys and values, a piece each, and the states (D,) at the wanted places.

    Raises:
        ModelError: when memory does not suffice for a single token.
    """
    # What calls leave has no states, and begins where texts begin.
    store = None if node.start or wanted else prefixes
    known = None if store is None else store.get(node.ids)
    if known is not None:
        return known, {}
    pieces: list[KeyValues] = []
    states: dict[int, Tensor] = {}
    length = PIECE * budget.tokens
    done = 0
    while done < len(node.ids):
        piece = Node(node.ids[done : done + length], node.start + done)
        here = [place for place in wanted if done <= place < done + len(piece.ids)]
        found: KeyValues = []

        def forward(
            batch: Sequence[Node], found: KeyValues = found, here: Sequence[int] = here, done: int = done
        ) -> None:
            found.clear()
            packed = layout(batch, below=False)
            all_states = decoder.states(packed, Packed(packed, (*chain, *pieces), found))
            states.update({place: all_states[place - done].clone() for place in here})  # so that the rest is freed

        if budget.fits([piece], forward):  # a long piece says nothing about many short ones
            pieces.append(found)
            done += len(piece.ids)
        elif len(piece.ids) == 1:
            raise ModelError(
                "out of memory with a single token", hint="lower max_length, or take another device or dtype"
            )
        else:
            budget.halve(len(piece.ids))
            length = budget.tokens
    if store is not None:
        store.keep(node.ids, pieces)
    return pieces, states
