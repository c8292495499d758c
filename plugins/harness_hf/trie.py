"""Token sequences -> a trie whose nodes are run once each, however many sequences pass through them. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WORTH = 16
"""Tokens that sharing a prefix has to save: a node of its own costs as much as running that many."""


@dataclass(slots=True)
class Node:
    """Tokens that follow those of the nodes above.

    Attributes:
        ids: its own tokens, at least one.
        start: how many tokens stand before them.
        children: what follows it.
        size: its own tokens and all below it.
    """

    ids: tuple[int, ...]
    start: int
    children: list[Node] = field(default_factory=list)
    size: int = 0

    @property
    def end(self) -> int:
        """How many tokens a sequence has that ends with this node."""
        return self.start + len(self.ids)


@dataclass(frozen=True, slots=True)
class Trie:
    """A forest over sequences.

    Attributes:
        roots: nodes without others above them.
        paths: for each sequence, in the order given, the nodes from a root to its end.
    """

    roots: tuple[Node, ...]
    paths: tuple[tuple[Node, ...], ...]

    @property
    def size(self) -> int:
        """Tokens of all nodes."""
        return sum(root.size for root in self.roots)


def build(sequences: Sequence[tuple[int, ...]], *, worth: int = WORTH) -> Trie:
    """Share what sequences begin with, where that saves `worth` tokens.

    Args:
        sequences: not empty each; equal ones have one path.
        worth: see `WORTH`.
    """
    order = sorted(range(len(sequences)), key=lambda number: sequences[number])
    sorted_ = [sequences[number] for number in order]
    paths: list[tuple[Node, ...]] = [()] * len(sequences)
    roots: list[Node] = []
    # Groups of sorted sequences that have their first `depth` tokens, and the path of nodes, in common.
    waiting: list[tuple[int, int, int, tuple[Node, ...]]] = [(0, len(order), 0, ())] if order else []
    while waiting:
        low, high, depth, path = waiting.pop()
        first, last = sorted_[low], sorted_[high - 1]
        common = common_length(first, last)  # sorted: what these two share, all between them share
        branches = list(_branches(sorted_, low, high, common))
        if common > depth and (len(branches) == 1 or (common - depth) * (len(branches) - 1) >= worth):
            node = Node(first[depth:common], depth)
            (path[-1].children if path else roots).append(node)
            path, depth = (*path, node), common
        for begin, end in branches:
            if len(sorted_[begin]) > depth:
                waiting.append((begin, end, depth, path))
            else:
                for at in range(begin, end):
                    paths[order[at]] = path
    for root in roots:
        _measure(root)
    return Trie(tuple(roots), tuple(paths))


def _branches(sorted_: Sequence[tuple[int, ...]], low: int, high: int, common: int) -> Iterator[tuple[int, int]]:
    """The parts of a group that go on with different tokens; those that end come first, as one part."""
    begin = low
    for _, part in groupby(range(low, high), key=lambda at: sorted_[at][common : common + 1]):
        end = begin + sum(1 for _ in part)
        yield begin, end
        begin = end


def depth_first(roots: Sequence[Node]) -> Iterator[Node]:
    """Each node before those below it, and these before its next sibling."""
    waiting = list(reversed(roots))
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.children))


def _measure(root: Node) -> None:
    for node in reversed(list(depth_first([root]))):
        node.size = len(node.ids) + sum(child.size for child in node.children)


def common_length(a: Sequence[int], b: Sequence[int]) -> int:
    """How many leading tokens two sequences have in common."""
    return next((at for at, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
