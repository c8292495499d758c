"""The strategy `hinted`: zero-shot, told which answers are possible."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

from harness import Adapted, Component, Prompt, ask, decide, render_instruction, render_query

if TYPE_CHECKING:
    from harness import Model, Setting, TaskSpec, TaskView


@dataclass(frozen=True, slots=True)
class Hinted:
    """Name the possible answers before the question; works with every model that gives log-likelihoods.

    Args:
        order: `declared`, as the task lists its labels; or `shuffled` by the trial's seed, since models favour places.
    """

    order: Literal["declared", "shuffled"] = "declared"

    reads: ClassVar[frozenset[str]] = frozenset({"prompt"})  # no training rows: a change of these re-runs nothing
    baseline: ClassVar[Component] = Component("zero-shot")  # reports show the gain over it, on the same samples

    def refuses(self, model: Model, spec: TaskSpec) -> str | None:
        """Needs labels, and a model that says how likely each of them is."""
        if spec.kind != "classification":
            return f"a {spec.kind} task has no labels to name"
        return None if "LogLikelihood" in model.answers else "the model gives no log-likelihoods of answers"

    def adapt(self, model: Model, task: TaskView, setting: Setting) -> Adapted:
        """Write the hint once; the rest is the task's own prompt."""
        del model  # whatever it is, it is asked the same
        spec = task.spec
        possible = [said.strip() for said in spec.labels.values()]
        if self.order == "shuffled":
            random.Random(setting.seed).shuffle(possible)
        head = [render_instruction(spec), f"Possible answers: {', '.join(possible)}."]
        instruction = "".join(part + spec.prompt.separator for part in head if part)
        return Adapted(
            requests=lambda sample: [ask(spec, sample, Prompt(render_query(spec, sample), instruction=instruction))],
            decide=partial(decide, spec),
        )
