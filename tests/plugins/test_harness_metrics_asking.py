"""Metrics that ask models: judges by rule-based fakes and a small model, likeness against plain transformers."""

import dataclasses
import json
import shutil
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from harness.assets import Assets
from harness.catalogue import Catalogue
from harness.cli import call
from harness.comparing import compare, metrics_of, specification
from harness.differences import paired_means
from harness.errors import ConfigError, ParameterError
from harness.evidence import StoredEvidence
from harness.plugins import PluginChoice, Plugins
from harness.records import Component, Experiment
from harness.runner import run_experiment
from harness.store import Store
from harness_metrics.agreement import agreement, cohen_kappa, krippendorff_alpha
from harness_metrics.judgeworth import INCOMPARABLE

TASK = """\
name: echo
kind: generation
data: {files: {test: rows.jsonl}, fields: {question: question, target: answer}}
prompt: {template: "{{ question }}"}
metrics: [exact_match]
"""

FAKES = """
import re
from harness import Generated, LogLikelihoods, ModelError, hookimpl

CALLS = []


@hookimpl
def register_models(register):
    register("toy", "asking_fakes:Toy")
    register("fake-rule-judge", "asking_fakes:RuleJudge", summary="a fake: rates by a rule")
    register("fake-writing-judge", "asking_fakes:WritingJudge", summary="a fake: writes what the rule says")
    register("fake-first-judge", "asking_fakes:FirstJudge", summary="a fake: prefers whatever stands first")
    register("fake-mooner", "asking_fakes:Mooner", summary="a fake: always says the same")
    register("fake-mute", "asking_fakes:Mute", summary="a fake: says nothing after a prompt")


class RuleJudge:
    answers = frozenset({"LogLikelihood"})
    provenance = {}

    def fingerprint(self):
        return "rules 1"

    def load(self, device):
        return self

    def run(self, requests):
        CALLS.append(len(requests))
        with open("calls.log", "a") as file:  # the command line imports this file anew
            file.write(f"{len(requests)}\\n")
        return [LogLikelihoods(tuple(0.0 if one == self.said(request) else -1.0 for one in request.continuations))
                for request in requests]

    def said(self, request):
        text = request.prompt.text
        if rated := re.search(r"Right answer:\\n(.*)\\n\\nCandidate's answer:\\n(.*)\\n", text):
            return " 5" if rated[1] == rated[2] else " 2"
        a, b = (re.search(rf"Answer {one}:\\n(.*)\\n", text)[1] for one in "AB")
        return " A" if len(a) > len(b) else " B"


class FirstJudge(RuleJudge):
    def fingerprint(self):
        return "first"

    def said(self, request):
        return " A"


class WritingJudge(RuleJudge):
    answers = frozenset({"Generate"})

    def fingerprint(self):
        return "writing"

    def run(self, requests):
        return [Generated(f"I say{self.said(request)}.", "stop") for request in requests]


class Mooner:
    answers = frozenset({"Generate"})
    provenance = {}

    def fingerprint(self):
        return "mooner"

    def load(self, device):
        return self

    def run(self, requests):
        return [Generated("moon", "stop") for request in requests]


class Mute(RuleJudge):
    answers = frozenset({"Embed"})


class Toy:
    answers = frozenset({"Generate"})
    provenance = {}

    def fingerprint(self):
        return "toy"

    def load(self, device):
        return self

    def run(self, requests):
        return [Generated(request.prompt.query, "stop") for request in requests]
"""

ANSWERS = ("sun", "sun", "a long rain", "snow")
"""What the toy model echoes; the right answers are these."""
RIGHT = ("sun", "moon", "rain", "snow")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "asking_fakes.py").write_text(textwrap.dedent(FAKES))
    (tmp_path / "task.yaml").write_text(TASK)
    rows = [{"question": said, "answer": right} for said, right in zip(ANSWERS, RIGHT, strict=True)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    yield tmp_path
    sys.modules.pop("asking_fakes", None)


@pytest.fixture
def catalogue(folder):
    plugins = Plugins(PluginChoice(files=("asking_fakes.py",), strict=True))
    return Catalogue(plugins, Assets(plugins.registry("source"), root=folder / "cache"))


def scores(catalogue, folder, *metrics, model="toy", task=TASK):
    listed = "".join(f"  - {name}\n" for name in metrics)
    (folder / "task.yaml").write_text(task.replace("metrics: [exact_match]\n", f"metrics:\n{listed}"))
    experiment = Experiment((Component(model),), (Component("task.yaml"),), (Component("zero-shot"),))
    fresh = Catalogue(catalogue.plugins, catalogue.assets, made=catalogue.made)
    with Store(str(folder / "results.db")) as store:
        (result,) = run_experiment(experiment, fresh, store)
    assert result.status == "finished", result.reason
    return result


def test_a_judge_rates_by_its_rubric(catalogue, folder):
    result = scores(catalogue, folder, "judge,model=fake-rule-judge", "judge,model=fake-writing-judge")
    assert [one.value for one in result.metrics.values()] == [3.5, 3.5]


def test_judgements_are_kept_and_nothing_is_asked_again(catalogue, folder):
    from asking_fakes import CALLS  # type: ignore[import-not-found]

    scores(catalogue, folder, "judge,model=fake-rule-judge")
    before = len(CALLS)
    assert before
    scores(catalogue, folder, "judge,model=fake-rule-judge", "judge_agreement,model=fake-rule-judge")
    assert len(CALLS) == before


def test_the_manifest_names_the_judge_its_fingerprint_and_its_rubric(catalogue, folder):
    result = scores(catalogue, folder, "judge,model=fake-rule-judge")
    manifest = result.manifest
    assert manifest["fake-rule-judge for metric judge,model=fake-rule-judge"].startswith("rules 1")
    assert manifest["rubric for metric judge,model=fake-rule-judge"].startswith("sha256:")
    (folder / "rubric.txt").write_text("{{ answer }} {{ scale }}:")
    own = scores(catalogue, folder, "judge,model=fake-first-judge,rubric=rubric.txt")
    assert own.trial.key == result.trial.key
    assert own.metrics["judge,model=fake-first-judge,rubric=rubric.txt"].value == 1.0


def test_agreement_tells_what_a_judge_is_worth(catalogue, folder):
    result = scores(
        catalogue,
        folder,
        "judge_agreement,model=fake-rule-judge",
        "judge_agreement,model=fake-first-judge",
        "judge_agreement,model=fake-rule-judge,threshold=2",
    )
    # The second always says one thing; so does the first with a threshold that all of its ratings reach.
    assert {name: one.value for name, one in result.metrics.items()} == {
        "judge_agreement,model=fake-rule-judge": 1.0,
        "judge_agreement,model=fake-first-judge": 0.0,
        "judge_agreement,model=fake-rule-judge,threshold=2": 0.0,
    }


def test_preferences_are_asked_in_both_orders(catalogue, folder):
    longer, first = "judge_preference,model=fake-rule-judge", "judge_preference,model=fake-first-judge"
    steady = "judge_consistency,model=fake-rule-judge"
    result = scores(catalogue, folder, longer, first, steady, "judge_consistency,model=fake-first-judge")
    # `sun` ties with `sun` and `snow` with `snow` (B twice), `sun` is shorter than `moon`, `a long rain` is longer.
    assert result.metrics[longer].value == (0.5 + 0 + 1 + 0.5) / 4
    assert result.metrics[first].value == 0.5
    pairs = ([0, 0, 1, 0], [1, 0, 1, 1])
    assert result.metrics[steady].value == pytest.approx(cohen_kappa_score(*pairs))
    assert result.metrics["judge_consistency,model=fake-first-judge"].value == 0.0


def test_what_can_not_judge_is_told_before_anything_runs(catalogue, folder):
    data = catalogue.task(Component("task.yaml"))
    with pytest.raises(ConfigError, match="'fake-mute' can't judge"):
        catalogue.metrics_of(data, asked=("judge,model=fake-mute",))
    with pytest.raises(ConfigError, match="'fake-rule-judge' embeds no texts"):
        catalogue.metrics_of(data, asked=("embedding_similarity,model=fake-rule-judge",))
    with pytest.raises(ParameterError, match="needs parameter 'model'"):
        catalogue.metrics(["judge"])
    with pytest.raises(ParameterError, match="can't be read: No such file"):
        catalogue.metrics(["judge,model=fake-rule-judge,rubric=nothing.txt"])
    (folder / "rubric.txt").write_text("{{ anwser }}")
    with pytest.raises(ParameterError, match="'anwser' is nothing it can name"):
        catalogue.metrics(["judge,model=fake-rule-judge,rubric=rubric.txt"])
    with pytest.raises(ParameterError, match="threshold=9 is no rating from 2 to 5"):
        catalogue.metrics(["judge_agreement,model=fake-rule-judge,threshold=9"])


# --- two trials ------------------------------------------------------------------------------------------

JUDGED = "judge,model=fake-rule-judge"


def calls():
    return len(Path("calls.log").read_text().splitlines())


class Done(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture
def two(catalogue, folder, monkeypatch, capsys):
    """Call the command line on two judged trials: of a model that echoes, and of one that always says the same."""
    metrics = (JUDGED, "judge_preference,model=fake-rule-judge", "judge_agreement,model=fake-rule-judge")
    for model in ("toy", "fake-mooner"):
        scores(catalogue, folder, *metrics, model=model)
    monkeypatch.setenv("HARNESS_CACHE", str(folder / "cache"))

    def called(*arguments):
        capsys.readouterr()
        status = call(["--plugin", "asking_fakes.py", *arguments, "--store", "results.db"])
        return Done(status, *capsys.readouterr())

    return called


def test_trials_are_compared_by_what_a_judge_has_said(two):
    before = calls()
    done = two("compare", "toy/zero-shot", "fake-mooner/zero-shot", "--format", "json")
    assert (done.status, calls()) == (0, before), done.err
    told = json.loads(done.out)
    judged, preferred, agreement = told["metrics"]
    # The rule rates 5 what equals its reference, else 2: two of the first model's answers, one of the second's.
    ratings = [np.array([5, 2, 2, 5]), np.array([2, 5, 2, 2])]
    reference = paired_means(*ratings)
    assert judged["difference"] == dataclasses.asdict(reference.difference)
    assert judged["p_value"] == reference.p_value
    assert (judged["a"]["value"], judged["b"]["value"]) == (3.5, 2.75)
    assert preferred["difference"]["value"] == 0.5 - 2.5 / 4  # `moon` is longer than `sun`
    assert (told["by"], told["better_a"], told["better_b"]) == (JUDGED, 2, 1)
    assert (agreement["a"]["value"], agreement["difference"]) == (1.0, None)
    assert told["notes"] == [f"{agreement['metric']} is not compared: {INCOMPARABLE}"]


def test_what_a_judge_would_have_to_be_asked_is_said_with_the_stored_scores(two, folder):
    before = calls()
    shutil.rmtree(folder / "cache")
    done = two("compare", "toy/zero-shot", "fake-mooner/zero-shot", "--format", "json")
    assert (done.status, calls()) == (0, before), done.err
    told = json.loads(done.out)
    assert [(one["a"]["value"], one["difference"]) for one in told["metrics"][:2]] == [(3.5, None), (0.5, None)]
    assert told["notes"][0] == (
        f"{JUDGED} is not compared: not all that model 'fake-rule-judge' would say of it is in the cache "
        "(`harness rescore` asks the model and keeps it)"
    )
    assert two("rescore").status == 0
    assert calls() > before
    again = json.loads(two("compare", "toy/zero-shot", "fake-mooner/zero-shot", "--format", "json").out)
    assert again["metrics"][0]["difference"]["value"] == 0.75


def test_a_gate_tests_by_judgements_and_says_where_they_are_missing(two, folder, caplog):
    assert two("gate", "--write", "baseline.json", "--no-latency").status == 0
    before = calls()
    done = two("gate", "baseline.json", "--no-latency", "--format", "json")
    assert (done.status, calls()) == (0, before), done.err
    found = json.loads(done.out)["checks"]
    verdicts = {one["what"]: one["verdict"] for one in found}
    assert verdicts == {
        JUDGED: "passed",
        "judge_preference,model=fake-rule-judge": "passed",
        "judge_agreement,model=fake-rule-judge": "not compared",
    }
    assert {one["said"] for one in found if one["verdict"] == "not compared"} == {INCOMPARABLE}
    shutil.rmtree(folder / "cache")
    gone = json.loads(two("gate", "baseline.json", "--no-latency", "--format", "json").out)["checks"]
    assert {one["verdict"] for one in gone} == {"not compared"}
    assert gone[0]["said"].startswith("not all that model 'fake-rule-judge' would say of it is in the cache")
    assert f"no tests by {JUDGED}: not all that model" in caplog.text
    assert calls() == before


def test_contexts_are_compared_by_judgements(catalogue, folder):
    rows = [
        {"question": said, "answer": right, "sky": sky}
        for said, right, sky in zip(ANSWERS, RIGHT, ("clear", "clear", "dull", "dull"), strict=True)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    of_contexts = TASK.replace("target: answer}", "target: answer}, context: sky")
    results = [scores(catalogue, folder, JUDGED, model=model, task=of_contexts) for model in ("toy", "fake-mooner")]
    fresh = Catalogue(catalogue.plugins, catalogue.assets, made=catalogue.made)
    with Store(str(folder / "results.db")) as store, fresh.models.only_kept():
        metrics = metrics_of(results[0], store, fresh)
        spec = specification(results[0].trial, store, fresh)
        found = compare(*results, StoredEvidence(store, fresh), metrics, spec)
    assert [(one.context, one.difference.value) for one in found.contexts] == [("clear", 0.0), ("dull", 1.5)]


# --- how far judges can be relied on -----------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=2, max_size=40))
@pytest.mark.filterwarnings("ignore")
def test_kappa_is_that_of_scikit_learn(pairs):
    first, second = [one for one, _ in pairs], [other for _, other in pairs]
    found = agreement(first, second, 3, None, "kappa")
    expected = cohen_kappa_score(first, second)
    if found is None:
        assert np.isnan(expected)
    else:
        assert found.value == pytest.approx(expected)
        assert found.low <= found.value <= found.high


def test_alpha_is_that_of_the_worked_example():
    first, second = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]  # Krippendorff 2011, A
    found = agreement(first, second, 2, None, "alpha")
    assert found.value == pytest.approx(0.095, abs=5e-4)
    table = np.array([[5.0, 3.0], [1.0, 1.0]])
    assert float(krippendorff_alpha(table)) == pytest.approx(found.value)
    assert cohen_kappa(np.stack([table, 2 * table])).tolist() == pytest.approx([cohen_kappa_score(first, second)] * 2)


@pytest.mark.model
def test_likeness_is_that_of_plain_transformers(catalogue, folder):
    import torch
    from transformers import AutoModel, AutoTokenizer

    assets = Assets(catalogue.plugins.registry("source"))
    real = Catalogue(catalogue.plugins, assets, made=folder / "made")
    found = scores(real, folder, "embedding_similarity").metrics["embedding_similarity"]
    where = str(real.model(Component("minilm-l6")).fetch())
    tokenizer, model = AutoTokenizer.from_pretrained(where), AutoModel.from_pretrained(where).eval()

    def vector(text):
        read = tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            mean = model(**read).last_hidden_state[0].mean(dim=0)
        return mean / mean.norm()

    expected = [float(vector(said) @ vector(right)) for said, right in zip(ANSWERS, RIGHT, strict=True)]
    assert found.value == pytest.approx(np.mean(expected), abs=1e-5)


@pytest.mark.model
def test_a_small_model_judges_and_the_agreement_says_how_badly(catalogue, folder):
    real = Catalogue(catalogue.plugins, Assets(catalogue.plugins.registry("source")), made=folder / "made")
    names = [f"{name},model=smollm2-135m" for name in ("judge", "judge_consistency", "judge_agreement")]
    found = scores(real, folder, *names)
    assert 1 <= found.metrics[names[0]].value <= 5
    told = [found.metrics.get(name) for name in names[1:]]
    assert all(one is None or one.value < 0.8 for one in told)
