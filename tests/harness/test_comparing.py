"""Two stored trials compared: names, refusals, differences, contexts, clusters, flips."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import binomtest
from statsmodels.stats.multitest import multipletests

from harness.comparing import compare, specification
from harness.comparisontext import as_json, as_markdown, as_text
from harness.differences import paired_f1
from harness.errors import HarnessError, UsageError
from harness.interfaces import Asked
from harness.records import (
    Classify,
    Component,
    Estimate,
    LogLikelihood,
    Prediction,
    Prompt,
    PromptSpec,
    Sample,
    TaskSpec,
    Trial,
    TrialResult,
)
from harness.runner import run_experiment
from harness.samplesize import minimum_detectable_difference, samples_to_settle
from harness.selecting import select_pair, trial_name

LABELS = ("a", "b")
SPEC = TaskSpec("made", "classification", PromptSpec(""), dict.fromkeys(LABELS, ""))
N = 120


def a_trial(model="m", **changes):
    trial = Trial(
        f"key of {model}", Component(model), Component("made"), Component("zero-shot"), 0, "test", None, "rows", N, {}
    )
    return replace(trial, **changes)


def a_result(trial, names=("accuracy", "macro_f1", "cross_entropy"), **changes):
    return replace(TrialResult(trial, "finished", metrics=dict.fromkeys(names, Estimate(0, 0, 0))), **changes)


def said(right, *, clusters=None):
    """Predictions of a task of two labels and three contexts."""
    found = []
    for index, yes in enumerate(right):
        target = LABELS[index % 2]
        answer = target if yes else LABELS[(index + 1) % 2]
        scores = tuple(-0.2 if label == answer else -1.7 for label in LABELS)
        cluster = None if clusters is None else str(clusters[index])
        context = ("films", "songs", "tweets")[index % 3]
        found.append(Prediction(f"row-{index}", target, answer, scores=scores, context=context, cluster=cluster))
    return found


class Said:
    """Evidence that is made up: what trials said, and prompts that name them."""

    def __init__(self, asked=True, **predictions):
        self._predictions = {f"key of {model}": of_model for model, of_model in predictions.items()}
        self._asked = asked

    def predictions(self, key):
        return self._predictions[key]

    def asked(self, trial):
        if not self._asked:
            raise HarnessError("a template has changed")
        samples = [Sample(f"row-{index}", {}, "") for index in range(N)]
        return Asked([(one.id, [Classify(f"{trial.model} about {one.id}", LABELS)]) for one in samples], LABELS)


@pytest.fixture
def metrics(catalogue):
    return catalogue.metrics(["accuracy", "macro_f1", "micro_f1", "cross_entropy"])


@pytest.fixture
def right():
    rng = np.random.default_rng(1)
    return rng.random(N) < 0.9, rng.random(N) < 0.7


def compared(right, metrics, **options):
    evidence = Said(a=said(right[0]), b=said(right[1]), **options)
    return compare(a_result(a_trial("a")), a_result(a_trial("b")), evidence, metrics, SPEC, flips=2)


# --- differences ---------------------------------------------------------------------------------------


def test_each_metric_has_its_paired_test(right, metrics):
    found = compared(right, metrics)
    accuracy, macro_f1, loss = found.metrics
    only_a, only_b = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    assert (found.n, found.only_a, found.only_b) == (N, only_a, only_b)
    assert (found.both, found.neither) == (int((right[0] & right[1]).sum()), int((~right[0] & ~right[1]).sum()))
    assert accuracy.difference.value == pytest.approx((only_a - only_b) / N)
    assert accuracy.p_value == pytest.approx(binomtest(only_a, only_a + only_b).pvalue)
    assert accuracy.a.value == pytest.approx(right[0].mean())
    first, second = (said(one) for one in right)
    reference = paired_f1(
        [one.target for one in first], *([o.prediction for o in each] for each in (first, second)), LABELS
    )
    assert (macro_f1.difference, macro_f1.p_value) == (reference.difference, reference.p_value)
    assert loss.loss
    assert loss.difference.value < 0  # less is better
    assert loss.difference.value == pytest.approx(loss.a.value - loss.b.value)


def test_contexts_are_corrected_for_their_number(right, metrics):
    found = compared(right, metrics)
    accuracy = [one for one in found.contexts if one.metric == "accuracy"]
    assert [(one.context, one.n) for one in accuracy] == [("films", 40), ("songs", 40), ("tweets", 40)]
    exact = []
    for place in range(3):
        a, b = (one[place::3] for one in right)
        exact.append(binomtest(int((a & ~b).sum()), int((a != b).sum())).pvalue)
    assert [one.p_value for one in accuracy] == pytest.approx(list(multipletests(exact, method="holm")[1]))
    assert len(found.contexts) == 9


def test_clusters_make_the_errors_of_all_metrics_clustered(metrics):
    rng = np.random.default_rng(2)
    clusters = np.repeat(np.arange(24), 5)
    right = [rng.random(24)[clusters] < share for share in (0.8, 0.6)]
    evidence = Said(a=said(right[0], clusters=clusters), b=said(right[1], clusters=clusters))
    found = compare(a_result(a_trial("a")), a_result(a_trial("b")), evidence, metrics, SPEC)
    difference = right[0].astype(float) - right[1]
    fit = sm.OLS(difference, np.ones(N)).fit(cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True)
    accuracy, macro_f1, loss = found.metrics
    assert accuracy.p_value == pytest.approx(fit.pvalues[0], abs=1e-9)
    assert (accuracy.difference.low, accuracy.difference.high) == pytest.approx(tuple(fit.conf_int()[0]), abs=1e-9)
    assert loss.p_value == pytest.approx(fit.pvalues[0], abs=1e-9)
    plain = compared(right, metrics)
    for clustered, alone in ((macro_f1, plain.metrics[1]), (accuracy, plain.metrics[0])):
        width = clustered.difference.high - clustered.difference.low
        assert width > 1.5 * (alone.difference.high - alone.difference.low)


def test_a_tie_is_told_how_many_samples_would_settle_it(metrics):
    close = [np.arange(N) < 100, np.arange(N) >= 26]
    found = compared(close, metrics)
    discordance = (N - 74) / N
    assert found.settling == samples_to_settle(6 / N, discordance)
    assert found.detectable == minimum_detectable_difference(N, discordance)
    assert compared([close[0], close[0]], metrics).settling is None


class Share:
    """A metric that compares no pairs and weighs no samples; its intervals are nonsense."""

    higher_is_better = True

    def __init__(self):
        self.asked = 0

    def compute(self, predictions, spec):
        self.asked += 1
        return Estimate(sum(one.correct for one in predictions) / len(predictions), 0.4, 0.6)


def test_a_metric_that_compares_no_pairs_is_tested_by_leaving_samples_out(right, metrics):
    results = [a_result(a_trial(model), names=("share",)) for model in "ab"]
    evidence, share = Said(a=said(right[0]), b=said(right[1])), Share()
    found = compare(*results, evidence, {"share": share}, SPEC)
    exact = compared(right, metrics).metrics[0]
    assert found.metrics[0].difference.value == pytest.approx(exact.difference.value)
    assert found.metrics[0].p_value == pytest.approx(exact.p_value, abs=0.1)
    assert {one.p_value for one in found.contexts} == {None}  # 82 times for each would take long
    assert (found.by, found.better_a) == ("share", None)
    assert share.asked < 500


def test_a_metric_that_has_no_value_of_some_samples_is_shown_without_a_test(right):
    class Rare(Share):
        def compute(self, predictions, spec):
            return None if len(predictions) == N else super().compute(predictions, spec)

    results = [a_result(a_trial(model), names=("share",)) for model in "ab"]
    found = compare(*results, Said(a=said(right[0]), b=said(right[1])), {"share": Rare()}, SPEC)
    assert (found.metrics[0].difference, found.metrics[0].p_value) == (None, None)
    assert found.settling is None
    assert "—" in as_text(found)


def test_texts_are_compared_by_the_metric_that_ranks(catalogue):
    """Of words that answers share with their reference, not of answers that equal it: here none does."""
    spec = TaskSpec("texts", "question-answering", PromptSpec(""))
    wanted = "one two three four five six"
    kept = {"a": (5, 4, 5, 3, 5, 5, 4, 5), "b": (3, 4, 2, 4, 3, 2, 1, 4)}
    answers = {
        model: [
            Prediction(str(at), wanted, text, text=text, measured={"references": [wanted]})
            for at, text in enumerate(" ".join(wanted.split()[:n]) for n in counts)
        ]
        for model, counts in kept.items()
    }
    results = [a_result(a_trial(model), names=("squad_f1",)) for model in "ab"]
    found = compare(*results, Said(**answers), catalogue.metrics(["squad_f1"]), spec, flips=2)
    assert (found.both, found.only_a, found.only_b, found.neither) == (0, 0, 0, 8)
    assert (found.by, found.better_a, found.better_b) == ("squad_f1", 6, 1)
    assert [one.a.sample_id for one in found.flips_a] == ["6", "2"]  # 4 words against 1, then 5 against 2
    assert [one.a.sample_id for one in found.flips_b] == ["3"]
    said = as_text(found)
    assert "8 samples: A better by squad_f1 on 6, B on 1." in said
    assert "A is better by squad_f1: 6 of 8, 2 shown, the farthest apart" in said
    assert json.loads(as_json(found))["by"] == "squad_f1"


def test_metrics_that_need_labels_are_left_alone_where_the_task_has_changed(right, metrics, caplog):
    changed = replace(SPEC, labels={"a": "", "other": ""})
    evidence = Said(a=said(right[0]), b=said(right[1]))
    found = compare(a_result(a_trial("a")), a_result(a_trial("b")), evidence, metrics, changed)
    assert [one.metric for one in found.metrics if one.difference] == ["accuracy"]
    assert "no longer has label b" in caplog.text


# --- flipped samples -----------------------------------------------------------------------------------


def test_flipped_samples_stand_side_by_side_with_their_prompts(right, metrics):
    found = compared(right, metrics)
    first = int(np.flatnonzero(right[0] & ~right[1])[0])
    assert [len(found.flips_a), len(found.flips_b)] == [2, 2]
    assert found.flips_a[0].a.sample_id == found.flips_a[0].b.sample_id == f"row-{first}"
    assert found.flips_a[0].a.correct
    assert found.flips_b[0].b.correct
    assert (found.flips_a[0].prompts_a, found.flips_a[0].prompts_b) == (
        (f"a about row-{first}",),
        (f"b about row-{first}",),
    )
    assert found.notes == ()


def test_prompts_that_can_not_be_told_are_a_note(right, metrics):
    found = compared(right, metrics, asked=False)
    assert found.flips_a[0].prompts_a == ()
    assert found.notes == (
        "prompts of a by zero-shot can't be shown: a template has changed",
        "prompts of b by zero-shot can't be shown: a template has changed",
    )
    assert "note: prompts of a" in as_text(found)


# --- refusals ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": Component("other")}, "different samples: task made and task other"),
        ({"split": "validation"}, "different samples: split test and split validation"),
    ],
)
def test_trials_on_other_tasks_or_splits_are_refused(right, metrics, changes, message):
    evidence = Said(a=said(right[0]), b=said(right[1]))
    with pytest.raises(UsageError, match=message):
        compare(a_result(a_trial("a")), a_result(a_trial("b", **changes)), evidence, metrics, SPEC)


def test_what_differs_between_samples_is_told(right, metrics):
    first, second = said(right[0]), said(right[1])
    other = [replace(second[0], target="b"), *second[1:-4], replace(second[-4], status="failed"), *second[-3:]]

    def refused(a, b, trial=None, **changes):
        other = a_result(trial or a_trial("b"), **changes)
        with pytest.raises(UsageError) as raised:
            compare(a_result(a_trial("a")), other, Said(a=a, b=b), metrics, SPEC)
        return str(raised.value)

    assert "1 only in A (row-116), 1 with other targets (row-0)" in refused(first, other)
    assert "run the partial one again" in refused(first, other, status="partial")
    assert "110 only in A (row-10, row-11, row-12 ...)" in refused(first, second[:10])
    assert "limit None and limit 10" in refused(first, second[:10], trial=a_trial("b", limit=10))
    assert "in different orders" in refused(first, second[::-1])
    assert "m/zero-shot" not in refused(first, second[:10])
    assert "b/zero-shot/made/0 has answered nothing (failed: no disk)" in refused(
        first, [], status="failed", reason="no disk"
    )


def test_a_trial_is_not_compared_with_itself(right, metrics):
    result = a_result(a_trial("a"))
    with pytest.raises(UsageError, match="both are the same trial, a/zero-shot/made/0"):
        compare(result, result, Said(a=said(right[0])), metrics, SPEC)


# --- names -----------------------------------------------------------------------------------------------


@pytest.fixture
def stored(catalogue, store, toy_experiment):
    """Toy trials of two strategies and two seeds."""
    several = replace(
        toy_experiment, strategies=(Component("zero-shot"), Component("few-shot", None, {"k": "2"})), seeds=(0, 1)
    )
    results = run_experiment(several, catalogue, store)
    return {trial_name(result): result.trial.key for result in results}


def test_trials_are_found_by_their_names_and_keys(store, stored):
    def keys(a, b):
        return tuple(result.trial.key for result in select_pair(store, a, b))

    zero, few = stored["toy/zero-shot/toy/0"], stored["toy/few-shot,k=2/toy/0"]
    assert keys("toy/zero-shot/toy/0", "toy/few-shot,k=2/toy/0") == (zero, few)
    assert keys("toy/zero-shot/0", few[:10]) == (zero, few)
    assert keys("toy/zero-shot", "toy/few-shot*/0") == (zero, few)  # those of one seed
    assert keys(zero, stored["toy/zero-shot/toy/1"]) == (zero, stored["toy/zero-shot/toy/1"])


def test_names_that_fit_none_or_several_are_told(store, stored):
    def refused(a, b):
        with pytest.raises(UsageError) as raised:
            select_pair(store, a, b)
        return str(raised.value)

    assert "fit 2 pairs of trials (say which: toy/zero-shot/toy/0" in refused("toy/zero-shot", "toy/few-shot,k=2")
    assert "no stored trial is called 'toy/zeroshot' (did you mean toy/zero-shot" in refused("toy/zeroshot", "x/y")
    assert "too short for a trial" in refused("abc", "toy/zero-shot/0")
    assert "no two are of one task and seed" in refused("toy/zero-shot/0", "toy/*/1")


def test_the_specification_is_that_of_the_task(store, stored, catalogue, caplog):
    (result,) = store.results(keys=[stored["toy/zero-shot/toy/0"]])
    assert set(specification(result.trial, store, catalogue).labels) == {"warm", "cold"}
    gone = replace(result.trial, task=Component("gone"))
    assert specification(gone, store, catalogue).labels == {}
    assert "task gone is not found" in caplog.text


# --- forms -----------------------------------------------------------------------------------------------


def test_text_says_all_that_matters(right, metrics):
    text = as_text(compared(right, metrics))
    assert text.startswith("A  a · zero-shot · made · seed 0 (key of a)\nB  b · zero-shot · made")
    assert "cross_entropy (less is better)" in text
    assert f"{N} samples: both right" in text
    assert "only A is right" in text
    assert ", 2 shown" in text
    assert "songs (n=40)" in text


def test_markdown_has_tables_and_fences_that_hold(right, metrics):
    found = compared(right, metrics)
    loud = replace(found.flips_a[0], prompts_a=("```\nevil\n````",), prompts_b=("```\nevil\n````",))
    text = as_markdown(replace(found, flips_a=(loud,), notes=("a | b",)))
    assert "| metric" in text
    assert "|:--" in text
    assert "`````text\n" in text
    assert "a \\| b" in text


def test_json_has_numbers_for_programs(right, metrics):
    found = compared(right, metrics)
    endless = replace(found.metrics[0], difference=Estimate(0.1, -np.inf, np.inf))
    told = json.loads(as_json(replace(found, metrics=(endless, *found.metrics[1:]))))
    assert told["metrics"][0]["difference"] == {"value": 0.1, "low": None, "high": None}
    assert told["a"] == {
        "key": "key of a",
        "model": "a",
        "strategy": "zero-shot",
        "task": "made",
        "split": "test",
        "seed": 0,
    }
    assert [flip["right"] for flip in told["flips"]] == ["a", "a", "b", "b"]
    assert told["flips"][0]["a"]["prompts"] == list(found.flips_a[0].prompts_a)


def test_nothing_commands_the_terminal(right, metrics):
    found = compared(right, metrics)
    evil = replace(found.flips_a[0], prompts_a=("\x1b[2Jgone\u202e",))
    text = as_text(replace(found, flips_a=(evil,)))
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_the_prompt_of_a_request_is_its_text(metrics, right):
    class Asking(Said):
        def asked(self, trial):
            twice = [LogLikelihood(Prompt("Text: x"), (" a",))] * 2
            return Asked([(one, twice) for one, _ in super().asked(trial).samples])

    evidence = Asking(a=said(right[0]), b=said(right[1]))
    found = compare(a_result(a_trial("a")), a_result(a_trial("b")), evidence, metrics, SPEC, flips=1)
    assert found.flips_a[0].prompts_a == ("Text: x",)
