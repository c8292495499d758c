"""Successive halving: the schedule worked by hand, and what holds for every one."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness_strategies.halving import Rung, affordable, schedule, sizes


def test_a_schedule_worked_by_hand():
    """8 candidates, 48 requests: R = 3 rounds of 16 requests, r_k = floor(48 / (|S_k| 3)) = 2, 4, 8 new rows each."""
    assert schedule(8, 100, 48) == (Rung(8, 2), Rung(4, 2 + 4), Rung(2, 2 + 4 + 8))


def test_what_a_short_list_of_rows_leaves_over_goes_to_later_rungs_until_all_rows_are_known():
    """As above with 5 rows: the second rung gets 3 new ones of its 4, and there is nothing left for the third."""
    assert schedule(8, 5, 30) == (Rung(8, 1), Rung(4, 3), Rung(2, 5))
    assert schedule(8, 5, 36) == (Rung(8, 1), Rung(4, 4), Rung(2, 5))
    assert schedule(8, 5, 39) == (Rung(8, 1), Rung(4, 4), Rung(2, 5))


def test_thirds():
    """9 candidates of which a third goes on: 2 rounds of 27 requests, 3 and 9 new rows."""
    assert sizes(9, 3) == [9, 3]
    assert schedule(9, 100, 54, eta=3) == (Rung(9, 3), Rung(3, 12))


def test_a_budget_for_everything_is_spent_on_everything():
    assert schedule(8, 5, 40) == (Rung(8, 5),)


def test_a_budget_that_is_too_small_has_room_for_fewer():
    assert [affordable(8, budget, 2) for budget in (1, 2, 5, 6, 8, 15, 24)] == [1, 2, 2, 3, 4, 5, 8]
    with pytest.raises(ValueError, match="no room for 8 candidates"):
        schedule(8, 100, 23)


CANDIDATES, ROWS, BUDGET, ETA = st.integers(1, 60), st.integers(1, 300), st.integers(1, 3000), st.integers(2, 5)


@given(CANDIDATES, ROWS, BUDGET, ETA)
def test_every_schedule(candidates, rows, budget, eta):
    n = candidates if candidates * rows <= budget else affordable(candidates, budget, eta)
    assert 1 <= n <= candidates
    rungs = schedule(n, rows, budget, eta)
    asked = [one.rows - before for one, before in zip(rungs, [0, *(rung.rows for rung in rungs)], strict=False)]
    assert sum(new * rung.candidates for new, rung in zip(asked, rungs, strict=True)) <= budget
    assert all(new >= 1 for new in asked)
    assert rungs[-1].rows <= rows
    assert rungs[0].candidates == n
    assert all(after.candidates == math.ceil(rung.candidates / eta) for rung, after in pairwise(rungs))
    assert rungs[-1].rows == rows or rungs[-1].candidates <= eta  # the last ones are compared by as much as there is


@given(CANDIDATES, ETA)
def test_rounds_are_as_many_as_the_logarithm(candidates, eta):
    rounds = 1
    while eta**rounds < candidates:
        rounds += 1
    assert len(sizes(candidates, eta)) == rounds


@given(CANDIDATES, BUDGET, ETA)
def test_no_more_candidates_are_affordable(candidates, budget, eta):
    n = affordable(candidates, budget, eta)
    assert n == candidates or all(more * len(sizes(more, eta)) > budget for more in range(n + 1, candidates + 1))
