"""Which nodes of a trie run together in one forward, and where their tokens stand in it. Pure."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness_hf.trie import depth_first

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness_hf.trie import Node

LEAST = 256
"""Tokens a forward should have at least: below that matrix products lose speed."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Whole subtrees in one row, each node before those below it.

    Attributes:
        ids: (T,) tokens.
        positions: (T,) the place of each in its own sequence.
        spans: begin and end of each node: its tokens attend to those before them in it.
        inner: begin and end of a node with others below it, and the end of these: they attend to all of it.
        begins: `id` of a node -> where it begins.
    """

    ids: tuple[int, ...]
    positions: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]
    inner: tuple[tuple[int, int, int], ...]
    begins: dict[int, int]


def layout(roots: Sequence[Node], *, below: bool = True) -> Layout:
    """Put subtrees into a row; with `below=False` the nodes alone."""
    ids: list[int] = []
    positions: list[int] = []
    spans: list[tuple[int, int]] = []
    inner: list[tuple[int, int, int]] = []
    begins: dict[int, int] = {}
    for node in depth_first(roots) if below else roots:
        begin = len(ids)
        begins[id(node)] = begin
        ids.extend(node.ids)
        positions.extend(range(node.start, node.end))
        spans.append((begin, len(ids)))
        if below and node.children:
            inner.append((begin, len(ids), begin + node.size))
    return Layout(tuple(ids), tuple(positions), tuple(spans), tuple(inner), begins)


def fits(node: Node, budget: int) -> bool:
    """Whether a node runs with all below it in one forward: a long text with short ones below it does too."""
    return node.size <= budget or node.size - len(node.ids) <= budget // 4


def packs(nodes: Sequence[Node], budget: int, workers: int) -> list[list[Node]]:
    """Deal subtrees into forwards of about equal size, the largest first.

    Args:
        nodes: those that fit, see `fits`.
        budget: tokens of one forward; a subtree that is larger has one of its own.
        workers: how many forwards run at a time: each is to have work, as long as forwards stay large enough.
    """
    if not nodes:
        return []
    total = sum(node.size for node in nodes)
    count = -(-total // budget)
    if total >= workers * LEAST:
        count = -(-count // workers) * workers
    piles: list[tuple[int, int, list[Node]]] = [(0, number, []) for number in range(min(count, len(nodes)))]
    for node in sorted(nodes, key=lambda node: -node.size):
        size, number, pile = heapq.heappop(piles)
        heapq.heappush(piles, (size + node.size, number, [*pile, node]))
    return [pile for _, _, pile in sorted(piles, key=lambda entry: (-entry[0], entry[1]))]
