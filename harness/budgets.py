"""Labels that strategies were given: in words, over seeds, and whether rows that are ranked had the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.records import LabelBudget

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.taskdata import GuardedView

UNSTATED = "it does not say which labels it used: all of the rows that it was shown count"


def stated(budget: LabelBudget, view: GuardedView) -> tuple[LabelBudget, tuple[str, ...]]:
    """A strategy's budget, and what is to be said of it.

    One that states nothing and has been shown labelled rows may have used all of them; so that is what counts.

    Args:
        budget: the one that adapting gave.
        view: what the strategy was shown meanwhile.
    """
    train, validation = (len(view.samples(split)) if split in view.shown else 0 for split in ("train", "validation"))
    if budget != LabelBudget() or not train + validation:
        return budget, ()
    return LabelBudget(train, validation), (UNSTATED,)


def largest(budgets: Iterable[LabelBudget | None]) -> LabelBudget | None:
    """The most of each over some seeds; None where one is not known."""
    found = list(budgets)
    known = [budget for budget in found if budget is not None]
    if not known or len(known) < len(found):
        return None
    return LabelBudget(
        train=max(budget.train for budget in known),
        validation=max(budget.validation for budget in known),
        unlabelled=max(budget.unlabelled for budget in known),
        transductive=any(budget.transductive for budget in known),
    )


def differing(budgets: Iterable[LabelBudget | None]) -> tuple[LabelBudget, ...]:
    """The different ones of several, the smallest first; empty where all that are known are alike.

    The rule of fair comparison: rows that stand in one ranking had the same budget, or the ranking says that they had
    not. Rows without labels may be read by all alike, so they count as much as labels do.
    """
    known = {budget for budget in budgets if budget is not None}
    if len(known) < 2:
        return ()
    return tuple(
        sorted(known, key=lambda one: (one.train + one.validation, one.train, one.unlabelled, one.transductive))
    )


def labels(budget: LabelBudget) -> str:
    """`8 train + 2 validation`, and what was read without labels behind it."""
    parts = [f"{budget.train:,} train + {budget.validation:,} validation" if budget.train + budget.validation else "0"]
    if budget.unlabelled:
        parts.append(f"{budget.unlabelled:,} unlabelled")
    if budget.transductive:
        parts.append("scored rows among them")
    return ", ".join(parts)


def caveat(budgets: Sequence[LabelBudget]) -> str:
    """What a ranking over different budgets says of itself."""
    return f"Ranked rows were given different labels ({'; '.join(map(labels, budgets))})."
