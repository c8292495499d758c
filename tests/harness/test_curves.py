"""Trials -> learning curves: what belongs together, where it stands, gaps, and the sentences."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from harness.components import parse_component
from harness.contributions import Contributions
from harness.crossings import over_seeds
from harness.curves import ONE_SEED, curves_of, sentence
from harness.export import curves_json
from harness.leaderboard import build
from harness.pairing import Pairing
from harness.records import Component, Estimate, LabelBudget, Trial, TrialResult

N = 200


def a_trial(strategy, right, *, seed=0, labels=0, model="m", validation=0, **changes):
    """A finished trial that has the first `right` of N samples right."""
    component = parse_component(strategy)
    name = component.name if component.name in {"probe", "few-shot"} else ""
    trial = Trial(
        key=f"{model}/{strategy}/{seed}/{right}",
        model=Component(model),
        task=Component("bbc-news"),
        strategy=component,
        seed=seed,
        split="test",
        limit=None,
        samples="rows",
        n=N,
        plugins={},
        curve=name,
        prompts=component.name in {"zero-shot", "few-shot"},
        control="control" in strategy,
    )
    score = right / N
    metrics = {"accuracy": Estimate(score, score - 0.05, score + 0.05)}
    budget = LabelBudget(train=labels, validation=validation)
    return replace(TrialResult(trial, "finished", metrics=metrics, budget=budget), **changes)


def answers(key):
    right = int(key.rpartition("/")[2])
    return [(f"row-{at}", at < right) for at in range(N)]


def curves(*results, metric="accuracy"):
    return curves_of(results, Pairing(answers), metric)


PROBE = [a_trial("probe,n=4", 60, labels=4, validation=4), a_trial("probe,n=16", 180, labels=16, validation=16)]


def test_without_several_sizes_there_are_no_curves():
    assert curves(a_trial("zero-shot", 100), PROBE[0], a_trial("finetune", 150, labels=500)) is None
    assert curves() is None


def test_a_curve_is_what_differs_in_its_size_alone():
    found = curves(*PROBE, a_trial("zero-shot", 100), a_trial("probe,n=4", 70, labels=4, model="other"))
    swept, flat, alone = found.curves
    assert (swept.model, swept.strategy, swept.flat) == ("m", "probe", False)
    assert [(point.labels, point.score.value) for point in swept.points] == [(8, 0.3), (32, 0.9)]
    assert (flat.strategy, flat.flat, flat.prompts, flat.points[0].labels) == ("zero-shot", True, True, 0)
    assert (alone.model, alone.strategy, alone.flat) == ("other", "probe,n=4", True)


def test_points_are_means_over_seeds_with_both_errors():
    rights = (60, 90, 120)
    found = curves(*(a_trial("probe,n=4", right, seed=seed, labels=4) for seed, right in enumerate(rights)), PROBE[1])
    point = found.curves[0].points[0]
    expected = over_seeds(np.array([np.arange(N) < right for right in rights]))
    assert (point.seeds, point.score) == ((0, 1, 2), expected)
    assert point.seed_sd == pytest.approx(0.15)
    assert point.score.high - point.score.low > 2 * 0.05
    assert ONE_SEED not in found.notes


def test_one_seed_keeps_its_own_interval_and_it_is_said():
    found = curves(*PROBE)
    assert found.curves[0].points[0].score == PROBE[0].metrics["accuracy"]
    assert found.curves[0].points[0].seed_sd is None
    assert ONE_SEED in found.notes


def test_sizes_beyond_the_rows_are_one_point_and_it_is_said():
    found = curves(*PROBE, a_trial("probe,n=64", 190, labels=20), a_trial("probe,n=128", 190, labels=20))
    assert [point.labels for point in found.curves[0].points] == [8, 20, 32]
    assert found.curves[0].points[1].strategies == ("probe,n=64", "probe,n=128")
    assert "m · probe,n=64 and probe,n=128: the same 20 labels, shown once" in found.notes


def test_a_failed_trial_is_a_gap_and_it_is_said():
    broken = a_trial("probe,n=8", 100, seed=0, labels=8, status="failed", reason="out of memory", metrics={})
    found = curves(*PROBE, broken, a_trial("probe,n=4", 70, seed=1, labels=4))
    assert [point.labels for point in found.curves[0].points] == [8, 32]
    assert "m · probe,n=8 has a gap: failed: out of memory" in found.notes
    half = replace(broken, trial=replace(broken.trial, strategy=parse_component("probe,n=4"), seed=2))
    assert "m · probe,n=4 lacks seed 2: failed: out of memory" in curves(*PROBE, half).notes
    assert curves(*(replace(one, status="failed", reason="no") for one in PROBE)).curves == ()


def test_what_has_no_score_or_no_known_budget_is_a_gap():
    found = curves(*PROBE, a_trial("probe,n=8", 100, labels=8, metrics={}), a_trial("probe,n=9", 100, budget=None))
    assert "m · probe,n=8 has a gap: it has no accuracy" in found.notes
    assert "m · probe,n=9 has a gap: the labels that it was given are not known" in found.notes


def test_controls_are_no_curves():
    assert [curve.strategy for curve in curves(*PROBE, a_trial("control", 100)).curves] == ["probe"]


def test_learners_are_held_against_prompting():
    few = [a_trial("few-shot,k=8", 90, labels=8), a_trial("few-shot,k=32", 110, labels=32)]
    found = curves(*PROBE, *few, a_trial("zero-shot", 80), a_trial("finetune", 150, labels=500))
    pairs = [(contest.curve.strategy, contest.over.strategy) for contest in found.contests]
    assert pairs == [("probe", "few-shot"), ("probe", "zero-shot"), ("few-shot", "zero-shot")]


def test_without_prompting_all_are_held_against_one_another_the_one_ahead_first():
    better = [a_trial("probe,n=4", 120, labels=8, model="b"), a_trial("probe,n=16", 195, labels=32, model="b")]
    (contest,) = curves(*PROBE, *better).contests
    assert (contest.curve.model, contest.over.model) == ("b", "m")
    assert contest.crossing.difference.value > 0


def test_other_samples_are_not_compared():
    def elsewhere(key):
        return [(f"{'other-' * ('zero-shot' in key)}{sample}", right) for sample, right in answers(key)]

    assert curves_of([*PROBE, a_trial("zero-shot", 100)], Pairing(elsewhere), "accuracy").contests == ()
    assert curves_of(PROBE, Pairing(lambda _: []), "accuracy").contests == ()


@pytest.mark.parametrize("loss", [False, True])
def test_another_metric_is_drawn_and_decides_where_it_is_known_what_samples_add(loss):
    """By right answers, of which the probe has more, it would be the other way round."""
    draw, sign = np.random.default_rng(0), -1 if loss else 1
    both = (*PROBE, a_trial("zero-shot", 20))
    levels = dict(zip((one.trial.key for one in both), (0.3, 0.5, 0.8), strict=True))
    hard = draw.normal(0, 0.1, size=N)
    added = {key: Contributions(b"", N, sign * (level + hard)) for key, level in levels.items()}
    results = [replace(one, metrics={"x": Estimate(sign * levels[one.trial.key], -1, 1)}) for one in both]
    found = curves_of(results, Pairing(answers, lambda key, _: added[key]), "x", loss=loss)
    (contest,) = found.contests
    assert (contest.crossing.verdict, contest.by) == ("never", "x")
    assert contest.crossing.difference.value == pytest.approx(-0.3)
    assert "with 32 labels it is 0.300 [0.300, 0.300] worse by x." in sentence(contest)
    assert not any("right answers" in note for note in found.notes)


def test_another_metric_is_drawn_and_right_answers_decide_where_nothing_else_is_known():
    f1 = {"macro_f1": Estimate(0.4, 0.3, 0.5)}
    found = curves(*(replace(one, metrics=f1) for one in (*PROBE, a_trial("zero-shot", 100))), metric="macro_f1")
    assert found.curves[0].points[0].score.value == 0.4
    assert any("by the share of right answers, not by macro_f1" in note for note in found.notes)


# --- sentences ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zero", "said"),
    [
        (120, r"m · probe beats {} from about 16 labels on \(95% interval 1\d to \d\d\)\."),
        (40, r"m · probe beats {} from the first size on \(8 labels\)\."),
        (200, r"m · probe never beats {} within the sizes: with 32 labels it has 0\.100 \[.*\] fewer right\."),
        (178, r"m · probe against {} is not settled: .* difference is \+0\.010 \[.*\], and the interval holds 0\."),
    ],
)
def test_each_verdict_is_a_sentence(zero, said):
    (contest,) = curves(*PROBE, a_trial("zero-shot", zero)).contests
    assert re.fullmatch(said.format("m · zero-shot"), sentence(contest)), sentence(contest)


def test_open_ends_of_an_interval_are_said():
    (contest,) = curves(*PROBE, a_trial("zero-shot", 40)).contests

    def said(**changes):
        return sentence(replace(contest, crossing=replace(contest.crossing, **changes)))

    assert "(8 labels, 95% interval up to 12)" in said(high=12.3)
    assert "(8 labels, 95% interval up to beyond 32)" in said(high=math.inf)
    crossed = {"verdict": "crosses", "labels": 1234.5, "low": -math.inf, "high": math.inf}
    assert "from about 1,234 labels on (95% interval below 8 to beyond 32)" in said(**crossed)
    assert said(changes=3).endswith("; the means cross 3 times.")


def test_the_board_and_its_json_have_the_curves():
    board = build([*PROBE, a_trial("zero-shot", 120)], answers)
    assert board.tables[0].curves == curves(*PROBE, a_trial("zero-shot", 120))
    assert {"curve", "from how many labels on"} <= {term for term, _ in board.footnotes}
    (found,) = curves_json(board.tables)["curves"]
    assert (found["task"], found["split"], found["metric"]) == ("bbc-news", "test", "accuracy")
    assert found["curves"][0]["points"][1]["seeds"][0]["key"] == PROBE[1].trial.key
    assert found["contests"][0]["verdict"] == "crosses"
    assert 15 < found["contests"][0]["labels"] < 17
    assert curves_json(build([PROBE[0]], answers).tables) == {"curves": []}
