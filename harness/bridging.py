"""Tasks that ask and judge by themselves, such as those of another harness, and names behind which there are many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from harness.assets import Assets
    from harness.interfaces import Adapted, Metric, Model, Setting, Strategy, Task, TaskView
    from harness.records import Prediction


@runtime_checkable
class AsksItself(Protocol):
    """A task that makes its own requests and judges the answers; its specification is of kind `external`.

    Strategies with `external_shots` can be applied to it (`ShowsDemonstrations`): they say how many demonstrations to
    show, and the task does the rest.
    """

    def refuses(self, model: Model, demonstrations: int | None) -> str | None:
        """Why it can't be asked so, in words for the table; None where it can."""

    def asking(self, demonstrations: int | None, seed: int) -> Adapted:
        """What to ask and how to judge, with so many solved examples before each question.

        Args:
            demonstrations: how many; None for as many as the task itself says.
            seed: the trial's; it draws them.
        """

    def identity(self) -> str:
        """A digest of all but the scored rows that can change a result: prompts, demonstrations, filters, metrics."""


@runtime_checkable
class MeasuresItself(Protocol):
    """A task with metrics of its own; `spec.metrics` names those that it is sure to have, the first one ranks."""

    def metrics(self, predictions: Sequence[Prediction]) -> Mapping[str, Metric]:
        """Name -> metric, of those that these predictions can have; without predictions those of `spec.metrics`."""


class ShowsDemonstrations(Protocol):
    """A strategy that can be applied to a task that asks by itself."""

    @property
    def external_shots(self) -> int | None:
        """How many solved examples stand before each question; None for as many as the task says."""


@runtime_checkable
class TaskCollection(Protocol):
    """A registered task target behind which there are many tasks: `lm-eval:arc_easy`."""

    def members(self, reference: str, assets: Assets, tasks_path: tuple[Path, ...]) -> Sequence[str]:
        """The references of the tasks that a name, a group's name or a glob means.

        Raises:
            HarnessError: when it means none.
        """

    def listing(self, assets: Assets, tasks_path: tuple[Path, ...]) -> Iterator[tuple[str, str]]:
        """All references, each with a few words."""


def asks_itself(task: Task) -> AsksItself | None:
    """The task as one that asks by itself, if it does."""
    return task if isinstance(task, AsksItself) else None


def refusal(task: Task, model: Model, strategy: Strategy) -> str | None:
    """Why a strategy can't be applied to a model and a task; None where it can."""
    own = asks_itself(task)
    if own is None:
        return strategy.refuses(model, task.spec)
    if not hasattr(strategy, "external_shots"):
        return "the task makes its own prompts, which only zero-shot, few-shot and native leave as they are"
    return strategy.refuses(model, task.spec) or own.refuses(model, strategy.external_shots)


def adapt(task: Task, strategy: Strategy, model: Model, view: TaskView, setting: Setting) -> Adapted:
    """Adapt a model to a task by a strategy; a task that asks by itself is told how many demonstrations to show."""
    own = asks_itself(task)
    if own is None:
        return strategy.adapt(model, view, setting)
    shots: int | None = getattr(strategy, "external_shots", None)
    return own.asking(shots, setting.seed)
