"""What the columns of a leaderboard mean, in plain words: only those that are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.board import THIN, TIED
from harness.budgets import labels

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.board import Row, Table

MEANINGS = {
    "0.912 [0.880, 0.936]": "a score and its 95% interval: how far it may move with other samples of the same kind",
    "±": """standard deviation over the seeds: what chance in training or in the choice of demonstrations does. The
        score is then the mean over the seeds, and the interval's bounds are the means of theirs""",
    "rank": "by the first score. Only finished rows have one; what is partial, failed or not applicable stands last",
    "ranks": """the ranks that a row may have, by the tests of p for all pairs of ranked rows, corrected for the
        number of pairs: it stands behind those that are significantly better and before those that are significantly
        worse. With 95% confidence all these intervals are right""",
    "p": """how likely so large a difference to the best row would be if there were none, on the same samples. Where
        right answers rank: exact McNemar test (with several seeds a permutation test of each sample's share of right
        answers over those that both have, with clusters Student's test by the clustered standard error); by other
        scores a paired test of what each sample, or cluster, adds to them. Corrected for the number of rows by Holm's
        method""",
    TIED: "can't be told from the best row (p ≥ 0.05)",
    "no better than the majority": """nothing tells the row from always giving one answer: that of the model `majority`
        where it is in the table, else the commonest one among the scored samples (one-sided test on the same samples,
        p ≥ 0.05, not corrected for the number of rows)""",
    "gain": """how much better than its baseline (what the strategy is to be compared with) a row is by the first score,
        on the same samples, with the 95% interval of that difference""",
    "further gains": "the same over the strategy's other baselines, controls among them",
    "control": """no contender, so it has no rank: what others are measured by, such as the same strategy given wrong
        contexts""",
    "labels": """how many labelled rows a strategy was given, to adapt on (train; demonstrations are among them) and to
        choose by (validation)""",
    "different labels": "where one row was given more labels than another, its rank may be owed to these: {budgets}",
    "worst context": "the worst of the scores within each context, and which context that is",
    "spread": "the largest of a row's scores in the contexts minus the smallest",
    "clean": """the first score without the samples that repeat, or nearly repeat, a row that could be adapted on
        (similarity of their shingles 0.8 or more): the others may owe something to it. Exact repetitions were left
        out of adapting already""",
    "p50, p95, p99": """milliseconds for one sample at a time: half of the samples, 95% and 99% of them took no longer;
        behind them 95% intervals by order statistics, whatever the distribution""",
    "TTFT, TPOT": """milliseconds until the first token of a generated text was there, and for each token behind it, one
        sample at a time; medians""",
    "server": """milliseconds from when a sample was meant to arrive until it was answered, while samples arrive at
        random at that rate in a second and wait for their turn; in time: the share that took no longer than the
        limit""",
    THIN: "rests on too few samples to be relied on",
    "samples/s, tokens/s": "throughput when all samples are given at once",
    "peak MB": """the most memory that the process held meanwhile, in 10⁶ bytes; libraries, and what trials before it
        left, are in it""",
    "GPU MB": "the most memory that tensors took on the card meanwhile, in 10⁶ bytes",
    "CPU s": "seconds of all processors for a sample, when all samples are given at once",
    "energy J": "joules that the machine's processors took for a sample, by their own counters (RAPL)",
    "$ per 1,000": "US dollars for the tokens of a thousand samples",
    "train s": "seconds that training took",
    "adapt s, model calls": """seconds that adapting took beside training and loading (choosing, calibrating, searching
        ...), and how many requests models answered meanwhile; what was kept from before counts as it did then""",
    "load s": "seconds that loading the model took",
    "coverage": """empty and unparsed: there was no answer, or none was found in the text; they count as wrong.
        truncated: the question or the answer was cut; they count as they are. failed: an error; they are not scored""",
    "shortened": "samples for which demonstrations were left out, since the model's window is too small for all",
    "cached": "found finished by this run; its times are those with which it was made",
    "curve": """a strategy's score against the number of labelled examples that it was really given, training and
        validation rows together: the mean over seeds. Its 95% interval has both errors, of the samples (others of their
        kind would have been answered otherwise) and of the seeds (others would have drawn other examples); with one
        seed that of the samples alone. ± is the spread over seeds by itself""",
    "from how many labels on": """where the mean difference in right answers on the same samples, straight over the
        logarithm of the number of labels between two sizes, turns and stays positive; the interval is that of a
        bootstrap over samples and seeds. Not settled: at the most labels the interval of the difference holds 0""",
    "smallest difference": """smaller differences in accuracy can't be told from chance with so many samples, going by
        how often the two best rows disagree (80% power, 5% level)""",
    "samples to settle it": """about how many would tell the two best rows apart, if they differ as much as they seem to
        (80% power, 5% level): a guess, for the difference is known no better than its interval says""",
}
"""Term -> meaning, in the order in which they are shown."""

SUITE_MEANING = (
    "suite",
    """the weighted mean of the first score of each of its tasks, as a share of the highest that there can be. The 95%
        interval tells how far it may move with other samples of the same tasks; other tasks would move it too""",
)
"""Shown with a suite's means."""


def explain(tables: Sequence[Table]) -> Iterator[tuple[str, str]]:
    """The terms that the tables have, with their meanings."""
    there = {term for table in tables for row in table.rows for term, has in _terms(row).items() if has}
    if any(table.contexts for table in tables):
        there.add("spread")
    if any(table.detectable is not None for table in tables):
        there.add("smallest difference")
    if any(table.settling is not None for table in tables):
        there.add("samples to settle it")
    if any(table.curves for table in tables):
        there.add("curve")
    if any(table.curves.contests for table in tables if table.curves):
        there.add("from how many labels on")
    mixed = [f"{table.task}: {'; '.join(map(labels, table.budgets))}" for table in tables if table.budgets]
    if mixed:
        there.add("different labels")
    for term, meaning in MEANINGS.items():
        if term in there:
            yield term, " ".join(meaning.replace("{budgets}", ". ".join(mixed)).split())


def _terms(row: Row) -> dict[str, object]:
    """Term -> whether the row has it."""
    coverage, speed = row.coverage, row.speed
    return {
        "0.912 [0.880, 0.936]": row.metrics,
        "±": row.seed_sd,
        "rank": row.rank,
        "ranks": row.ranks,
        "p": row.p_value is not None,
        "no better than the majority": row.not_above_majority,
        TIED: row.tied_with_best,
        "gain": row.gains,
        "further gains": len(row.gains) > 1,
        "control": row.control,
        "labels": row.budget,
        "worst context": row.worst,
        "clean": row.clean,
        "p50, p95, p99": speed.p50_ms is not None,
        THIN: speed.thin,
        "TTFT, TPOT": speed.ttft_p50_ms is not None,
        "server": any(name.startswith("server,") for name in row.latency),
        "GPU MB": speed.device_peak_mb is not None,
        "CPU s": speed.cpu_s is not None,
        "energy J": speed.energy_j is not None,
        "$ per 1,000": speed.usd_per_1000 is not None,
        "samples/s, tokens/s": speed.samples_per_s is not None,
        "peak MB": speed.peak_mb is not None,
        "train s": row.costs.train_s is not None,
        "adapt s, model calls": row.costs.model_calls,
        "load s": row.costs.load_s is not None,
        "coverage": coverage.empty or coverage.truncated or coverage.unparsed or coverage.failed,
        "shortened": coverage.shortened,
        "cached": row.cached,
    }
