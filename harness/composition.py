"""Strategies that change other strategies: how they are given these, and what of them counts as their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.declared import reads, used_models
from harness.errors import UsageError
from harness.records import Component

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.interfaces import Strategy


@dataclass(frozen=True, slots=True)
class Changed:
    """A strategy under another one that changes it, which holds it as `changed`.

    Attributes:
        component: as somebody wrote it.
        strategy: what was made of that.
    """

    component: Component
    strategy: Strategy

    @property
    def reads(self) -> frozenset[str]:
        """The parts of a task that it looks at."""
        return reads(self.strategy)

    @property
    def models(self) -> tuple[Component, ...]:
        """The models that it uses beside the one that it adapts."""
        return used_models(self.strategy)

    @property
    def control(self) -> bool:
        """Whether it is a control itself."""
        return bool(getattr(self.strategy, "control", False))

    @property
    def of(self) -> str:
        """It, and those below it, as `Strategies.changed` takes them."""
        below = self.component.params.get("of")
        head = str(Component(self.component.name, self.component.reference))
        return head if below is None else f"{head}+{below}"

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Its parameters, and those of the ones below it, likewise."""
        return {name: value for name, value in self.component.params.items() if name != "of"}


class Strategies:
    """All registered strategies, for one that changes another; given to any target that has a parameter `strategies`.

    Args:
        make: makes a strategy, given those that it will stand under.
        above: names of the one that is given this, and of those that it stands under.
    """

    def __init__(self, make: Callable[[Component, tuple[str, ...]], Strategy], above: tuple[str, ...]) -> None:
        self._make = make
        self._above = above

    def changed(self, of: str, parameters: Mapping[str, Any]) -> Changed:
        """Make the strategy to change.

        Args:
            of: its name. `pretrain+lora` is `pretrain` of `lora`: what stands behind a `+` is the parameter `of` of
                what stands before it.
            parameters: its own, as people wrote them; those that it does not have go to the one below it.

        Raises:
            UnknownNameError, ParameterError: as for any strategy.
            UsageError: when a strategy would stand under itself.
        """
        first, _, below = of.partition("+")
        name, colon, reference = first.partition(":")
        if name in self._above:
            chain = " of ".join((*self._above, name))
            raise UsageError(f"a strategy can't change itself: {chain}", hint="name another one with of=")
        written = {"of": below, **parameters} if below else dict(parameters)
        component = Component(name, reference if colon else None, written)
        return Changed(component, self._make(component, self._above))
