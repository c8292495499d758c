"""The tables of the results database.

JSON has no NaN and no infinities: JSON columns hold them as the strings "nan", "inf" and "-inf", which `float` reads
back, so that nothing is lost. (What is written for other programs says null instead: see `harness.export`.)
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

SCHEMA_VERSION = 11
"""Raised when the tables or views change; the way there is a revision in `harness.migrations.versions`."""

OLDEST_VERSION = 2
"""The first schema of which a store can be brought up to date."""

KEY = sa.String(64)
SAMPLE_ID = sa.String(512)


def revision(version: int) -> str:
    """What alembic calls a schema."""
    return f"{version:04}"


class Json(sa.TypeDecorator[Any]):
    """JSON as text: every database keeps the order of its members and needs no JSON type of its own."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: object, dialect: sa.Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Encode; dataclasses become objects."""
        if value is None:
            return None
        try:
            return json.dumps(value, allow_nan=False, default=_plain)
        except ValueError:
            return json.dumps(_finite(json.loads(json.dumps(value, default=_plain))), allow_nan=False)

    def process_result_value(self, value: Any | None, dialect: sa.Dialect) -> Any:  # noqa: ANN401, ARG002 - SQLAlchemy's signature
        """Decode."""
        return None if value is None else json.loads(value)


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    return sorted(value) if isinstance(value, set | frozenset) else str(value)


def _finite(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list) else value


metadata = sa.MetaData()

versions = sa.Table("harness_schema", metadata, sa.Column("version", sa.Integer, primary_key=True, autoincrement=False))

# As alembic would make it.
revisions = sa.Table(
    "alembic_version",
    metadata,
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("started", sa.String(32), nullable=False),
    sa.Column("ended", sa.String(32)),
    sa.Column("experiment", Json, nullable=False),
    sa.Column("environment", Json, nullable=False),
)

trials = sa.Table(
    "trials",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("key", KEY, nullable=False, unique=True),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text, nullable=False, default=""),
    sa.Column("traceback", sa.Text, nullable=False, default=""),
    sa.Column("coverage", Json),
    sa.Column("metrics", Json),
    sa.Column("contexts", Json),
    sa.Column("scored_by", sa.Text),
    sa.Column("load_s", sa.Double),
    sa.Column("train_s", sa.Double),
    sa.Column("notes", Json),
    sa.Column("provenance", Json),
    sa.Column("budget", Json),
    sa.Column("adapt_s", sa.Double),
    sa.Column("model_calls", sa.BigInteger),
    sa.Column("adapt_tokens", sa.BigInteger),
    sa.Column("details", Json),
    sa.Column("manifest", Json),
    sa.Column("clean", Json),
    sa.Column("audited_by", sa.Text),
)

# How a run named a trial: two spellings (`few-shot`, `few-shot,k=8`) and two limits can mean the same trial.
run_trials = sa.Table(
    "run_trials",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run", sa.ForeignKey("runs.id"), nullable=False),
    sa.Column("trial", sa.ForeignKey("trials.id"), nullable=False, index=True),
    sa.Column("cached", sa.Boolean, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("task", sa.Text, nullable=False),
    sa.Column("strategy", sa.Text, nullable=False),
    sa.Column("seed", sa.Integer, nullable=False),
    sa.Column("split", sa.String(16), nullable=False),
    sa.Column("sample_limit", sa.Integer),
    sa.Column("description", Json, nullable=False),
    sa.UniqueConstraint("run", "trial"),
)

predictions = sa.Table(
    "predictions",
    metadata,
    sa.Column("trial", sa.ForeignKey("trials.id"), primary_key=True),
    sa.Column("sample_id", SAMPLE_ID, primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("prediction", sa.Text),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("scores", Json, nullable=False),
    sa.Column("text", sa.Text),
    sa.Column("context", sa.Text),
    sa.Column("prompt_tokens", sa.Integer, nullable=False),
    sa.Column("output_tokens", sa.Integer, nullable=False),
    sa.Column("dropped_demonstrations", sa.Integer, nullable=False),
    sa.Column("cut_tokens", sa.Integer, nullable=False),
    sa.Column("latency_ms", sa.Double),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("cluster_name", sa.Text),
    sa.Column("measured", Json),
    sa.Column("judged", sa.SmallInteger),
    sqlite_with_rowid=False,
)

timings = sa.Table(
    "timings",
    metadata,
    sa.Column("trial", sa.ForeignKey("trials.id"), primary_key=True),
    sa.Column("chunk", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("samples", sa.Integer, nullable=False),
    sa.Column("seconds", sa.Double, nullable=False),
    sa.Column("prompt_tokens", sa.BigInteger, nullable=False),
    sa.Column("output_tokens", sa.BigInteger, nullable=False),
    sa.Column("peak_bytes", sa.BigInteger, nullable=False),
    sa.Column("counters", Json, nullable=False),
    sa.Column("cpu_s", sa.Double),
    sa.Column("energy_j", sa.Double),
    sa.Column("device_peak_bytes", sa.BigInteger),
    sqlite_with_rowid=False,
)

latencies = sa.Table(
    "latencies",
    metadata,
    sa.Column("trial", sa.ForeignKey("trials.id"), primary_key=True),
    sa.Column("scenario", sa.String(255), primary_key=True),
    sa.Column("measured", Json, nullable=False),
    sqlite_with_rowid=False,
)
