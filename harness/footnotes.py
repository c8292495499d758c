"""What the columns of a leaderboard mean, in plain words: only of those that are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.board import THIN, TIED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from harness.board import Row, Table


def explain(tables: Sequence[Table]) -> Iterator[tuple[str, str]]:
    """Terms and what they mean."""
    rows = [row for table in tables for row in table.rows]
    for there, term, meaning in FOOTNOTES:
        if any(there(row) for row in rows):
            yield term, meaning
    if any(table.contexts for table in tables):
        yield "spread", "the score in a row's best context minus the score in its worst"
    if any(table.detectable is not None for table in tables):
        yield "smallest difference", SMALLEST


SMALLEST = (
    "differences in accuracy below it can't be told from chance with so many samples, judging by how often the two best"
    " rows disagree (80% power, 5% level)"
)

FOOTNOTES: tuple[tuple[Callable[[Row], object], str, str], ...] = (
    (
        lambda row: row.metrics,
        "0.912 [0.880, 0.936]",
        "a score and its 95% interval: how far it may move with other samples of the same kind",
    ),
    (
        lambda row: row.seed_sd,
        "±",
        (
            "standard deviation over the seeds: what chance in training or in the choice of demonstrations does. The score"
            " is then the mean over the seeds, and the interval's bounds are the means of theirs"
        ),
    ),
    (
        lambda row: row.rank is not None,
        "rank",
        "by the first score. Only finished rows have one; what is partial, failed or not applicable stands last",
    ),
    (
        lambda row: row.p_value is not None,
        "p",
        (
            "how likely a difference to the best row as large as this is if there is none: exact McNemar test on the same"
            " samples (of the first seed that both have), corrected for the number of rows by Holm's method"
        ),
    ),
    (lambda row: row.tied_with_best, TIED, "can't be told from the best row (p ≥ 0.05)"),
    (
        lambda row: row.gain,
        "gain",
        (
            "the share of samples answered right minus that of the baseline (the same strategy without what sets it"
            " apart), on the same samples, with its 95% interval"
        ),
    ),
    (lambda row: row.worst, "worst context", "the lowest of the scores within each context, and which context that is"),
    (
        lambda row: row.speed.p50_ms is not None,
        "p50, p95, p99",
        "milliseconds for one sample at a time: half of the samples, 95% and 99% of them took no longer",
    ),
    (lambda row: row.speed.thin, THIN, "rests on too few samples to be relied on"),
    (
        lambda row: row.speed.samples_per_s is not None or row.speed.tokens_per_s is not None,
        "samples/s, tokens/s",
        "throughput when all samples are given at once",
    ),
    (lambda row: row.speed.peak_mb is not None, "peak MB", "the most memory in use meanwhile, in 10⁶ bytes"),
    (lambda row: row.costs.train_s is not None, "train s", "seconds that the training took"),
    (lambda row: row.costs.load_s is not None, "load s", "seconds that loading the model took"),
    (
        lambda row: row.coverage.empty or row.coverage.truncated or row.coverage.unparsed or row.coverage.failed,
        "coverage",
        (
            "empty, unparsed: there was no answer, or none was found in the text; counted as wrong. truncated: the question"
            " or the answer was cut; counted as it is. failed: an error, not scored"
        ),
    ),
    (
        lambda row: row.coverage.shortened,
        "shortened",
        "demonstrations were left out since the model's window is too small",
    ),
    (lambda row: row.cached, "cached", "found finished by this run; its times are those with which it was made"),
)
"""Whether a row has it, term, meaning."""
