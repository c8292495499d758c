"""Linear probes: equal to scikit-learn, and good where a line is enough."""

import json
import math
from collections import Counter

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

import harness
from harness.assets import Assets
from harness.catalogue import Catalogue
from harness.embeddings import FrozenEmbedder
from harness.errors import ModelError, PluginError, TrainingError
from harness.interfaces import Setting
from harness.plugins import Plugins
from harness.preview import preview
from harness.records import (
    Classify,
    Component,
    Embed,
    Embedded,
    Generate,
    Prompt,
    PromptSpec,
    Sample,
    TaskSpec,
    Usage,
)
from harness.taskdata import TaskData
from harness.testing import ToyModel, ToyTask, check_strategy
from harness_strategies import probing
from harness_strategies.probe import STRENGTHS
from harness_strategies.probing import LinearProbe

LABELS = ("a", "b", "c")
SPEC = TaskSpec(
    "planted", "classification", PromptSpec("{{ text }}", input="{{ text }}"), {label: f" {label}" for label in LABELS}
)


class FakeEmbedder:
    """A text of numbers is its vector; counts the texts that it is asked for."""

    answers = frozenset({"Embed"})

    def __init__(self):
        self.asked, self.provenance = 0, {"device": "fake"}

    def fingerprint(self):
        return "fake"

    def load(self, device):
        return self

    def run(self, requests):
        self.asked += len(requests)
        return [Embedded(tuple(json.loads(request.text)), Usage(3)) for request in requests]


class Planted:
    """Three clouds in 12 dimensions of different scales."""

    spec = SPEC

    def __init__(self, *, spread=1.0, validation=60, train=150, labels=LABELS):
        self.sizes = {"train": train, "validation": validation, "test": 150}
        self.spread, self.labels = spread, labels

    def samples(self, split):
        rng = np.random.default_rng(list(self.sizes).index(split))
        centres = np.random.default_rng(9).normal(size=(3, 12)) * 2
        scales = np.logspace(-2, 2, 12)
        labels = LABELS if split == "test" else self.labels
        found = []
        for n in range(self.sizes[split]):
            label = labels[n % len(labels)]
            point = (centres[LABELS.index(label)] + rng.normal(size=12) * self.spread) * scales
            found.append(Sample(f"{split}-{n}", {"text": json.dumps(point.astype("f4").tolist())}, label))
        return found


def probed(folder, task, *, model=None, seed=0, **parameters):
    strategy = LinearProbe(**parameters)
    view = TaskData(task).view("test", strategy.reads)
    return strategy.adapt(model or FakeEmbedder(), view, Setting(seed, "cpu", folder))


def arrays(task, split):
    samples = task.samples(split)
    return np.array([json.loads(s.fields["text"]) for s in samples], np.float32), [s.target for s in samples]


def answers(adapted, task):
    asked = [adapted.requests(sample)[0] for sample in task.samples("test")]
    return np.array([response.log_probs for response in adapted.trained.engine.run(asked)])


def accuracy(adapted, task):
    found = answers(adapted, task).argmax(-1)
    return np.mean([LABELS[at] == sample.target for at, sample in zip(found, task.samples("test"), strict=True)])


def strength_of(adapted):
    return float(adapted.trained.notes[0].split()[2].rstrip(","))


def test_it_equals_scikit_learn_and_the_c_is_the_best_on_validation_rows(tmp_path):
    task = Planted(spread=3.0)
    (train, targets), (held_out, truth), (test, _) = (arrays(task, split) for split in ("train", "validation", "test"))
    scaler = StandardScaler().fit(train.astype("f8"))
    fitted = {
        c: LogisticRegression(C=c, max_iter=2000).fit(scaler.transform(train.astype("f8")), targets) for c in STRENGTHS
    }
    losses = {c: log_loss(truth, one.predict_proba(scaler.transform(held_out))) for c, one in fitted.items()}
    best = min(losses, key=losses.get)
    adapted = probed(tmp_path, task)
    assert strength_of(adapted) == best
    assert adapted.trained.notes[0].endswith("chosen on the validation rows")
    expected = fitted[best].predict_log_proba(scaler.transform(test.astype("f8")))
    np.testing.assert_allclose(answers(adapted, task), expected, atol=1e-5)


def test_two_labels_equal_scikit_learn_too(tmp_path):
    class Two(Planted):
        spec = TaskSpec("two", "classification", SPEC.prompt, {"a": " a", "b": " b"})

        def samples(self, split):
            return [sample for sample in super().samples(split) if sample.target != "c"]

    task = Two(spread=3.0)
    adapted = probed(tmp_path, task)
    (train, targets), (test, _) = arrays(task, "train"), arrays(task, "test")
    scaler = StandardScaler().fit(train.astype("f8"))
    fitted = LogisticRegression(C=strength_of(adapted), max_iter=2000).fit(
        scaler.transform(train.astype("f8")), targets
    )
    expected = fitted.predict_log_proba(scaler.transform(test.astype("f8")))
    np.testing.assert_allclose(answers(adapted, task), expected, atol=1e-5)


def test_clouds_apart_are_told_apart_with_and_without_validation_rows(tmp_path):
    assert accuracy(probed(tmp_path, Planted()), Planted()) >= 0.95
    few = probed(tmp_path, Planted(validation=0), train_size=24)
    assert accuracy(few, Planted()) >= 0.95
    assert few.trained.notes[0].endswith("chosen over 5 folds of the training rows")
    assert few.notes == ("24 training rows, 0 validation rows: 24 labels",)
    one_each = probed(tmp_path, Planted(validation=0), train_size=3)
    assert one_each.trained.notes[0] == "C = 0.01, not chosen: a label has a single training row"


def test_the_draw_is_seeded_and_stratified(tmp_path, monkeypatch):
    seen = []
    embed = FrozenEmbedder.embed
    monkeypatch.setattr(FrozenEmbedder, "embed", lambda self, texts: seen.append(texts) or embed(self, texts))
    for seed in (0, 0, 1):
        probed(tmp_path, Planted(validation=0), train_size=30, seed=seed)
    assert seen[0] == seen[1] != seen[2]
    targets = {sample.fields["text"]: sample.target for sample in Planted().samples("train")}
    assert Counter(targets[text] for text in seen[2]) == {"a": 10, "b": 10, "c": 10}


def test_training_rows_are_embedded_once_and_answers_always_anew(tmp_path):
    first, second = FakeEmbedder(), FakeEmbedder()
    before = probed(tmp_path, Planted(), model=first)
    again = probed(tmp_path, Planted(), model=second)
    assert (first.asked, second.asked) == (210, 0)
    assert any("210 embeddings were kept" in note for note in again.trained.notes)
    assert not any("were kept" in note for note in before.trained.notes)
    for _ in range(2):
        answers(again, Planted())
    assert second.asked == 300


def test_a_label_without_training_rows_is_possible_and_never_the_likeliest(tmp_path):
    task = Planted(labels=("a", "c"), train=60)
    found = answers(probed(tmp_path, task), task)
    np.testing.assert_allclose(np.exp(found).sum(-1), 1)
    np.testing.assert_allclose(found[:, 1], math.log(1 / 63))
    np.testing.assert_allclose(log_softmax(found[:, [0, 2]], -1)[:, 0], found[:, 0] - math.log(62 / 63))


def test_rows_of_one_label_are_refused(tmp_path):
    with pytest.raises(TrainingError, match="all 20 training rows are 'b'"):
        probed(tmp_path, Planted(labels=("b",), train=20))


def test_a_solver_that_does_not_end_is_said(tmp_path):
    assert "not converged after 1 iterations" in probed(tmp_path, Planted(spread=3.0), max_iter=1).trained.notes


def test_it_refuses_what_it_cannot_do():
    assert LinearProbe().refuses(ToyModel(), ToyTask.spec) == "the model gives no embeddings"
    generation = TaskSpec("t", "generation", PromptSpec("{{ text }}"))
    assert LinearProbe().refuses(FakeEmbedder(), generation) == "only labels and numbers are probed, not generation"


def test_without_scikit_learn_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(probing, "find_spec", lambda name: None)
    with pytest.raises(PluginError, match="needs scikit-learn"):
        LinearProbe()


def test_its_engine_only_classifies_by_the_labels_it_knows(tmp_path):
    engine = probed(tmp_path, Planted()).trained.engine
    text = Planted().samples("test")[0].fields["text"]
    both, turned = engine.run([Classify(text, LABELS), Classify(text, LABELS[::-1])])
    assert both.log_probs == turned.log_probs[::-1]
    assert both.usage.prompt_tokens == 3
    assert engine.run([]) == []
    with pytest.raises(ModelError, match="only classifies"):
        engine.run([Generate(Prompt("?"))])
    with pytest.raises(ModelError, match="label 'd'"):
        engine.run([Classify(text, ("a", "d"))])
    assert set(engine.provenance) == {"device", "scikit-learn"}


def test_it_keeps_the_contract_of_strategies():
    check_strategy(LinearProbe(), model=FakeEmbedder(), task=Planted())


def test_it_is_shown_without_a_model_being_asked(catalogue):
    shown = preview(catalogue, "toy", strategy="linear-probe,train_size=6", count=1)
    assert shown.notes == ("6 training rows, 6 validation rows: 12 labels",)
    assert [(request.kind, request.text) for request in shown.samples[0].requests] == [
        ("Classify", "test 0: the snow falls")
    ]


def test_it_reads_contexts_where_it_is_given_them(tmp_path):
    class Lengths(FakeEmbedder):
        texts = ()

        def run(self, requests):
            self.texts += tuple(request.text for request in requests)
            return [Embedded((float(len(request.text)),)) for request in requests]

    catalogue = Catalogue(Plugins(), Assets(Plugins().registry("source")))
    given = Component("context", None, {"of": "linear-probe", "train_size": "8"})
    model, strategy = Lengths(), catalogue.strategy(given)
    view = TaskData(ToyTask()).view("test", strategy.reads)
    adapted = strategy.adapt(model, view, Setting(0, "cpu", tmp_path))
    assert {text.partition(": ")[0] for text in model.texts} == {"day", "night"}
    assert adapted.requests(ToyTask().samples("test")[0])[0].text == "night: test 0: the snow falls"
    assert strategy.baselines[0] == Component("linear-probe", None, {"train_size": "8"})


@pytest.mark.model
def test_kept_embeddings_are_the_engines(assets, tmp_path):
    model = Catalogue(Plugins(), assets).model(Component("minilm-l6"))
    texts = ["The film was a joy.", "Shares fell by 12% after the bank's warning.", "goal"]
    embedder = FrozenEmbedder(model, Setting(0, "cpu", tmp_path))
    fresh = embedder.embed(texts)
    kept = FrozenEmbedder(model, Setting(0, "cpu", tmp_path)).embed(texts)
    np.testing.assert_array_equal(kept.vectors, fresh.vectors)
    assert kept.kept == 3
    direct = [response.vector for response in embedder.engine.run([Embed(text) for text in texts])]
    np.testing.assert_array_equal(fresh.vectors, np.array(direct, np.float32))


@pytest.mark.model
@pytest.mark.timeout(1800)  # 2,225 articles through the encoder: minutes, more on a machine that is busy
def test_minilm_on_news_reaches_its_mark(tmp_path):
    """Row 4 of docs/systems.md."""
    (result,) = harness.run(
        "minilm-l6,max_length=128",
        "bbc-news",
        "linear-probe",
        store=str(tmp_path / "results.db"),
        scenarios=["single-stream,samples=5"],
    )
    assert result.status == "finished"
    assert result.metrics["accuracy"].value >= 0.95
    assert result.costs.train_s > 0
