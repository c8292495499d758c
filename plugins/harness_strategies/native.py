"""Tasks of other harnesses as they say themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.interfaces import Adapted, Model, Setting, TaskView
    from harness.records import TaskSpec


@dataclass(frozen=True, slots=True)
class Native:
    """As many demonstrations as a task says that asks by itself (`harness.AsksItself`); no other task says any."""

    reads: ClassVar[frozenset[str]] = frozenset({"prompt"})
    external_shots: ClassVar[None] = None

    def refuses(self, model: Model, spec: TaskSpec) -> str | None:  # noqa: ARG002 - the task asks what the model can
        """Refuses tasks that leave it to strategies how they are asked."""
        return None if spec.kind == "external" else "the task says no number of demonstrations: take few-shot"

    def adapt(self, model: Model, task: TaskView, setting: Setting) -> Adapted:  # noqa: ARG002 - see `refuses`
        """Never called: the task asks by itself.

        Raises:
            UsageError: when it is.
        """
        raise UsageError(self.refuses(model, task.spec) or f"task {task.spec.name} asks by itself")
