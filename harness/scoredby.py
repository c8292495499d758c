"""Which metrics made a trial's scores: those of its task, and further ones that somebody asked for (`harness rescore`).

As stored it is JSON: a list of [name, plugin, version], with the fingerprints of models that a metric asks as a fourth
member; with further ones an object of two such lists, `task` and `asked`.
"""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


def scored_by(task: Sequence[Sequence[Any]], asked: Sequence[Sequence[Any]] = ()) -> str:
    """What is stored beside scores."""
    own = {one[0] for one in task}
    further = [list(one) for one in asked if one[0] not in own]
    return json.dumps({"task": list(map(list, task)), "asked": further} if further else list(map(list, task)))


def asked_in(stored: str | None) -> tuple[str, ...]:
    """The names of the further metrics."""
    return tuple(one[0] for one in _lists(stored)[1])


def models_in(stored: str) -> dict[str, str]:
    """Metric and model that it asks -> the model's fingerprint."""
    return {
        f"{model} for metric {name}": fingerprint
        for name, _, _, *models in itertools.chain(*_lists(stored))
        for asked in models
        for model, fingerprint in asked.items()
    }


def _lists(stored: str | None) -> tuple[list[Any], list[Any]]:
    """Of the task's metrics and of further ones; empty where something else was stored."""
    try:
        told = json.loads(stored or "[]")
    except ValueError:
        return [], []
    return (told["task"], told["asked"]) if isinstance(told, dict) else (told, [])
