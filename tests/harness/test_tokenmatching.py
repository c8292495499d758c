"""Greedy matching, by hand, and against a search through all pairs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.answercache import AnswerCache
from harness.records import EmbeddedTokens
from harness.tokenmatching import NOTHING, Matched, Side, matched


def text(tokens, vectors, special=()):
    return EmbeddedTokens(
        tuple(tokens), tuple(one in special for one in tokens), np.array(vectors, np.float32).reshape(len(tokens), -1)
    )


def test_each_token_has_the_cosine_of_the_nearest():
    first = text("ab", [[2, 0], [1, 1]])
    second = text("cd", [[0, 3], [4, 0]])
    half = pytest.approx(np.sqrt(0.5))
    found = matched(first, second)
    assert (found.first.tokens, found.second.tokens) == (("a", "b"), ("c", "d"))
    assert list(found.first.cosines) == [1.0, half]
    assert list(found.second.cosines) == [half, 1.0]


def test_those_that_frame_a_text_count_nothing_but_may_be_nearest():
    first = text("<a>", [[1, 0], [1, 1], [0, 1]], special="<>")
    second = text("<b>", [[1, 1], [-1, 0], [0, -1]], special="<>")
    assert matched(first, second) == Matched(Side(("a",), (1.0,)), Side(("b",), (0.0,)))


def test_a_text_without_tokens_is_near_to_nothing():
    framed, said = text("<>", [[1, 0], [0, 1]], special="<>"), text("<a>", [[1, 0]] * 3, special="<>")
    for empty in (framed, NOTHING):
        assert matched(empty, said) == Matched(Side((), ()), Side(("a",), (0.0,)))
        assert matched(said, empty) == Matched(Side(("a",), (0.0,)), Side((), ()))


vectors = st.lists(st.lists(st.integers(-3, 3), min_size=3, max_size=3), min_size=1, max_size=5)


@settings(max_examples=60, deadline=None)
@given(vectors, vectors)
def test_it_is_the_best_of_all_pairs(first, second):
    def cosine(a, b):
        length = np.linalg.norm(a) * np.linalg.norm(b)
        return np.dot(a, b) / length if length else 0.0

    found = matched(*(text([str(at) for at in range(len(side))], side) for side in (first, second)))
    assert list(found.first.cosines) == pytest.approx([max(cosine(a, b) for b in second) for a in first], abs=1e-6)
    assert list(found.second.cosines) == pytest.approx([max(cosine(a, b) for a in first) for b in second], abs=1e-6)


def test_what_is_kept_comes_back(tmp_path):
    found = matched(text("ab", [[2, 0], [1, 3]]), text("cd", [[1, 3], [4, 1]]))
    AnswerCache(tmp_path).put({"key": found})
    assert AnswerCache(tmp_path).get(["key", "other"]) == {"key": found}
