"""Trials -> tables: grouping, ranks, seeds, tests and gains, against numpy, pandas, scipy and statsmodels."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.stats import binomtest, permutation_test, ttest_rel
from statsmodels.stats.multitest import multipletests

from harness.contributions import Contributions
from harness.differences import exact_sign_flip
from harness.leaderboard import build
from harness.records import (
    Component,
    ContextScore,
    Costs,
    Coverage,
    Estimate,
    LabelBudget,
    Outcome,
    Trial,
    TrialResult,
)
from harness.samplesize import minimum_detectable_difference, samples_to_settle

N = 100


def a_result(model="m", strategy="zero-shot", seed=0, score=0.5, **changes):
    trial = Trial(
        key=f"{model}/{strategy}/{seed}",
        model=Component(model),
        task=Component("bbc-news"),
        strategy=Component(strategy),
        seed=seed,
        split="test",
        limit=None,
        samples="rows",
        n=N,
        plugins={},
    )
    named = {name: changes.pop(name) for name in list(changes) if name in Trial.__dataclass_fields__}
    metrics = {"accuracy": Estimate(score, score - 0.1, score + 0.1)}
    result = TrialResult(replace(trial, **named), "finished", coverage=Coverage(answered=N), metrics=metrics)
    return replace(result, **changes)


def answers(right):
    """Samples, and which of them are right; every other one is of class a."""
    return [Outcome(f"row-{index}", bool(yes), "ab"[index % 2]) for index, yes in enumerate(right)]


def nothing(_key):
    return []


def only_table(board):
    (table,) = board.tables
    return table


# --- grouping and ranks --------------------------------------------------------------------------------


def test_nothing_gives_an_empty_board():
    board = build([], nothing, title="none")
    assert (board.title, board.tables, board.footnotes, board.results) == ("none", (), (), ())


def test_only_trials_on_the_same_rows_share_a_table():
    results = [
        a_result(),
        a_result("other"),
        a_result("limited", samples="fewer rows", n=50),
        a_result("elsewhere", task=Component("sms-spam")),
        a_result("early", split="validation"),
    ]
    tables = build(results, nothing).tables
    assert [(table.task, table.split, table.n, len(table.rows)) for table in tables] == [
        ("bbc-news", "test", 100, 2),
        ("bbc-news", "test", 50, 1),
        ("sms-spam", "test", 100, 1),
        ("bbc-news", "validation", 100, 1),
    ]


def test_ranks_follow_the_first_metric_and_equals_share_one():
    results = [a_result(model, score=score) for model, score in [("c", 0.4), ("a", 0.9), ("b", 0.4), ("d", 0.1)]]
    rows = only_table(build(results, nothing)).rows
    assert [(row.model, row.rank) for row in rows] == [("a", 1), ("c", 2), ("b", 2), ("d", 4)]


def test_a_loss_ranks_the_other_way_round():
    def loss(model, value):
        return a_result(model, metrics={"cross_entropy": Estimate(value, value, value)})

    results = [loss("far", 2.0), loss("near", 0.1)]
    assert [row.model for row in only_table(build(results, nothing)).rows] == ["near", "far"]
    assert [row.model for row in only_table(build(results, nothing, losses=())).rows] == ["far", "near"]


def test_what_is_not_finished_stands_last_without_a_rank():
    results = [
        a_result("refused", status="not-applicable", reason="it can't be trained", metrics={}),
        a_result("planned", status="planned", metrics={}),
        a_result("broken", status="failed", reason="out of memory", metrics={}),
        a_result("partial", status="partial", reason="3 of 100 samples failed", score=0.99),
        a_result("good", score=0.2),
    ]
    rows = only_table(build(results, nothing)).rows
    assert [(row.model, row.rank, row.reason) for row in rows] == [
        ("good", 1, ""),
        ("partial", None, "3 of 100 samples failed"),
        ("broken", None, "out of memory"),
        ("planned", None, ""),
        ("refused", None, "it can't be trained"),
    ]
    assert rows[1].metrics["accuracy"].value == 0.99  # shown, not ranked


def test_a_board_of_failures_alone():
    table = only_table(build([a_result(status="failed", reason="no disk", metrics={})], nothing))
    assert table.metrics == ()
    assert table.rows[0].reason == "no disk"
    assert table.contexts is None


def test_a_finished_row_without_the_first_metric_has_no_rank():
    lacks = a_result("no-scores", metrics={"accuracy": Estimate(1.0, 1.0, 1.0)})
    has = a_result("scores", metrics={name: Estimate(0.5, 0.4, 0.6) for name in ("cross_entropy", "accuracy")})
    table = only_table(build([lacks, has], nothing))
    assert table.metrics == ("cross_entropy", "accuracy")  # the order of the task
    assert [(row.model, row.rank, row.reason) for row in table.rows] == [
        ("scores", 1, ""),
        ("no-scores", None, "it has no cross_entropy"),
    ]


# --- seeds -----------------------------------------------------------------------------------------------


def test_seeds_are_averaged_as_pandas_does_it():
    draw = np.random.default_rng(0)
    numbers = pd.DataFrame(draw.random((5, 3)), columns=["value", "low", "high"])
    results = [
        a_result(
            seed=seed,
            metrics={"accuracy": Estimate(*row)},
            costs=Costs(load_s=float(seed), train_s=None if seed else 30.0),
            latency={"single-stream": {"p50_ms": 10.0 * seed, "p99_ms": None}, "offline": {"samples_per_s": 5.0}},
            coverage=Coverage(answered=90, unparsed=10),
            notes=("the same", f"seed {seed % 2}"),
        )
        for seed, row in enumerate(numbers.itertuples(index=False))
    ]
    (row,) = only_table(build(results, nothing)).rows
    assert row.seeds == (0, 1, 2, 3, 4)
    assert row.metrics["accuracy"] == Estimate(*(pytest.approx(mean) for mean in numbers.mean()))
    assert row.seed_sd["accuracy"] == pytest.approx(numbers["value"].std())  # ddof 1
    assert row.costs == Costs(load_s=2.0, train_s=30.0)
    assert (row.speed.p50_ms, row.speed.p99_ms, row.speed.samples_per_s) == (20.0, None, 5.0)
    assert row.coverage == Coverage(answered=450, unparsed=50)
    assert row.notes == ("the same", "seed 0", "seed 1")
    assert row.n == N


def test_one_seed_keeps_its_interval_and_has_no_deviation():
    (row,) = only_table(build([a_result(score=0.7)], nothing)).rows
    assert row.metrics["accuracy"] == Estimate(0.7, 0.6, pytest.approx(0.8))
    assert row.seed_sd == {}


def test_one_failed_seed_unranks_the_row_and_says_which():
    results = [a_result(seed=0), a_result(seed=1, status="failed", reason="the loss is not finite", metrics={})]
    (row,) = only_table(build(results, nothing)).rows
    assert (row.rank, row.status, row.reason) == (None, "failed", "seed 1: the loss is not finite")


def test_all_seeds_refused_for_one_reason_say_it_once():
    results = [a_result(seed=seed, status="not-applicable", reason="no weights", metrics={}) for seed in range(3)]
    (row,) = only_table(build(results, nothing)).rows
    assert row.reason == "no weights"


def test_the_same_seed_twice_begins_another_row():
    results = [a_result(key="old"), a_result(key="new")]
    assert [row.keys for row in only_table(build(results, nothing)).rows] == [("old",), ("new",)]


# --- tests and gains on the same samples -----------------------------------------------------------------


def test_p_values_are_mcnemars_corrected_by_holm():
    draw = np.random.default_rng(3)
    right = {
        "best": draw.random(N) < 0.9,
        "close": draw.random(N) < 0.85,
        "far": draw.random(N) < 0.6,
        "farther": draw.random(N) < 0.5,
    }
    results = [a_result(model, score=float(yes.mean())) for model, yes in right.items()]
    said = {result.trial.key: answers(yes) for result, yes in zip(results, right.values(), strict=True)}
    table = only_table(build(results, said.__getitem__))
    rows = table.rows
    assert [row.model for row in rows] == ["best", "close", "far", "farther"]

    def exact(other):
        lost, won = int((right["best"] & ~other).sum()), int((~right["best"] & other).sum())
        return binomtest(min(lost, won), lost + won).pvalue  # McNemar's exact test

    expected = multipletests([exact(right[row.model]) for row in rows[1:]], method="holm")[1]
    assert [row.p_value for row in rows] == [None, *(pytest.approx(p) for p in expected)]
    assert [row.tied_with_best for row in rows] == [False, True, False, False]
    assert table.discordance == pytest.approx((right["best"] != right["close"]).mean())
    assert table.detectable == pytest.approx(minimum_detectable_difference(N, table.discordance))


def test_other_metrics_rank_with_tests_of_their_own():
    """Losses of 100 texts: less is better, and how many answers are right says nothing."""
    draw = np.random.default_rng(8)
    hard = draw.gamma(9, 0.1, size=N)
    losses = {model: hard + draw.normal(extra, 0.2, size=N) for model, extra in (("a", 0), ("b", 0.02), ("c", 0.3))}
    results = [
        a_result(model, metrics={"nats": Estimate(values.mean(), 0, 9)}, losses=("nats",))
        for model, values in losses.items()
    ]
    results[2] = replace(results[2], trial=replace(results[2].trial, baselines={"zero-shot": results[0].trial.key}))
    added = {f"{model}/zero-shot/0": Contributions(b"", N, values) for model, values in losses.items()}
    board = build(results, lambda _: answers([False] * N), losses={"nats"}, contributed=lambda key, name: added[key])
    table = only_table(board)
    tests = [ttest_rel(losses["a"], losses[model]).pvalue for model in "bc"]
    assert [row.model for row in table.rows] == ["a", "b", "c"]
    assert [row.p_value for row in table.rows[1:]] == pytest.approx(multipletests(tests, method="holm")[1])
    assert [row.ranks for row in table.rows] == [(1, 2), (1, 2), (3, 3)]
    assert [row.tied_with_best for row in table.rows] == [False, True, False]
    differences = losses["a"] - losses["b"]
    spread = N * (differences.std(ddof=1) ** 2 / N) + differences.mean() ** 2
    assert table.detectable == pytest.approx(minimum_detectable_difference(N, spread))
    assert table.settling == samples_to_settle(differences.mean(), spread)
    gain = board.results[2].gains["nats"]  # how much better than its baseline: it is worse
    worse = ttest_rel(losses["c"], losses["a"]).confidence_interval()
    expected = (-(losses["c"] - losses["a"]).mean(), -worse.high, -worse.low)
    assert (gain.value, gain.low, gain.high) == pytest.approx(expected)


def test_seeds_are_averaged_sample_by_sample_by_other_metrics_too():
    draw = np.random.default_rng(9)
    values = {(model, seed): draw.normal(0.1 * (model == "a"), 1, size=N) for model in "ab" for seed in (1, 2, 3)}
    results = [a_result(m, seed=seed, metrics={"x": Estimate(v.mean(), -9, 9)}) for (m, seed), v in values.items()]
    added = {f"{model}/zero-shot/{seed}": Contributions(b"", N, v) for (model, seed), v in values.items()}
    rows = only_table(build(results, nothing, contributed=lambda key, _: added[key])).rows
    mean = [np.mean([values[model, seed] for seed in (1, 2, 3)], axis=0) for model in "ab"]
    assert rows[1].p_value == pytest.approx(ttest_rel(*mean).pvalue)


def test_where_nothing_tells_what_samples_add_nothing_is_tested():
    results = [a_result(model, metrics={"x": Estimate(score, 0, 1)}) for model, score in (("a", 0.6), ("b", 0.5))]
    table = only_table(build(results, lambda _: answers([True] * N), contributed=lambda key, name: None))
    assert [(row.p_value, row.ranks) for row in table.rows] == [(None, None), (None, None)]
    assert table.detectable is None


def test_rows_are_paired_on_the_first_seed_that_both_have():
    best = [a_result("best", seed=seed, score=0.9) for seed in (1, 2)]
    other = [a_result("other", seed=seed, score=0.5) for seed in (0, 2)]
    said = {result.trial.key: answers([True] * N) for result in [*best, *other]}
    said["other/zero-shot/2"] = answers([False] * 10 + [True] * 90)
    rows = only_table(build([*best, *other], said.__getitem__)).rows
    assert rows[1].p_value == pytest.approx(binomtest(0, 10).pvalue)

    apart = [a_result("best", seed=1, score=0.9), a_result("other", seed=0)]
    assert only_table(build(apart, said.__getitem__)).rows[1].p_value is None


def test_a_gain_is_the_paired_difference_to_the_baseline():
    plain = a_result(strategy="zero-shot", score=0.6)
    context = a_result(strategy="context", score=0.7, baselines={"zero-shot": plain.trial.key})
    right = {plain.trial.key: np.arange(N) < 60, context.trial.key: (np.arange(N) < 50) | (np.arange(N) >= 80)}
    board = build([plain, context], lambda key: answers(right[key]))
    row = next(row for row in only_table(board).rows if row.strategy == "context")
    assert row.gains[0].over == "zero-shot"
    assert row.gains[0].difference.value == pytest.approx(0.1)
    # 20 won, 10 lost: the plain normal interval of a paired difference is close by
    half = 1.96 * np.sqrt((0.3 - 0.1**2) / N)
    assert (row.gains[0].difference.low, row.gains[0].difference.high) == pytest.approx(
        (0.1 - half, 0.1 + half), abs=0.02
    )
    assert board.results[1].gains == {"accuracy": row.gains[0].difference}
    assert board.results[0].gains == {}


def test_a_gain_has_the_name_of_the_trials_own_metric():
    plain = a_result(strategy="zero-shot", metrics={"exact_match": Estimate(0.5, 0.4, 0.6)})
    better = replace(
        plain,
        trial=replace(plain.trial, key="x", strategy=Component("few-shot"), baselines={"zero-shot": plain.trial.key}),
    )
    assert list(build([plain, better], lambda _: answers([True] * N)).results[1].gains) == ["exact_match"]


@pytest.mark.parametrize(
    "baseline",
    [
        [],  # never run
        answers([True] * (N - 1)),  # one sample short
        [*answers([True] * (N - 1)), Outcome("another row", True, "a")],
    ],
    ids=["missing", "short", "other"],
)
def test_there_is_no_gain_over_a_baseline_that_lacks_samples(baseline):
    result = a_result(baselines={"plain": "before"})
    board = build([result], lambda key: baseline if key == "before" else answers([True] * N))
    assert board.results[0].gains == {}
    assert only_table(board).rows[0].gains == ()


def test_gains_over_seeds_are_averaged():
    plain = [a_result(strategy="zero-shot", seed=seed) for seed in (0, 1)]
    better = [a_result(strategy="context", seed=seed, baselines={"plain": f"m/zero-shot/{seed}"}) for seed in (0, 1)]
    right = {"zero-shot/0": 50, "zero-shot/1": 50, "context/0": 60, "context/1": 80}
    board = build([*plain, *better], lambda key: answers(np.arange(N) < right[key.removeprefix("m/")]))
    row = next(row for row in only_table(board).rows if row.strategy == "context")
    assert row.gains[0].difference.value == pytest.approx(0.2)


def test_predictions_are_asked_for_once_and_only_where_needed():
    asked = []

    def predictions(key):
        asked.append(key)
        return answers([True] * N)

    failed = a_result("failed", status="failed", metrics={}, baselines={"plain": "before"})
    build([a_result("a", score=0.9), a_result("b"), a_result("c"), failed], predictions)
    assert sorted(asked) == ["a/zero-shot/0", "b/zero-shot/0", "c/zero-shot/0"]


def test_a_row_has_a_gain_over_each_of_its_baselines():
    plain = a_result(strategy="zero-shot", score=0.5)
    wrong = a_result(strategy="wrong", score=0.3, control=True)
    better = a_result(
        strategy="context", score=0.8, baselines={"zero-shot,k=1": plain.trial.key, "lost": "x", "w": wrong.trial.key}
    )
    right = {plain.trial.key: 50, wrong.trial.key: 30, better.trial.key: 80}
    board = build([plain, wrong, better], lambda key: answers(np.arange(N) < right.get(key, 0)) if key in right else [])
    row = only_table(board).rows[0]
    assert [(gain.over, round(gain.difference.value, 9)) for gain in row.gains] == [("zero-shot", 0.3), ("wrong", 0.5)]
    assert board.results[2].gains == {"accuracy": row.gains[0].difference}
    assert board.results[2].gains_over["wrong"] == {"accuracy": row.gains[1].difference}
    assert "further gains" in dict(board.footnotes)


def test_gains_are_over_the_first_baseline_and_empty_where_that_is_not_known():
    wrong = a_result(strategy="wrong", control=True)
    better = a_result(strategy="context", baselines={"zero-shot": "never run", "wrong": wrong.trial.key})
    board = build([wrong, better], lambda key: [] if key == "never run" else answers([True] * N))
    assert board.results[1].gains == {}
    assert list(board.results[1].gains_over) == ["wrong"]


def test_a_control_is_shown_and_has_no_rank_however_good_it_is():
    board = build(
        [a_result("a", score=0.4), a_result("b", score=0.9, control=True), a_result("c", score=0.6)],
        lambda _: answers([True] * N),
    )
    rows = only_table(board).rows
    assert [(row.model, row.rank, row.control) for row in rows] == [("c", 1, False), ("a", 2, False), ("b", None, True)]
    assert rows[2].metrics["accuracy"].value == 0.9
    assert (rows[2].p_value, rows[2].reason) == (None, "a control: others are measured by it")
    assert "control" in dict(board.footnotes)


# --- labels -----------------------------------------------------------------------------------------------


def test_ranked_rows_with_different_budgets_are_never_ranked_in_silence():
    board = build(
        [
            a_result("a", budget=LabelBudget()),
            a_result("b", budget=LabelBudget(1200, 150)),
            a_result("c", budget=LabelBudget(8, unlabelled=60, transductive=True)),
        ],
        nothing,
    )
    budgets = (LabelBudget(), LabelBudget(8, unlabelled=60, transductive=True), LabelBudget(1200, 150))
    assert only_table(board).budgets == budgets
    said = dict(board.footnotes)["different labels"]
    assert "bbc-news: 0; 8 train + 0 validation, 60 unlabelled, scored rows among them; 1,200 train + 150 v" in said


@pytest.mark.parametrize(
    "others",
    [
        [{"budget": LabelBudget(8, 2)}],
        [{"budget": None}],
        [{"budget": LabelBudget(9), "control": True}],
        [{"budget": LabelBudget(9), "status": "partial"}],
    ],
    ids=["same", "unknown", "control", "unranked"],
)
def test_rows_that_are_not_ranked_against_each_other_need_no_caveat(others):
    results = [a_result("a", budget=LabelBudget(8, 2)), *(a_result("b", **other) for other in others)]
    board = build(results, nothing)
    assert only_table(board).budgets == ()
    assert "different labels" not in dict(board.footnotes)


def test_a_row_has_the_largest_budget_of_its_seeds_or_none_where_one_is_unknown():
    several = [a_result(seed=seed, budget=LabelBudget(*labels)) for seed, labels in enumerate([(7, 2), (8, 1)])]
    assert only_table(build(several, nothing)).rows[0].budget == LabelBudget(8, 2)
    unknown = [several[0], a_result(seed=1)]
    assert only_table(build(unknown, nothing)).rows[0].budget is None


# --- contexts, speed, machine ------------------------------------------------------------------------------


def in_contexts(**scores):
    return {name: ContextScore(n, {"accuracy": Estimate(value, value, value)}) for name, (n, value) in scores.items()}


def test_contexts_have_a_table_with_the_worst_and_the_spread():
    results = [
        a_result("a", score=0.9, contexts=in_contexts(films=(60, 0.95), tweets=(40, 0.80)), seed=0),
        a_result("a", score=0.9, contexts=in_contexts(films=(60, 0.85), tweets=(40, 0.90)), seed=1),
        a_result("b", score=0.5, contexts=in_contexts(films=(60, 0.4), tweets=(40, 0.7))),
        a_result("c", status="partial", contexts=in_contexts(films=(60, 0.4), tweets=(40, 0.7))),
    ]
    table = only_table(build(results, nothing))
    assert table.contexts.metric == "accuracy"
    assert table.contexts.sizes == {"films": 60, "tweets": 40}
    first, second = table.contexts.rows  # what is not finished is left out
    assert {name: score.value for name, score in first.scores.items()} == pytest.approx({"films": 0.9, "tweets": 0.85})
    assert (first.worst, first.spread) == ("tweets", pytest.approx(0.05))
    assert (second.worst, second.spread) == ("films", pytest.approx(0.3))
    assert table.rows[1].worst.context == "films"
    assert table.rows[1].worst.score.value == 0.4


def test_the_worst_context_of_a_loss_is_the_largest():
    contexts = {
        name: ContextScore(5, {"cross_entropy": Estimate(value, 0, 9)}) for name, value in [("a", 1.0), ("b", 3.0)]
    }
    result = a_result(metrics={"cross_entropy": Estimate(2.0, 1, 3)}, contexts=contexts)
    assert only_table(build([result], nothing)).rows[0].worst.context == "b"


def test_one_context_is_no_comparison():
    table = only_table(build([a_result(contexts=in_contexts(films=(N, 0.5)))], nothing))
    assert table.contexts is None
    assert table.rows[0].worst is None


def test_thin_percentiles_are_flagged():
    latency = {
        "single-stream": {"p50_ms": 3.0, "p95_ms": 5.0, "p99_ms": 9.0, "thin_from": 95.0},
        "offline": {"samples_per_s": 300.0, "tokens_per_s": 9_000.0, "peak_mb": 812.5},
    }
    (row,) = only_table(build([a_result(latency=latency)], nothing)).rows
    assert row.speed.thin == {"p95_ms", "p99_ms"}
    assert (row.speed.samples_per_s, row.speed.tokens_per_s, row.speed.peak_mb) == (300.0, 9_000.0, 812.5)


def test_a_model_that_counts_no_tokens_has_no_token_rate():
    (row,) = only_table(
        build([a_result(latency={"offline": {"samples_per_s": 9.0, "tokens_per_s": 0.0}})], nothing)
    ).rows
    assert row.speed.tokens_per_s is None


def test_the_environment_shows_all_that_differs():
    results = [
        a_result("a", provenance={"device": "cpu", "threads": "2"}, plugins={"toy": "1"}),
        a_result("b", provenance={"device": "cuda"}, plugins={"toy": "2"}),
        a_result("not run", plugins={"toy": "3"}),
    ]
    assert build(results, nothing).environment == (
        ("device", "cpu, cuda"),
        ("threads", "2"),
        ("plugins", "toy 1, toy 2"),
    )


def test_footnotes_explain_what_is_there_and_nothing_else():
    plain = dict(build([a_result()], nothing).footnotes)
    assert list(plain) == ["0.912 [0.880, 0.936]", "rank"]
    rich = a_result(seed=1, latency={"single-stream": {"p50_ms": 1.0, "thin_from": 50.0}}, coverage=Coverage(failed=1))
    assert {"±", "p50, p95, p99", "~", "coverage"} <= dict(build([a_result(), rich], nothing).footnotes).keys()


def test_rows_of_several_seeds_are_tested_over_all_of_them():
    seeds = (0, 1, 2)
    share = {"a": (0.50, 0.95, 0.95), "b": (0.90, 0.70, 0.70)}
    results, said = [], {}
    for model, shares in share.items():
        for seed, right in zip(seeds, shares, strict=True):
            results.append(a_result(model, seed=seed, score=right))
            said[f"{model}/zero-shot/{seed}"] = answers([index < right * N for index in range(N)])
    rows = only_table(build(results, said.__getitem__)).rows
    assert [row.model for row in rows] == ["a", "b"]
    counts = [[sum(index < right * N for right in shares) for shares in share.values()] for index in range(N)]
    differences = np.array([of_a - of_b for of_a, of_b in counts])
    reference = permutation_test(
        (differences, np.zeros(N)), lambda a, b: np.mean(a - b), permutation_type="samples", n_resamples=9999, rng=1
    )
    assert rows[1].p_value == pytest.approx(reference.pvalue, abs=0.01)
    assert rows[1].p_value == exact_sign_flip(differences)[0]


# --- ranks, samples that would settle it, the majority --------------------------------------------------------


def drawn(seed=0, **accuracies):
    """Results and what they have right, drawn with these accuracies."""
    draw = np.random.default_rng(seed)
    right = {model: draw.random(N) < accuracy for model, accuracy in accuracies.items()}
    results = [a_result(model, score=float(yes.mean())) for model, yes in right.items()]
    return results, {f"{model}/zero-shot/0": answers(yes) for model, yes in right.items()}, right


def test_ranks_have_intervals_by_tests_of_all_pairs():
    results, said, right = drawn(a=0.97, b=0.95, c=0.6, d=0.55)
    rows = only_table(build(results, said.__getitem__)).rows
    pairs = list(itertools.combinations([row.model for row in rows], 2))
    exact = [
        binomtest(int((right[one] & ~right[other]).sum()), int((right[one] != right[other]).sum())).pvalue
        for one, other in pairs
    ]
    apart = multipletests(exact, method="holm")[0]
    for row in rows:
        ahead = sum(different for (_, worse), different in zip(pairs, apart, strict=True) if worse == row.model)
        behind = sum(different for (better, _), different in zip(pairs, apart, strict=True) if better == row.model)
        assert row.ranks == (1 + ahead, 4 - behind)
    assert [row.ranks for row in rows] == [(1, 2), (1, 2), (3, 4), (3, 4)]


def test_ranks_by_another_metric_or_of_unknown_answers_have_no_interval():
    losses = [a_result(model, metrics={"cross_entropy": Estimate(loss, 0, 9)}) for model, loss in [("a", 1), ("b", 2)]]
    assert [row.ranks for row in only_table(build(losses, lambda _: answers([True] * N))).rows] == [None, None]
    assert [row.ranks for row in only_table(build([a_result("a"), a_result("b")], nothing)).rows] == [None, None]
    (alone,) = only_table(build([a_result("a")], nothing)).rows
    assert alone.ranks is None


def test_what_has_no_rank_has_no_ranks_either():
    results, said, _ = drawn(a=0.9, b=0.5, c=0.1)
    results[1] = replace(results[1], status="partial")
    results[2] = replace(results[2], trial=replace(results[2].trial, control=True))
    rows = {row.model: row.ranks for row in only_table(build(results, said.__getitem__)).rows}
    assert rows == {"a": None, "b": None, "c": None}


def test_it_is_told_how_many_samples_would_settle_a_tie():
    results, said, right = drawn(a=0.80, b=0.72)
    table = only_table(build(results, said.__getitem__))
    first, second = (right[row.model] for row in table.rows)
    assert table.rows[1].tied_with_best
    discordance = float((first != second).mean())
    assert table.settling == samples_to_settle(float(first.mean() - second.mean()), discordance) > N
    assert "samples to settle it" in dict(build(results, said.__getitem__).footnotes)
    results, said, _ = drawn(a=0.95, b=0.5)
    assert only_table(build(results, said.__getitem__)).settling is None  # it is settled
    same = {key: answers([True] * N) for key in said}
    assert only_table(build(results, same.__getitem__)).settling is None  # nothing would


def of_classes(right, share):
    """Samples of which a share are of class a, and which of them are right."""
    return [Outcome(f"row-{index}", bool(yes), "a" if index < share * N else "b") for index, yes in enumerate(right)]


def test_a_row_is_tested_against_the_commonest_target():
    said = {
        "good/zero-shot/0": of_classes(np.arange(N) < 95, 0.8),
        "weak/zero-shot/0": of_classes(np.arange(N) < 84, 0.8),
    }
    board = build([a_result("good", score=0.95), a_result("weak", score=0.84)], said.__getitem__)
    table = only_table(board)
    assert table.majority == pytest.approx(0.8)
    assert [row.not_above_majority for row in table.rows] == [False, True]
    assert [row.p_majority for row in table.rows] == [pytest.approx(0.5**15), pytest.approx(0.5**4)]
    assert "no better than the majority" in dict(board.footnotes)


def test_where_the_majority_stands_in_the_table_it_is_what_rows_are_tested_against():
    said = {
        "m/zero-shot/0": of_classes(np.arange(N) < 84, 0.8),
        "majority/finetune/0": of_classes(np.arange(N) >= 80, 0.8),
    }
    results = [a_result(score=0.84), a_result("majority", "finetune", score=0.2)]
    table = only_table(build(results, said.__getitem__))
    assert table.rows[0].p_majority < 1e-9  # the training rows had another majority
    assert table.rows[1].p_majority is None
    assert table.majority == 0.2


def test_the_majority_is_tested_over_all_seeds_of_a_row():
    said = {f"m/zero-shot/{seed}": of_classes(np.arange(N) < 80 + n, 0.8) for seed, n in enumerate([0, 6, 6])}
    results = [a_result(seed=seed, score=0.84) for seed in range(3)]
    (row,) = only_table(build(results, said.__getitem__)).rows
    assert row.p_majority == pytest.approx(0.5**6)


def test_nothing_is_said_of_a_majority_where_nothing_is_known():
    table = only_table(build([a_result()], nothing))
    assert (table.majority, table.rows[0].p_majority, table.rows[0].not_above_majority) == (None, None, False)


# --- clusters -------------------------------------------------------------------------------------------------


def test_samples_in_clusters_are_tested_by_clustered_errors():
    clusters = np.repeat(np.arange(20), 5)
    draw = np.random.default_rng(3)
    right = {model: draw.random(20)[clusters] < share for model, share in [("a", 0.8), ("b", 0.5)]}
    said = {
        f"{model}/zero-shot/0": [
            Outcome(f"row-{index}", bool(one), "x", f"passage {cluster}")
            for index, (one, cluster) in enumerate(zip(yes, clusters, strict=True))
        ]
        for model, yes in right.items()
    }
    results = [a_result(model, score=float(yes.mean())) for model, yes in right.items()]
    table = only_table(build(results, said.__getitem__))
    difference = right[table.rows[0].model].astype(float) - right[table.rows[1].model]
    fit = sm.OLS(difference, np.ones(N)).fit(cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True)
    assert table.rows[1].p_value == pytest.approx(fit.pvalues[0], abs=1e-9)
    # As many independent samples with this discordance would have the clustered error.
    assert np.sqrt((table.discordance - difference.mean() ** 2) / N) == pytest.approx(fit.bse[0], abs=1e-12)
