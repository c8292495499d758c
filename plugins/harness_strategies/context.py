"""Context conditioning: each sample's context stands before its input, in prompting and in training alike.

P(c, x) with c the label of x's context or its description (control codes: Keskar et al. 2019). Compared, on the same
samples, with the strategy it changes.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from harness.components import build
from harness.records import Component
from harness_strategies.finetuning import FineTune
from harness_strategies.probing import LinearProbe
from harness_strategies.prompting import FewShot, ZeroShot

if TYPE_CHECKING:
    from harness.interfaces import Adapted, Model, Setting, TaskView
    from harness.records import TaskSpec

CHANGED: dict[str, Any] = {
    "zero-shot": ZeroShot,
    "few-shot": FewShot,
    "linear-probe": LinearProbe,
    "finetune": FineTune,
}


def context(
    of: Literal["zero-shot", "few-shot", "linear-probe", "finetune"] = "zero-shot",
    source: Literal["label", "description"] = "label",
    **parameters: Any,  # noqa: ANN401 - those of the strategy `of`, which checks them
) -> Context:
    """Make the strategy.

    Args:
        of: the strategy that is given the context.
        source: put the context's `label` or its `description` before the input.
        **parameters: those of the strategy `of`.

    Raises:
        ParameterError: for a parameter that `of` does not have.
    """
    return Context(source, of, build(CHANGED[of], Component(of, None, parameters), kind="strategy"))


@dataclass(frozen=True, slots=True)
class Context:
    """A strategy given the contexts; `baseline` is the same strategy without them."""

    source: Literal["label", "description"]
    of: str
    changed: ZeroShot | FewShot | LinearProbe | FineTune

    @property
    def reads(self) -> frozenset[str]:
        """What the changed strategy reads."""
        return self.changed.reads

    @property
    def baseline(self) -> Component:
        """The strategy to compare with: the gain over it is what the context is worth."""
        return Component(self.of, None, dataclasses.asdict(self.changed))

    def refuses(self, model: Model, spec: TaskSpec) -> str | None:
        """Needs samples with a context (described, for `source=description`) and a pair that works without it."""
        if not spec.has_context:
            return "the task's samples have no context"
        if self.source == "description" and not spec.contexts:
            return "the task does not describe its contexts"
        return self.changed.refuses(model, spec)

    def adapt(self, model: Model, task: TaskView, setting: Setting) -> Adapted:
        """Adapt the changed strategy to the conditioned task: demonstrations and training rows have contexts too."""
        return self.changed.adapt(model, task.conditioned(self.source), setting)
