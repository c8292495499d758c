"""What strategies declare beside their methods, with what holds for those that declare nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.taskdata import PARTS

if TYPE_CHECKING:
    from harness.interfaces import Strategy
    from harness.records import Component


def used_models(strategy: Strategy) -> tuple[Component, ...]:
    """The models that a strategy uses beside the one that it adapts."""
    declared: tuple[Component, ...] = getattr(strategy, "models", ())
    return declared


def used_parts(strategy: Strategy) -> tuple[tuple[str, str], ...]:
    """Kind and name of the registered parts that a strategy is made of."""
    declared: tuple[tuple[str, str], ...] = getattr(strategy, "uses", ())
    return declared


def reads(strategy: Strategy) -> frozenset[str]:
    """The parts of a task that a strategy reads."""
    declared: frozenset[str] = getattr(strategy, "reads", PARTS)
    return declared


def baselines(strategy: Strategy) -> tuple[Component, ...]:
    """What a strategy is to be compared with: its `baselines`, or the one `baseline` that it names."""
    several: tuple[Component, ...] | None = getattr(strategy, "baselines", None)
    if several is not None:
        return tuple(several)
    one: Component | None = getattr(strategy, "baseline", None)
    return () if one is None else (one,)
