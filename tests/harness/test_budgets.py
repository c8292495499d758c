"""Budgets in words, over seeds, and whether ranked rows had the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.budgets import caveat, differing, labels, largest
from harness.records import LabelBudget

BUDGETS = st.builds(LabelBudget, *[st.integers(0, 3)] * 3, st.booleans())


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        (LabelBudget(), "0"),
        (LabelBudget(8), "8 train + 0 validation"),
        (LabelBudget(1200, 150), "1,200 train + 150 validation"),
        (LabelBudget(unlabelled=60), "0, 60 unlabelled"),
        (LabelBudget(0, 5, 60, True), "0 train + 5 validation, 60 unlabelled, scored rows among them"),
    ],
)
def test_a_budget_in_words(budget, said):
    assert labels(budget) == said


@given(st.lists(st.none() | BUDGETS))
def test_budgets_differ_where_two_that_are_known_are_not_the_same(budgets):
    known = {budget for budget in budgets if budget is not None}
    assert set(differing(budgets)) == (known if len(known) > 1 else set())


def test_the_smallest_budget_is_named_first():
    several = (LabelBudget(8), LabelBudget(), LabelBudget(4, 4, 1), LabelBudget(4, 4))
    assert differing(several) == (LabelBudget(), LabelBudget(4, 4), LabelBudget(4, 4, 1), LabelBudget(8))
    assert caveat(differing(several[:2])) == "Ranked rows were given different labels (0; 8 train + 0 validation)."


@given(st.lists(BUDGETS, min_size=1))
def test_seeds_count_by_the_most_that_any_had(budgets):
    total = largest(budgets)
    assert total.train == max(budget.train for budget in budgets)
    assert total.transductive == any(budget.transductive for budget in budgets)
    assert largest([*budgets, None]) is None
    assert largest([]) is None
