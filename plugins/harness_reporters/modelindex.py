"""model-index.yaml: results in the form of Hugging Face's model cards, for the metadata of a card."""

from __future__ import annotations

import io
from math import isfinite
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from harness.interfaces import Report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.board import Row, Table
    from harness.leaderboard import Leaderboard

TYPES = {
    "classification": "text-classification",
    "pair": "text-classification",
    "multi-label": "text-classification",
    "regression": "text-classification",
    "similarity": "sentence-similarity",
    "multiple-choice": "multiple-choice",
    "question-answering": "question-answering",
    "cloze": "fill-mask",
    "tagging": "token-classification",
}
"""Kinds of tasks as the hub calls them; all others generate text."""
GENERATION = "text-generation"


class ModelIndex:
    """A `model-index` with an entry for each model of a board, and in it a result for each task and strategy.

    What has no score is left out. What the form has no place for, the strategy, seeds, number of samples and interval,
    stands in the `args` of a metric.
    """

    def render(self, board: Leaderboard) -> Report:
        """Render it."""
        kinds = {str(one.trial.task): one.manifest["kind"] for one in board.results if "kind" in one.manifest}
        models: dict[str, list[dict[str, Any]]] = {}
        for table in board.tables:
            for row in table.rows:
                if row.status == "finished" and (metrics := _metrics(row)):
                    models.setdefault(row.model, []).append(_result(table, kinds) | {"metrics": metrics})
        index = {"model-index": [{"name": name, "results": found} for name, found in models.items()]}
        file = io.StringIO()
        yaml = YAML(typ="safe", pure=True)
        yaml.default_flow_style = False
        yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
        yaml.dump(index, file)
        text = file.getvalue()
        return Report({"model-index.yaml": text.encode("utf-8", "replace")}, text)


def _result(table: Table, kinds: Mapping[str, str]) -> dict[str, Any]:
    return {
        "task": {"type": TYPES.get(kinds.get(table.task, ""), GENERATION)},
        "dataset": {"name": table.task, "type": table.task, "split": table.split},
    }


def _metrics(row: Row) -> list[dict[str, Any]]:
    about = {"strategy": row.strategy, "seeds": list(row.seeds), "samples": row.n}
    return [
        {
            "type": name,
            "value": score.value,
            "name": f"{name} ({row.strategy})",
            "args": about | {"low": score.low, "high": score.high},
        }
        for name, score in row.metrics.items()
        if all(map(isfinite, (score.value, score.low, score.high)))
    ]
