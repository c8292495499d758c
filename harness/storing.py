"""Messages -> rows of the results database."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from harness.schema import latencies, predictions, timings, trials
from harness.stored import batches

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection

    from harness.messages import ChunkScored, LatencyMeasured, TrialStarted
    from harness.records import Prediction


def start(connection: Connection, trial: int, message: TrialStarted) -> None:
    """Note that a trial has its engine, and what it took to get there."""
    spent = {one.name: getattr(message.costs, one.name) for one in dataclasses.fields(message.costs)}
    values = {
        "status": "running",
        "reason": "",
        "traceback": "",
        "notes": message.notes,
        "provenance": message.provenance,
        "budget": message.budget,
        "manifest": message.manifest,
        "details": message.details,
        **{name: value for name, value in spent.items() if value is not None},
    }
    # A finished trial that only lacks a latency figure stays finished, whatever comes of measuring it.
    standing = connection.execute(sa.select(trials.c.status).where(trials.c.id == trial)).scalar_one()
    if standing == "finished":
        del values["status"]
    connection.execute(trials.update().where(trials.c.id == trial).values(values))


def score(connection: Connection, trial: int, message: ChunkScored) -> None:
    """Store what a trial said of some samples, and how long they took."""
    answered = zip(message.positions, message.predictions, strict=True)
    rows = [_row(trial, position, prediction) for position, prediction in answered]
    # To delete before inserting is an upsert that every database understands.
    for batch in batches([row["sample_id"] for row in rows]):
        of_batch = predictions.c.sample_id.in_(batch)
        connection.execute(predictions.delete().where(predictions.c.trial == trial, of_batch))
    if rows:
        connection.execute(predictions.insert(), rows)
    timing = message.timing
    if timing is not None:
        connection.execute(timings.delete().where(timings.c.trial == trial, timings.c.chunk == timing.index))
        counts = {"prompt_tokens": timing.prompt_tokens, "output_tokens": timing.output_tokens}
        spent: dict[str, float | None] = {"samples": timing.samples, "seconds": timing.seconds}
        told = {"trial": trial, "chunk": timing.index, "counters": timing.counters}
        spent |= {"cpu_s": timing.cpu_s, "energy_j": timing.energy_j}
        spent |= {"peak_bytes": timing.peak_bytes, "device_peak_bytes": timing.device_peak_bytes}
        connection.execute(timings.insert(), {**told, **spent, **counts})


def derive(connection: Connection, source: int, trial: int, told: Mapping[str, Any]) -> None:
    """Give a trial all that another one took: costs, times, latencies. Answers and scores are stored by others.

    Args:
        connection: within a transaction.
        source: number of the trial that was run.
        trial: number of the one that is made of its texts.
        told: columns that differ: `manifest`, `details`, `notes`.
    """
    kept = {"id", "key", "reason", "traceback", "coverage", "metrics", "contexts", "scored_by", "clean", "audited_by"}
    columns = [column for column in trials.c if column.name not in kept]
    row = connection.execute(sa.select(*columns).where(trials.c.id == source)).one()._asdict()
    connection.execute(trials.update().where(trials.c.id == trial).values({**row, "status": "running", **told}))
    for table in (predictions, timings, latencies):
        connection.execute(table.delete().where(table.c.trial == trial))
    for table in (timings, latencies):
        names = [column.name for column in table.c]
        copied = sa.select(sa.literal(trial), *(column for column in table.c if column.name != "trial"))
        connection.execute(table.insert().from_select(names, copied.where(table.c.trial == source)))


def _row(trial: int, position: int, prediction: Prediction) -> dict[str, Any]:
    usage = prediction.usage
    return {
        "trial": trial,
        "sample_id": prediction.sample_id,
        "position": position,
        "target": text(prediction.target),
        "prediction": text(prediction.prediction),
        "status": prediction.status,
        "scores": prediction.scores,
        "text": text(prediction.text),
        "context": text(prediction.context),
        "prompt_tokens": usage.prompt_tokens,
        "output_tokens": usage.output_tokens,
        "dropped_demonstrations": usage.dropped_demonstrations,
        "cut_tokens": usage.cut_tokens,
        "latency_ms": prediction.latency_ms,
        "reason": text(prediction.reason),
        "cluster_name": text(prediction.cluster),
        "measured": prediction.measured or None,
        "judged": None if prediction.judged is None else int(prediction.judged),
    }


def measure(connection: Connection, trial: int, message: LatencyMeasured) -> None:
    """Store what a scenario measured, and the times of samples that it timed alone."""
    known_as = (latencies.c.trial == trial, latencies.c.scenario == message.scenario)
    connection.execute(latencies.delete().where(*known_as))
    row = {"trial": trial, "scenario": message.scenario, "measured": message.values}
    connection.execute(latencies.insert(), row)
    if message.sample_ms:
        of_sample = (predictions.c.trial == trial, predictions.c.sample_id == sa.bindparam("sample"))
        update = predictions.update().where(*of_sample).values(latency_ms=sa.bindparam("ms"))
        connection.execute(update, [{"sample": sample, "ms": ms} for sample, ms in message.sample_ms.items()])


def text(text: str | None) -> str | None:
    """Text as databases take it: lone surrogates and NUL become the replacement character."""
    if text is None or text.isprintable():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")
