"""What other programs read: trials as JSON, predictions as JSONL or Parquet.

Numbers that are not finite are null in JSON, which has none; Parquet keeps them.
"""

from __future__ import annotations

import dataclasses
import json
import math
import uuid
from typing import IO, TYPE_CHECKING, Any

from harness.curves import sentence
from harness.errors import HarnessError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from harness.board import Contest, Curve, CurvePoint, Curves, SuiteTable, Table
    from harness.records import CleanScore, Estimate, Prediction, TrialResult
    from harness.store import Store

COLUMNS = (
    "trial",
    "sample_id",
    "target",
    "prediction",
    "correct",
    "scores",
    "text",
    "context",
    "prompt_tokens",
    "output_tokens",
    "latency_ms",
    "status",
)
"""Of exported predictions; `scores` has a log-likelihood a choice, unnormalised."""

ROW_GROUP = 50_000
"""Rows of a Parquet file that are held in memory together."""


def trials_json(results: Sequence[TrialResult]) -> dict[str, Any]:
    """Trials as `{"trials": [{"key": ..., "model": ..., ...}]}`, the JSON of `harness run` and `harness report`.

    `model` and `task` are as people wrote them; `strategy` is the name, with its parameters in `params`.
    """
    return {"trials": [_trial(result) for result in results]}


def tables_json(tables: Sequence[Table]) -> list[dict[str, Any]]:
    """What a leaderboard adds to its trials: ranks, tests, and how much so many samples can tell."""
    alone = ("task", "split", "n", "metrics", "discordance", "detectable", "settling", "majority")
    of_row = ("model", "strategy", "seeds", "rank", "ranks", "p_value", "tied_with_best", "p_majority", "seed_sd")
    return [
        {name: getattr(table, name) for name in alone}
        | {"rows": [{name: getattr(row, name) for name in of_row} | {"trials": row.keys} for row in table.rows]}
        for table in tables
    ]


def suites_json(suites: Sequence[SuiteTable]) -> dict[str, Any]:
    """Means over suites' tasks as `{"suites": [...]}`.

    Each: `suite`, `tasks`, `kinds`, `notes`, and `rows` with `rank`, `model`, `strategy`, `tasks` (how many it has),
    `score` and of each kind, in `kinds`, a score: `value`, `low`, `high`.
    """
    return {"suites": [dataclasses.asdict(suite) for suite in suites]}


def curves_json(tables: Sequence[Table]) -> dict[str, Any]:
    """Learning curves as `{"curves": [...]}`, one for each table that has some.

    Each: `task`, `split`, `metric`; `curves` (`model`, `strategy`, `flat`, `prompts`, `points`); `contests`, each a
    `curve` and the one it is `over`, the metric that they are compared `by`, `verdict`, `labels` and its bounds `low`
    and `high`, `first`, `last`, `difference` (how much better), `seeds`, `changes`, and all of it as a sentence,
    `said`; and `notes`.
    """
    return {"curves": [_curves(table, table.curves) for table in tables if table.curves is not None]}


def export(store: Store, keys: Sequence[str], path: Path) -> None:
    """Write trials' predictions, one row a sample in the data's order, to FILE.jsonl or FILE.parquet.

    The file is there whole or not at all.

    Raises:
        UsageError: for another suffix.
        HarnessError: when the file can't be written.
    """
    write = WRITERS.get(path.suffix.lower())
    if write is None:
        raise UsageError(f"can't export to {path.name!r}", hint="name a file that ends in " + " or ".join(WRITERS))
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        try:
            with part.open("xb") as file:
                write(((key, store.predictions(key)) for key in keys), file)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise HarnessError(f"can't write the predictions: {error.strerror or error}", where=str(path)) from error


# --- trials ------------------------------------------------------------------------------------------


def _trial(result: TrialResult) -> dict[str, Any]:
    trial = result.trial
    return {
        "key": trial.key,
        "model": str(trial.model),
        "task": str(trial.task),
        "strategy": str(dataclasses.replace(trial.strategy, params={})),
        "params": {name: _value(value) for name, value in trial.strategy.params.items()},
        "seed": trial.seed,
        "status": result.status,
        "reason": result.reason,
        "n": trial.n,
        "coverage": dataclasses.asdict(result.coverage),
        "metrics": _estimates(result.metrics),
        "contexts": {name: {"n": one.n, "metrics": _estimates(one.metrics)} for name, one in result.contexts.items()},
        "gains": _estimates(result.gains),
        "gains_over": {over: _estimates(gains) for over, gains in result.gains_over.items()},
        "control": trial.control,
        "baseline": trial.added,
        "budget": None if result.budget is None else dataclasses.asdict(result.budget),
        "latency": {
            name: {what: _finite(value) for what, value in found.items()} for name, found in result.latency.items()
        },
        "train_s": _finite(result.costs.train_s),
        "adapt_s": _finite(result.costs.adapt_s),
        "model_calls": result.costs.model_calls,
        "adapt_tokens": result.costs.adapt_tokens,
        "cached": result.cached,
        "notes": list(result.notes),
        "provenance": dict(result.provenance),
        "details": dict(result.details),
        "manifest": dict(result.manifest),
        "clean": None if result.clean is None else _clean(result.clean),
    }


def _clean(clean: CleanScore) -> dict[str, Any]:
    return {"n": clean.n, "metrics": _estimates(clean.metrics), "left_out": dict(clean.left_out)}


def _curves(table: Table, curves: Curves) -> dict[str, Any]:
    return {
        "task": table.task,
        "split": table.split,
        "metric": curves.metric,
        "curves": [
            _named(curve) | {"flat": curve.flat, "prompts": curve.prompts, "points": list(map(_point, curve.points))}
            for curve in curves.curves
        ],
        "contests": [_contest(contest) for contest in curves.contests],
        "notes": list(curves.notes),
    }


def _named(curve: Curve) -> dict[str, Any]:
    return {"model": curve.model, "strategy": curve.strategy}


def _point(point: CurvePoint) -> dict[str, Any]:
    by_seed = zip(point.seeds, point.keys, point.scores, strict=True)
    return {
        "labels": point.labels,
        "strategies": list(point.strategies),
        **_bounds(point.score),
        "seed_sd": _finite(point.seed_sd),
        "seeds": [{"seed": seed, "key": key, **_bounds(score)} for seed, key, score in by_seed],
    }


def _contest(contest: Contest) -> dict[str, Any]:
    found = contest.crossing
    return {
        "curve": _named(contest.curve),
        "over": _named(contest.over),
        "by": contest.by,
        "verdict": found.verdict,
        "labels": _finite(found.labels),
        "low": _finite(found.low),
        "high": _finite(found.high),
        "first": found.first,
        "last": found.last,
        "difference": _bounds(found.difference),
        "seeds": found.seeds,
        "changes": found.changes,
        "said": sentence(contest),
    }


def _bounds(estimate: Estimate) -> dict[str, float | None]:
    return {bound: _finite(value) for bound, value in dataclasses.asdict(estimate).items()}


def _estimates(estimates: Mapping[str, Estimate]) -> dict[str, dict[str, float | None]]:
    return {name: _bounds(estimate) for name, estimate in estimates.items()}


def _value(written: object) -> object:
    """A parameter as the number or truth value that its text means, else as it is."""
    try:
        meant: object = json.loads(written) if isinstance(written, str) else written
    except ValueError:
        return written
    return meant if isinstance(meant, bool | int | float) else written


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


# --- predictions -------------------------------------------------------------------------------------


def _row(key: str, prediction: Prediction) -> dict[str, Any]:
    usage = prediction.usage
    values = (
        key,
        prediction.sample_id,
        prediction.target,
        prediction.prediction,
        prediction.correct,
        list(prediction.scores),
        prediction.text,
        prediction.context,
        usage.prompt_tokens,
        usage.output_tokens,
        prediction.latency_ms,
        prediction.status,
    )
    return dict(zip(COLUMNS, values, strict=True))


def _write_jsonl(trials: Iterator[tuple[str, Sequence[Prediction]]], file: IO[bytes]) -> None:
    for key, predictions in trials:
        for prediction in predictions:
            row = _row(key, prediction)
            row |= {"scores": [_finite(score) for score in prediction.scores], "latency_ms": _finite(row["latency_ms"])}
            file.write(json.dumps(row, ensure_ascii=False, allow_nan=False).encode() + b"\n")


def _write_parquet(trials: Iterator[tuple[str, Sequence[Prediction]]], file: IO[bytes]) -> None:
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    schema = _schema()
    with ParquetWriter(file, schema) as writer:
        for key, predictions in trials:
            for start in range(0, len(predictions), ROW_GROUP):
                rows = [_row(key, prediction) for prediction in predictions[start : start + ROW_GROUP]]
                writer.write_table(pa.Table.from_pylist(rows, schema))


def _schema() -> pa.Schema:
    import pyarrow as pa

    types = {
        "correct": pa.bool_(),
        "scores": pa.list_(pa.float64()),
        "prompt_tokens": pa.int64(),
        "output_tokens": pa.int64(),
        "latency_ms": pa.float64(),
    }
    return pa.schema([(name, types.get(name, pa.string())) for name in COLUMNS])


WRITERS: Mapping[str, Callable[[Iterator[tuple[str, Sequence[Prediction]]], IO[bytes]], None]] = {
    ".jsonl": _write_jsonl,
    ".parquet": _write_parquet,
}
"""Suffix -> how a file with it is written."""
