"""Views of the store for readers: names beside numbers, a row a score, a row a prediction; the harness reads none.

In SQLite's and PostgreSQL's SQL. They are made with the tables, and made anew when these change.

SQLite's are read by two more. DuckDB takes their text for its own SQL: JSON's strings have quotes there, and a REAL has
32 bits. Datasette compares with text: that is a number to SQLite only where a column has a numeric type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

NAMES = """named.{key}, named.model, named.task, named.strategy, named.seed, named.split, named.sample_limit,
       named.is_newest"""
"""What identifies a trial, in the views that stand on `named_trials`."""

NAMED_TRIALS = """
SELECT trials.id AS trial, trials.{key}, links.model, links.task, links.strategy, links.seed, links.split,
       links.sample_limit, trials.status, {newest} AS is_newest
FROM trials
JOIN (
    SELECT run_trials.*,
           row_number() OVER (PARTITION BY trial ORDER BY run DESC) AS of_trial,
           row_number() OVER (
               PARTITION BY model, task, strategy, seed, split, sample_limit ORDER BY run DESC, id
           ) AS of_name
    FROM run_trials
) AS links ON links.trial = trials.id AND links.of_trial = 1
"""

NAMED_SCORES = """
SELECT {names}, named.status, score.{key} AS metric,
       {value} AS value,
       {low} AS low,
       {high} AS high
FROM named_trials AS named
JOIN trials ON trials.id = named.trial
CROSS JOIN {metrics} AS score
"""

NAMED_PREDICTIONS = """
SELECT {names}, said.sample_id, said.position, said.target, said.prediction,
       {correct} AS correct,
       said.status, said.scores, said.text, said.context, said.prompt_tokens, said.output_tokens, said.latency_ms,
       said.reason
FROM named_trials AS named
JOIN predictions AS said ON said.trial = named.trial
"""

METRICS = {"sqlite": "json_each(trials.metrics)", "postgresql": "json_each(trials.metrics::json)"}
"""Dialect -> the members of a trial's metrics, a row each with `key` and `value`."""

BOUND = {
    "sqlite": """CAST(CASE trim(json_extract(score.value, '$.{0}'), '"')
            WHEN 'nan' THEN NULL WHEN 'inf' THEN 9e999 WHEN '-inf' THEN -9e999
            ELSE CAST(json_extract(score.value, '$.{0}') AS DOUBLE) END AS DOUBLE)""",
    "postgresql": "CAST(NULLIF(score.value ->> '{0}', 'nan') AS DOUBLE PRECISION)",
}
"""Dialect -> a number of a score: NULL for one that is none, and infinities, which JSON columns hold as strings."""

TRUTHS = {
    "newest": "links.of_name = 1",
    "correct": """CASE WHEN said.judged IS NOT NULL THEN said.judged <> 0
            WHEN said.prediction = said.target THEN TRUE ELSE FALSE END""",
}
"""What is true or false."""

TRUTH = {"sqlite": "CAST({0} AS INTEGER)", "postgresql": "({0})"}
"""Dialect -> a column of it."""

VIEWS = {"named_trials": NAMED_TRIALS, "named_scores": NAMED_SCORES, "named_predictions": NAMED_PREDICTIONS}
"""Name -> what it selects; each stands on those before it."""


def create(connection: Connection) -> None:
    """Make the views; in other databases there are none."""
    dialect = connection.dialect.name
    if dialect not in METRICS:
        return
    key = connection.dialect.identifier_preparer.quote_identifier("key")
    columns = {name: BOUND[dialect].format(name) for name in ("value", "low", "high")}
    columns |= {name: TRUTH[dialect].format(truth) for name, truth in TRUTHS.items()}
    for name, query in VIEWS.items():
        body = query.format(names=NAMES.format(key=key), key=key, metrics=METRICS[dialect], **columns)
        connection.exec_driver_sql(f"CREATE VIEW {name} AS{body}")


def drop(connection: Connection) -> None:
    """Remove the views that are there."""
    for name in reversed(VIEWS):
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")
