"""The gate: planted regressions fail it every time, noise never does; what can't be compared is said."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.baseline import Baseline, baseline_trial, read_baseline, write_baseline
from harness.contributions import contributions
from harness.errors import ConfigError, HarnessError, UsageError
from harness.gatefile import tolerances
from harness.gatereport import as_annotations, as_json, as_junit, as_lines
from harness.gating import Check, Rules, Today, gate
from harness.messages import ChunkTiming
from harness.records import Component, Estimate, Prediction, PromptSpec, TaskSpec, Trial, TrialResult

LABELS = ("a", "b", "c")
SPEC = TaskSpec("made", "classification", PromptSpec(""), dict.fromkeys(LABELS, ""))
N = 400
RULES = Rules(0.99, {"default": 0.01}, 0.25)


@pytest.fixture
def metrics(catalogue):
    return catalogue.metrics(["accuracy", "macro_f1", "cross_entropy"])


def today(rng, metrics, *, accuracy=0.8, flipped=0.05, ms=20.0, pace=1.0, seed=0, **changes):
    """A trial of a model whose answers to some samples change from run to run, with its timings."""
    fixed = np.random.default_rng(99)  # the data and what is hard in it are the same each time
    targets = fixed.choice(LABELS, size=N)
    difficulty = fixed.random(N)
    noisy = np.where(rng.random(N) < flipped, rng.random(N), difficulty)
    predictions = []
    for index, (target, hard) in enumerate(zip(targets, noisy, strict=True)):
        said = target if hard < accuracy else LABELS[(LABELS.index(target) + 1) % 3]
        scores = tuple(-0.3 if label == said else -2.0 for label in LABELS)
        time = ms * (1 + difficulty[index]) * rng.lognormal(0, 0.05) if index < 100 else None
        predictions.append(Prediction(f"row-{index}", str(target), str(said), scores=scores, latency_ms=time))
    timings = [ChunkTiming(i, 64, 64 * pace * ms / 1e3 * rng.lognormal(0, 0.05), 1, 1, 1) for i in range(7)]
    parts = {"model": Component("m"), "task": Component("made"), "strategy": Component("zero-shot")}
    trial = Trial("key", **parts, seed=seed, split="test", limit=None, samples="rows", n=N, plugins={})
    scored = {name: metric.compute(predictions, SPEC) for name, metric in metrics.items()}
    provenance = {"machine": "here", "device": "cpu", "python": "3"}
    result = replace(TrialResult(trial, "finished", metrics=scored, provenance=provenance), **changes)
    return Today(result, predictions, timings)


def baseline_of(found, metrics=None, spec=SPEC):
    return baseline_trial(
        found.result, found.predictions, found.timings, spec, metrics=metrics or {}, added=found.added
    )


def checked(before, now, metrics, rules=RULES, spec=SPEC):
    before = baseline_of(before, metrics, spec)
    return {one.what: one for one in gate([before], {before.name: now}, metrics, rules)}


def failed(checks):
    return {what for what, one in checks.items() if one.verdict == "failed"}


# --- regressions and noise ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_a_planted_regression_fails_every_time(seed, metrics):
    rng = np.random.default_rng(seed)
    checks = checked(today(rng, metrics), today(rng, metrics, accuracy=0.70, ms=40), metrics)
    assert failed(checks) == {"accuracy", "macro_f1", "cross_entropy", "one sample at a time", "all at once"}


@pytest.mark.parametrize("seed", range(20))
def test_noise_fails_never(seed, metrics):
    """Another 5% of the answers change each time; times scatter by 5%, and one run is 10% slower."""
    rng = np.random.default_rng(seed)
    checks = checked(today(rng, metrics), today(rng, metrics, ms=22), metrics)
    assert {one.verdict for one in checks.values()} == {"passed"}
    assert len(checks) == 5


def test_without_tolerance_noise_fails_about_as_often_as_the_level_says(metrics):
    """60 gates of three correlated metrics at 90%: no more than about 10% fail."""
    rng = np.random.default_rng(7)
    rules = Rules(0.9, {"default": 0.0}, None)
    count = sum(
        bool(failed(checked(today(rng, metrics, flipped=0.3), today(rng, metrics, flipped=0.3), metrics, rules)))
        for _ in range(60)
    )
    assert count <= 12  # the 99% quantile of 60 draws at 10%


def test_what_got_better_passes(metrics):
    rng = np.random.default_rng(1)
    checks = checked(today(rng, metrics), today(rng, metrics, accuracy=0.95, ms=5), metrics)
    assert not failed(checks)
    assert checks["accuracy"].change.value > 0
    assert checks["cross_entropy"].change.value < 0


def test_a_loss_fails_where_it_rises(metrics):
    only = {"cross_entropy": metrics["cross_entropy"]}
    rng = np.random.default_rng(2)
    assert failed(checked(today(rng, only), today(rng, only, accuracy=0.6), only)) == {"cross_entropy"}
    assert not failed(checked(today(rng, only, accuracy=0.6), today(rng, only), only))


def test_a_tolerance_allows_what_it_says(metrics):
    rng = np.random.default_rng(3)
    before, now = today(rng, metrics), today(rng, metrics, accuracy=0.72)
    assert "accuracy" in failed(checked(before, now, metrics))
    assert "accuracy" not in failed(checked(before, now, metrics, Rules(0.99, {"accuracy": 0.08}, None)))
    assert "macro_f1" in failed(checked(before, now, metrics, Rules(0.99, {"accuracy": 0.08}, None)))


def test_the_interval_of_a_gate_is_one_sided_at_the_level_of_all_its_checks(metrics):
    only = {"accuracy": metrics["accuracy"]}
    rng = np.random.default_rng(4)
    before, now = today(rng, only), today(rng, only, accuracy=0.7)
    check = checked(before, now, only, Rules(0.95, {}, None))["accuracy"]
    # Three checks count (two kinds of times are in the baseline): 1 - 2 x 0.05 / 3.
    expected = only["accuracy"].compare(now.predictions, before.predictions, SPEC, 1 - 2 * 0.05 / 3).difference
    assert (check.change.low, check.change.high) == pytest.approx((expected.low, expected.high))


# --- texts and likelihoods ----------------------------------------------------------------------------------

WORDS = tuple(f"word{n}" for n in range(60))
TEXTS = TaskSpec("texts", "generation", PromptSpec(""))
READ = TaskSpec("read", "language-modelling", PromptSpec(""))
NEW = {"bleu": TEXTS, "bits_per_byte": READ}


def wrote(rng, name, metric, *, quality=0.7):
    """A trial that keeps so many words of each reference, or takes about as many nats for each text, in 150 samples."""
    fixed, spec, found = np.random.default_rng(99), NEW[name], []
    for index in range(150):
        reference = [str(word) for word in fixed.choice(WORDS, size=fixed.integers(4, 20))]
        if spec is TEXTS:
            kept = [word if rng.random() < quality else str(rng.choice(WORDS)) for word in reference]
            text, wanted = " ".join(kept), " ".join(reference)
            one = Prediction(str(index), wanted, text, text=text, measured={"references": [wanted]})
        else:
            nats = len(reference) * fixed.gamma(4) * rng.normal(1.7 - quality, 0.1)
            one = Prediction(str(index), "", None, scores=(-nats,), measured={"bytes": 6 * len(reference)})
        found.append(one)
    parts = {"model": Component("m"), "task": Component(spec.name), "strategy": Component("zero-shot")}
    trial = Trial("key", **parts, seed=0, split="test", limit=None, samples="rows", n=len(found), plugins={})
    result = TrialResult(trial, "finished", metrics={name: metric.compute(found, spec)})
    return Today(result, found, [], lambda _: contributions(metric, found, spec))


@pytest.mark.parametrize("name", NEW)
def test_texts_that_got_worse_fail_every_time_and_noise_never(catalogue, name):
    metrics = catalogue.metrics([name])
    verdicts = {"noise": [], "worse": [], "better": []}
    for seed in range(20):
        rng = np.random.default_rng(seed)
        before = wrote(rng, name, metrics[name])
        for change, quality in (("noise", 0.7), ("worse", 0.6), ("better", 0.8)):
            now = wrote(rng, name, metrics[name], quality=quality)
            verdicts[change].append(checked(before, now, metrics, spec=NEW[name])[name].verdict)
    assert verdicts == {"noise": ["passed"] * 20, "worse": ["failed"] * 20, "better": ["passed"] * 20}


def test_the_file_has_no_texts_of_a_generated_answer_but_what_they_add_to_the_score(catalogue, tmp_path):
    metrics = catalogue.metrics(["bleu"])
    found = wrote(np.random.default_rng(0), "bleu", metrics["bleu"])
    trial = baseline_of(found, metrics, TEXTS)
    told = {"schema": 1, "written": "now", "harness": "0", "trials": [trial]}
    write_baseline(Baseline(**told), tmp_path / "base.json")
    (read,) = read_baseline(tmp_path / "base.json").trials
    assert all(one.text is None and not one.measured for one in read.predictions())
    kept = read.added("bleu", read.predictions())
    assert kept.values == pytest.approx(found.added("bleu").values, rel=1e-8)
    assert kept.samples == found.added("bleu").samples
    with pytest.raises(ConfigError, match="damaged"):
        read.model_copy(update={"contributions": {"bleu": "eA=="}}).added("bleu", read.predictions())


def test_the_usual_tolerance_is_a_share_of_the_highest_score(catalogue):
    metrics = catalogue.metrics(["bleu", "bits_per_byte"])
    assert RULES.of("bleu", metrics["bleu"]) == 1.0
    assert RULES.of("bits_per_byte", metrics["bits_per_byte"]) == 0.01
    assert replace_rules(tolerance={"bleu": 0.3, "default": 0.01}).of("bleu", metrics["bleu"]) == 0.3


def test_right_answers_that_only_the_task_could_tell_are_kept(metrics):
    """Several references were right: target and answer differ, and the file has no references."""
    rng, accuracy = np.random.default_rng(0), {"accuracy": metrics["accuracy"]}

    def judged(share):
        made = today(rng, accuracy)
        said = [replace(one, target="a", judged=bool(rng.random() < share)) for one in made.predictions]
        result = replace(made.result, metrics={"accuracy": metrics["accuracy"].compute(said, SPEC)})
        added = contributions(metrics["accuracy"], said, SPEC)
        return replace(made, predictions=said, result=result, added=lambda _: added)

    before = judged(0.8)
    assert checked(before, before, accuracy)["accuracy"].change.value == pytest.approx(0.0, abs=1e-9)
    assert checked(before, judged(0.6), accuracy)["accuracy"].verdict == "failed"


# --- times -----------------------------------------------------------------------------------------------------


def test_times_on_another_machine_are_not_compared(metrics):
    rng = np.random.default_rng(5)
    now = today(rng, metrics, ms=90)
    now = replace(now, result=replace(now.result, provenance={"machine": "there", "device": "cpu"}))
    checks = checked(today(rng, metrics), now, metrics)
    assert {checks[what].verdict for what in ("one sample at a time", "all at once")} == {"not compared"}
    assert "machine differ" in checks["all at once"].said


def test_too_few_timings_are_not_compared(metrics):
    rng = np.random.default_rng(6)
    now = today(rng, metrics)
    untimed = [replace(one, latency_ms=None) for one in now.predictions]
    checks = checked(today(rng, metrics), replace(now, predictions=untimed, timings=now.timings[:4]), metrics)
    assert checks["one sample at a time"].said == "times are not compared: 0 samples were timed, it takes 20"
    assert checks["all at once"].said == "times are not compared: 4 chunks were timed, it takes 5"


def test_microseconds_are_no_regression(metrics):
    rng = np.random.default_rng(7)
    checks = checked(today(rng, metrics, ms=0.01), today(rng, metrics, ms=0.03), metrics)
    assert checks["one sample at a time"].change.low > 2
    assert not failed(checks)


def test_times_are_left_alone_when_asked(metrics):
    rng = np.random.default_rng(8)
    checks = checked(today(rng, metrics), today(rng, metrics, ms=90), metrics, replace_rules(latency_tolerance=None))
    assert set(checks) == set(metrics)


def replace_rules(**changes):
    return replace(RULES, **changes)


# --- what can't be compared ------------------------------------------------------------------------------------


def test_a_missing_trial_fails_unless_that_is_allowed(metrics):
    before = baseline_of(today(np.random.default_rng(0), metrics))
    (check,) = gate([before], {}, metrics, RULES)
    assert (check.verdict, check.what, check.said) == ("failed", "trial", "it is not in the store")
    (check,) = gate([before], {}, metrics, replace_rules(allow_missing=True))
    assert check.verdict == "not compared"


def test_a_partial_trial_fails(metrics):
    rng = np.random.default_rng(0)
    now = today(rng, metrics, status="partial", reason="3 of 400 samples failed")
    checks = checked(today(rng, metrics), now, metrics)
    assert checks["trial"].said == "it is partial: 3 of 400 samples failed"
    assert failed(checks) == {"trial"}


def test_other_rows_fail(metrics):
    rng = np.random.default_rng(0)
    now = today(rng, metrics)
    checks = checked(today(rng, metrics), replace(now, predictions=now.predictions[1:]), metrics)
    assert failed(checks) == {"trial"}
    assert "other rows than the baseline (399 and 400)" in checks["trial"].said


def test_a_metric_without_a_paired_test_is_not_compared(metrics):
    class Plain:
        higher_is_better = True

        def compute(self, predictions, spec):
            return Estimate(0.5, 0.4, 0.6)

    rng = np.random.default_rng(0)
    with_plain = metrics | {"plain": Plain()}
    checks = checked(today(rng, with_plain), today(rng, with_plain), with_plain)
    assert (checks["plain"].verdict, checks["plain"].said) == ("not compared", "there is no paired test of it")
    assert checked(today(rng, with_plain), today(rng, with_plain), metrics)["plain"].verdict == "not compared"


# --- the file --------------------------------------------------------------------------------------------------


def a_baseline(found, **changes):
    told = {"schema": 1, "written": "now", "harness": "0", "trials": [baseline_of(found)]}
    return Baseline(**(told | changes))


@pytest.mark.parametrize("name", ["base.json", "base.yaml"])
def test_the_file_keeps_what_a_gate_needs(tmp_path, metrics, name):
    rng = np.random.default_rng(0)
    found = today(rng, metrics)
    unsure = [replace(found.predictions[0], scores=(-math.inf, 0.0, -1.0), cluster="c"), *found.predictions[1:]]
    found = replace(found, predictions=unsure)
    write_baseline(a_baseline(found, latency_tolerance=None, tolerance={"accuracy": 0.5}), tmp_path / name)
    read = read_baseline(tmp_path / name)
    assert (read.latency_tolerance, read.tolerance, read.level) == (None, {"accuracy": 0.5}, 0.99)
    (trial,) = read.trials
    assert trial.spec().labels.keys() == set(LABELS)
    assert trial.metrics["accuracy"] == found.result.metrics["accuracy"].value
    kept = trial.predictions()
    assert [(one.sample_id, one.target, one.prediction, one.cluster) for one in kept] == [
        (one.sample_id, one.target, one.prediction, one.cluster) for one in found.predictions
    ]
    assert kept[0].scores == (-math.inf, 0.0, -1.0)
    times = [
        (now.latency_ms, one.latency_ms) for now, one in zip(kept, found.predictions, strict=True) if one.latency_ms
    ]
    assert all(now == pytest.approx(then, rel=1e-4) for now, then in times)
    assert (tmp_path / name).stat().st_size < 40 * N


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "should be an object"),
        (
            '{"schema": 1, "written": "", "harness": "", "trials": [], "levle": 0.9}',
            "unknown key 'levle' (did you mean level?)",
        ),
        ('{"schema": 7, "written": "", "harness": "", "trials": []}', "has schema 7, this harness knows schema 1"),
        ('{"schema": 1, "written": "", "harness": "", "trials": [], "level": 2}', "less than 1"),
    ],
)
def test_a_file_that_is_no_baseline_is_told(tmp_path, content, said):
    (tmp_path / "base.json").write_text(content)
    with pytest.raises(ConfigError) as raised:
        read_baseline(tmp_path / "base.json")
    assert said in str(raised.value)
    assert "base.json" in str(raised.value)


def test_a_file_that_is_missing_damaged_or_can_not_be_written_is_told(tmp_path, metrics):
    with pytest.raises(ConfigError, match="harness gate --write makes one"):
        read_baseline(tmp_path / "none.json")
    trial = baseline_of(today(np.random.default_rng(0), metrics))
    with pytest.raises(ConfigError, match="the answers of m/zero-shot/made/0 are damaged"):
        trial.model_copy(update={"answers": trial.answers[:40]}).predictions()
    with pytest.raises(HarnessError, match="can't write the baseline"):
        write_baseline(a_baseline(today(np.random.default_rng(0), metrics)), tmp_path / "no" / "base.json")


def test_tolerances_are_read_and_wrong_ones_told():
    assert tolerances(["0.02", "accuracy=0.05"]) == {"default": 0.02, "accuracy": 0.05}
    for wrong in ("x", "accuracy=", "accuracy=-1", "nan", "accuracy=inf"):
        with pytest.raises(UsageError, match="is no tolerance"):
            tolerances([wrong])


# --- what is written ---------------------------------------------------------------------------------------------

CHECKS = (
    Check(
        "m/few-shot,k=8/t/0", "accuracy", "failed", "0.9 -> 0.8, 10% worse", 0.9, 0.8, Estimate(-0.1, -math.inf, -0.05)
    ),
    Check("m/few-shot,k=8/t/0", "macro_f1", "passed", "0.9 -> 0.9"),
    Check("m/few-shot,k=8/u/0", "trial", "not compared", "it is not\nin the \x1b[1mstore"),
)


def test_a_regression_is_one_line():
    assert as_lines(CHECKS).splitlines() == [
        "FAILED: m/few-shot,k=8/t/0 accuracy: 0.9 -> 0.8, 10% worse",
        "not compared: m/few-shot,k=8/u/0 trial: it is not in the \ufffd[1mstore",
        "3 checks: 1 passed, 1 failed, 1 not compared",
    ]


def test_json_is_for_programs():
    told = json.loads(as_json(CHECKS))
    assert told["passed"] is False
    assert told["checks"][0]["change"] == {"value": -0.1, "low": None, "high": -0.05}
    assert json.loads(as_json(CHECKS[1:2]))["passed"] is True


def test_junit_counts_and_escapes():
    suite = ET.fromstring(as_junit(CHECKS)).find("testsuite")
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["3", "1", "0", "1"]
    first, second, third = suite.findall("testcase")
    assert (first.get("classname"), first.get("name")) == ("m/few-shot,k=8/t/0", "accuracy")
    assert first.find("failure").get("message") == "0.9 -> 0.8, 10% worse"
    assert second.find("failure") is None
    assert third.find("skipped") is not None


def test_annotations_are_githubs_commands():
    assert as_annotations(CHECKS).splitlines() == [
        "::error title=harness gate::m/few-shot,k=8/t/0 accuracy: 0.9 -> 0.8, 10%25 worse",
        "::warning title=harness gate::m/few-shot,k=8/u/0 trial: it is not in the \ufffd[1mstore",
    ]


@given(st.text())
def test_whatever_is_said_stays_on_its_line_and_in_its_xml(said):
    check = Check(said, said, "failed", said)
    assert len(as_lines([check]).splitlines()) == 2
    assert len(as_annotations([check]).splitlines()) == 1
    assert ET.fromstring(as_junit([check])).find("testsuite/testcase/failure") is not None
