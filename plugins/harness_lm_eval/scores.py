"""Which metrics a task or group has, how each is aggregated, and which says whether an answer is right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness_lm_eval.metrics import OwnMetric, Pooling
from harness_lm_eval.questions import named

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness import Prediction
    from harness_lm_eval.metrics import Aggregation
    from harness_lm_eval.part import Part

FILTERED = "filtered_resps"
"""What of the measured is no metric: the answers that filters find."""


def declared(part: Part) -> dict[str, str]:
    """The names of a task's metrics -> lm-eval's, which don't have the filter's in them; filter by filter."""
    return {named(metric, key): metric for key in part.filters for metric in part.task.aggregation()}


def right(part: Part) -> str:
    """The metric that says whether an answer is right: the first one, if it is a mean."""
    name, metric = next(iter(declared(part).items()), ("", ""))
    return name if metric and _aggregation(part, metric) is None else ""


def of_task(part: Part, predictions: Iterable[Prediction]) -> dict[str, OwnMetric]:
    """The metrics of one task."""
    found = declared(part) | _more(predictions, declared(part))
    return {name: _metric(name, metric, {"": part}) for name, metric in found.items()}


def of_group(group: Any, parts: Mapping[str, Part], predictions: Iterable[Prediction]) -> dict[str, OwnMetric]:  # noqa: ANN401 - lm-eval's
    """The metrics of a group: its own aggregates, those of the groups in it, and what its tasks alone have."""
    each = {name: metric for part in parts.values() for name, metric in declared(part).items()}
    each |= _more(predictions, each)
    found: dict[str, OwnMetric] = {}
    for inner in (group, *group.get_all_groups()):
        tasks = frozenset(task.task_name for task in inner.get_all_tasks())
        for config in inner.aggregate_metric_list or ():
            for name in (name for name, metric in each.items() if metric == config.metric):
                if config.filter_list is None or _filter(name, config.metric) in config.filter_list:
                    own = inner is group
                    pooling = Pooling(bool(config.weight_by_size), tasks, everywhere=own)
                    shown = name if own else f"{name} ({inner.name})"
                    found.setdefault(shown, _metric(name, config.metric, parts, pooling))
    alone = {name: _metric(name, metric, parts) for name, metric in each.items() if name not in found}
    return found | alone


def _metric(name: str, metric: str, parts: Mapping[str, Part], pooling: Pooling | None = None) -> OwnMetric:
    higher = next(
        (part.task.higher_is_better()[metric] for part in parts.values() if metric in part.task.higher_is_better()),
        True,
    )
    return OwnMetric(name, bool(higher), {task: _aggregation(part, metric) for task, part in parts.items()}, pooling)


def _aggregation(part: Part, metric: str) -> Aggregation | None:
    from lm_eval.api.metrics import mean

    found: Aggregation = part.task.aggregation().get(metric, mean)
    return None if found is mean else found


def _more(predictions: Iterable[Prediction], known: Mapping[str, str]) -> dict[str, str]:
    """What was measured beyond what tasks declare, as lm-eval allows it."""
    names = dict.fromkeys(name for prediction in predictions for name in prediction.measured)
    return {name: name.partition(",")[0] for name in names if name not in known and not name.startswith(FILTERED)}


def _filter(name: str, metric: str) -> str:
    return name.removeprefix(metric).removeprefix(",") or "none"
