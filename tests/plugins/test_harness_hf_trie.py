"""Tries, packs and remembered prefixes: pure parts of the engine, by their properties."""

import itertools
import threading

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness_hf.packing import LEAST, fits, layout, packs
from harness_hf.parallel import each
from harness_hf.prefixes import Prefixes
from harness_hf.trie import Node, build, depth_first

SEQUENCES = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12).map(tuple), max_size=20)


@given(SEQUENCES, st.integers(1, 20))
def test_every_path_spells_its_sequence(sequences, worth):
    trie = build(sequences, worth=worth)
    for sequence, path in zip(sequences, trie.paths, strict=True):
        assert sum((node.ids for node in path), ()) == sequence
        assert [node.start for node in path] == [0, *(node.end for node in path[:-1])]
        assert path[0] in trie.roots
        assert all(below in above.children for above, below in itertools.pairwise(path))


@given(SEQUENCES)
def test_with_any_saving_worth_it_each_distinct_prefix_stands_once(sequences):
    trie = build(sequences, worth=1)
    assert trie.size == len({sequence[:end] for sequence in sequences for end in range(1, len(sequence) + 1)})


@given(SEQUENCES, st.integers(1, 20))
def test_what_is_not_shared_costs_less_than_it_is_worth(sequences, worth):
    splits = sum(len(set(sequences)) > 1 for _ in sequences)
    assert build(sequences, worth=1).size <= build(sequences, worth=worth).size
    assert build(sequences, worth=worth).size <= build(sequences, worth=1).size + splits * (worth - 1)


@given(SEQUENCES)
def test_a_layout_has_each_node_after_those_above_it_and_before_those_below(sequences):
    trie = build(sequences, worth=1)
    packed = layout(trie.roots)
    assert len(packed.ids) == len(packed.positions) == trie.size
    assert [end for _, end in packed.spans[:-1]] == [begin for begin, _ in packed.spans[1:]]
    nodes = list(depth_first(trie.roots))
    inner = {begin: until for begin, _, until in packed.inner}
    for node, (begin, end) in zip(nodes, packed.spans, strict=True):
        assert packed.begins[id(node)] == begin
        assert packed.ids[begin:end] == node.ids
        assert packed.positions[begin:end] == tuple(range(node.start, node.end))
        assert inner.get(begin, end) == begin + node.size
        for child in node.children:
            assert end <= packed.begins[id(child)] < inner[begin]


def leaf(size):
    return Node((0,) * size, 0, size=size)


@given(st.lists(st.integers(1, 400), max_size=40), st.integers(50, 1000), st.integers(1, 4))
def test_packs_hold_all_within_the_budget_or_nearly(sizes, budget, workers):
    nodes = [leaf(size) for size in sizes]
    found = packs(nodes, budget, workers)
    assert sorted(map(id, (node for pack in found for node in pack))) == sorted(map(id, nodes))
    assert all(sum(node.size for node in pack) <= budget + max(sizes) for pack in found)
    if sum(sizes) >= workers * LEAST and len(nodes) >= workers:
        assert len(found) >= workers


def test_a_long_text_with_short_ones_below_it_fits():
    long = Node((0,) * 900, 0, [leaf(10), leaf(10)], 920)
    assert fits(long, 512)
    assert not fits(Node((0,) * 100, 0, [leaf(300), leaf(300)], 700), 512)


# --- prefixes --------------------------------------------------------------------------------------


def pieces(length, fill=0.0):
    return [[(torch.full((1, 2, length, 4), fill), torch.full((1, 2, length, 4), fill))]]


ONE = sum(part.nbytes for part in pieces(4)[0][0])


def test_a_whole_prefix_is_taken_again_and_nothing_else():
    prefixes = Prefixes()
    kept = pieces(4, 1.0)
    prefixes.keep((1, 2, 3, 4), kept)
    assert prefixes.get((1, 2, 3, 4)) is kept
    assert prefixes.get((1, 2, 3)) is prefixes.get((1, 2, 3, 4, 5)) is prefixes.get((5,)) is None


def test_what_was_used_longest_ago_goes_when_bytes_run_out():
    prefixes = Prefixes(budget_bytes=2 * ONE)
    for first in (1, 2):
        prefixes.keep((first,) * 4, pieces(4))
    prefixes.get((1,) * 4)
    prefixes.keep((3,) * 4, pieces(4))
    assert [prefixes.get((first,) * 4) is None for first in (1, 2, 3)] == [False, True, False]
    assert prefixes.bytes == 2 * ONE
    prefixes.keep((4,) * 99, pieces(99))
    assert prefixes.get((4,) * 99) is None, "larger than all that may be kept"
    assert prefixes.bytes == 2 * ONE


# --- side by side ----------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_each_item_is_worked_on_once(workers):
    torch.set_num_threads(2)
    seen = []
    each(list(range(20)), seen.append, workers)
    assert sorted(seen) == list(range(20))
    assert torch.get_num_threads() == 2


def test_the_first_error_ends_the_work_and_is_raised():
    seen, first = [], threading.Event()

    def work(item):
        if item == 0:
            first.set()
            raise ValueError("zero")
        first.wait(5)
        seen.append(item)

    with pytest.raises(ValueError, match="zero"):
        each(list(range(100)), work, 2)
    assert len(seen) < 99
