"""What a metric may offer beside `harness.interfaces.Metric`: several behind one name, a fit to tasks, models, rows.

A metric is named with its parameters, as strategies are: `f1,label=spam`. All that changes a score stands in its name,
or is a fingerprint of a model that it asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from harness.errors import ConfigError, ModelError
from harness.interfaces import Requires

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from harness.interfaces import Metric
    from harness.records import Component, Request, RequestKind, Response, Sample, TaskSpec
    from harness.taskdata import TaskData
    from harness.tokenmatching import Matched


@runtime_checkable
class StandsFor(Protocol):
    """A metric that is several: each of these stands in its place, under its own name."""

    def members(self, spec: TaskSpec) -> Sequence[str]:
        """Their names with their parameters (`f1,label=spam`), for a task."""


@runtime_checkable
class FitsTasks(Protocol):
    """A metric whose parameters fit some tasks alone: asked before anything runs."""

    def misfit(self, spec: TaskSpec) -> str | None:
        """Why it can't score this task; None where it can, or would merely have no value."""


@runtime_checkable
class AsksModels(Protocol):
    """A metric that asks models: their fingerprints say with its name what made a score."""

    @property
    def models(self) -> tuple[Component, ...]:
        """Those that it asks."""

    @property
    def told(self) -> Mapping[str, str]:
        """What else than its name and they decides a score, name -> digest: a file that a parameter names."""


@runtime_checkable
class ReadsSamples(Protocol):
    """A metric that looks at the rows that were asked, not at the answers alone."""

    def reading(self, find: Callable[[Sequence[str]], Mapping[str, Sample]]) -> Metric:
        """The same metric with the rows: ids of samples -> those that the task has."""


class ModelsOfMetrics(Protocol):
    """What a metric gets that has a parameter `models`: answers and vectors, each computed once and kept on disk."""

    def answers(self, component: Component) -> frozenset[RequestKind]:
        """The kinds of requests that a model answers.

        Raises:
            UnknownNameError, ParameterError: for what people wrote.
        """

    def embed(self, component: Component, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, D) vectors of texts.

        Raises:
            ModelError: when the model can't be loaded, or embeds nothing.
        """

    def match(self, component: Component, pairs: Sequence[tuple[str, str]], layer: int | None) -> list[Matched]:
        """Pairs of texts matched token by token, by vectors after so many layers (None: all); see `EmbedTokens`.

        Raises:
            ModelError: when the model can't be loaded, gives no vectors of tokens, or has no such layer.
        """

    def ask(self, component: Component, requests: Sequence[Request]) -> list[Response]:
        """Answers to `LogLikelihood` and `Generate`, in the order of the requests.

        Raises:
            ModelError: when the model can't be loaded, or does not answer such requests.
        """


class NoModels:
    """In the place of `ModelsOfMetrics` where there is no catalogue."""

    def answers(self, component: Component) -> frozenset[RequestKind]:
        """None."""
        raise _without(component)

    def embed(self, component: Component, texts: Sequence[str]) -> NDArray[np.float32]:  # noqa: ARG002 - as the protocol
        """None."""
        raise _without(component)

    def match(
        self,
        component: Component,
        pairs: Sequence[tuple[str, str]],  # noqa: ARG002 - as the protocol
        layer: int | None,  # noqa: ARG002 - likewise
    ) -> list[Matched]:
        """None."""
        raise _without(component)

    def ask(self, component: Component, requests: Sequence[Request]) -> list[Response]:  # noqa: ARG002 - as the protocol
        """None."""
        raise _without(component)


def _without(component: Component) -> ModelError:
    return ModelError(f"there is no catalogue here to make {str(component)!r} from")


def fitting(
    data: TaskData, names: Sequence[str], make: Callable[..., Mapping[str, Metric]], where: str | None
) -> dict[str, Metric]:
    """Metrics that were seen to fit a task and to have their libraries; several where one stands for them.

    Args:
        data: the task.
        names: of the metrics, with their parameters.
        make: names, and `where` -> metrics.
        where: file, line and key, for messages.

    Raises:
        ConfigError: when the parameters of one do not fit the task.
        PluginError: when the library of one is missing.
    """
    found: dict[str, Metric] = {}
    for name, metric in make(names, where=where).items():
        if isinstance(metric, StandsFor):
            found |= fitting(data, metric.members(data.spec), make, where)
            continue
        if isinstance(metric, Requires):
            metric.require()
        reason = metric.misfit(data.spec) if isinstance(metric, FitsTasks) else None
        if reason is not None:
            raise ConfigError(f"metric {name!r}: {reason}", where=where)
        found[name] = with_rows(metric, data)
    return found


def with_rows(metric: Metric, data: TaskData) -> Metric:
    """The metric, with the rows of a task where it looks at them."""
    return metric.reading(data.named) if isinstance(metric, ReadsSamples) else metric
