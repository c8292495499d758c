"""Stored trials scored anew: further metrics under the old key, answers found in another way under a new one."""

import json

import pytest

from harness.assets import Assets
from harness.catalogue import Catalogue
from harness.errors import ModelError, ParameterError, UnknownNameError
from harness.plugins import PluginChoice, Plugins
from harness.records import Component, Experiment
from harness.replay import prepare, replay
from harness.rescoring import rescore
from harness.runner import run_experiment
from harness.store import Store
from harness.testing import ToyModel
from harness_metrics.matching import NumericMatch

TASK = """\
name: sums
kind: generation
data:
  files: {train: rows.jsonl, test: rows.jsonl}
  fields: {question: question, target: answer}
prompt: {template: "{{ question }}"}
"""
FIRST, LAST = "extract: {type: number}\n", "extract: {type: number, take: last}\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A task in the current folder: the toy model writes the question, whose last number is the answer."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "task.yaml").write_text(TASK + FIRST)
    rows = [{"question": f"is it {n} or {n + 1}", "answer": str(n + 1)} for n in range(9)]
    rows.append({"question": "is it 7", "answer": "7"})
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


@pytest.fixture
def store(folder):
    with Store(str(folder / "results.db")) as opened:
        yield opened


def afresh(folder, faulty_parts) -> Catalogue:
    plugins = Plugins(PluginChoice(files=(faulty_parts,), strict=True))
    return Catalogue(plugins, Assets(plugins.registry("source"), root=folder / "cache"))


def run(folder, faulty_parts, store, strategy="zero-shot"):
    experiment = Experiment((Component("toy"),), (Component("task.yaml"),), (strategy_of(strategy),))
    return run_experiment(experiment, afresh(folder, faulty_parts), store)[0]


def strategy_of(text: str) -> Component:
    from harness.components import parse_component

    return parse_component(text)


def edited(folder, extract: str) -> None:
    (folder / "task.yaml").write_text(TASK + extract)


def unasked(monkeypatch) -> None:
    def load(self, device):
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(ToyModel, "load", load)


def test_a_corrected_extraction_gives_what_a_run_gives(folder, faulty_parts, store, monkeypatch):
    before = run(folder, faulty_parts, store)
    assert before.metrics["exact_match"].value == 0.1
    edited(folder, LAST)
    with monkeypatch.context() as patched:
        unasked(patched)
        (found,) = rescore([before], store, afresh(folder, faulty_parts))
        again = run(folder, faulty_parts, store)
    assert (found.done, found.changed, found.after.metrics["exact_match"].value) == ("extraction", 9, 1.0)
    assert again.trial.key == found.after.trial.key != before.trial.key
    assert again.cached
    with Store(str(folder / "run.db")) as other:
        ran = run(folder, faulty_parts, other)
        assert ran.trial.key == found.after.trial.key
        assert list(other.predictions(ran.trial.key)) == list(store.predictions(found.after.trial.key))
    assert ran.metrics == found.after.metrics


def test_what_the_answers_were_is_kept_and_told(folder, faulty_parts, store):
    before = run(folder, faulty_parts, store)
    answers = [one.prediction for one in store.predictions(before.trial.key)]
    edited(folder, LAST)
    (found,) = rescore([before], store, afresh(folder, faulty_parts))
    after = found.after
    assert [one.prediction for one in store.predictions(before.trial.key)] == answers
    assert after.manifest["rescored from"] == before.trial.key
    assert json.loads(after.details["rescored"]["extract"])["take"] == "first"
    assert before.trial.key[:12] in after.notes[-1]
    assert after.costs == before.costs
    assert store.progress(after.trial.key).timings == store.progress(before.trial.key).timings
    prepared = prepare(store, after.trial.key, afresh(folder, faulty_parts))
    replayed = replay(prepared, store, afresh(folder, faulty_parts))
    assert replayed.reproduced
    assert not replayed.changes


def test_a_pipeline_takes_the_place_of_a_pattern(folder, faulty_parts, store):
    before = run(folder, faulty_parts, store)
    edited(folder, "extract: {steps: [{after: or}, number]}\n")
    (found,) = rescore([before], store, afresh(folder, faulty_parts))
    assert found.after.metrics["exact_match"].value == 0.9
    assert found.after.coverage.unparsed == 1


def test_further_metrics_stay_with_the_trial(folder, faulty_parts, store, monkeypatch):
    before = run(folder, faulty_parts, store)
    unasked(monkeypatch)
    (found,) = rescore([before], store, afresh(folder, faulty_parts), asked=("numeric_match,absolute=1",))
    assert (found.done, found.after.trial.key) == ("metrics", before.trial.key)
    assert {name: one.value for name, one in found.after.metrics.items()} == {
        "exact_match": 0.1,
        "numeric_match,absolute=1": 1.0,
    }
    assert run(folder, faulty_parts, store).metrics == found.after.metrics
    edited(folder, FIRST + "metrics: [squad_f1]\n")
    assert list(run(folder, faulty_parts, store).metrics) == ["squad_f1", "numeric_match,absolute=1"]


def test_metrics_need_neither_the_model_nor_the_prompt_of_then(folder, faulty_parts, store, monkeypatch):
    before = run(folder, faulty_parts, store)
    (folder / "task.yaml").write_text(TASK.replace("{{ question }}", "Q: {{ question }}") + FIRST)

    def gone(self):
        raise ModelError("its weights are gone")

    monkeypatch.setattr(ToyModel, "fingerprint", gone)
    (found,) = rescore([before], store, afresh(folder, faulty_parts), asked=("squad_em",))
    assert list(found.after.metrics) == ["exact_match", "squad_em"]
    edited(folder, LAST)
    (found,) = rescore([before], store, afresh(folder, faulty_parts))
    assert found.reason == "its weights are gone"


def test_a_metric_that_fails_leaves_the_trial_as_it_was(folder, faulty_parts, store, monkeypatch):
    before = run(folder, faulty_parts, store)

    def fail(self, found, spec):
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr(NumericMatch, "values", fail)
    (found,) = rescore([before], store, afresh(folder, faulty_parts), asked=("numeric_match",))
    assert (found.done, found.reason) == ("refused", "a metric failed: ZeroDivisionError: a fault")
    assert store.results(keys=[before.trial.key])[0].metrics == before.metrics


def test_a_file_elsewhere_may_correct_the_task(folder, faulty_parts, store):
    before = run(folder, faulty_parts, store)
    other = folder / "corrected.yaml"
    other.write_text(TASK + LAST)
    (found,) = rescore([before], store, afresh(folder, faulty_parts), task=Component(str(other)))
    assert found.after.metrics["exact_match"].value == 1.0
    other.write_text(TASK.replace("sums", "others") + LAST)
    (found,) = rescore([before], store, afresh(folder, faulty_parts), task=Component(str(other)))
    assert "defines others, not sums" in found.reason


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (
            lambda text: text.replace("{{ question }}", "Q: {{ question }}"),
            "prompt.input|prompt.template",
        ),
        (lambda text: text + "generation: {max_tokens: 5}\n", "generation"),
    ],
)
def test_more_than_extraction_is_refused(folder, faulty_parts, store, edit, reason):
    before = run(folder, faulty_parts, store)
    (folder / "task.yaml").write_text(edit(TASK) + LAST)
    (found,) = rescore([before], store, afresh(folder, faulty_parts))
    assert found.done == "refused"
    assert any(part in found.reason for part in reason.split("|"))


def test_votes_of_texts_that_are_not_stored_are_refused(folder, faulty_parts, store):
    several = "generation: {n: 3, temperature: 0.5}\n"
    edited(folder, FIRST + several)
    before = run(folder, faulty_parts, store)
    edited(folder, LAST + several)
    (found,) = rescore([before], store, afresh(folder, faulty_parts))
    assert found.reason == "each answer is voted by 3 texts, of which one is stored"


def test_a_strategy_decides_in_its_own_way(folder, faulty_parts, store):
    before = run(folder, faulty_parts, store, "chain-of-thought,marker=or,options=no")
    edited(folder, LAST)
    (found,) = rescore([before], store, afresh(folder, faulty_parts))
    assert found.done == "extraction"
    with Store(str(folder / "run.db")) as other:
        ran = run(folder, faulty_parts, other, "chain-of-thought,marker=or,options=no")
        assert list(other.predictions(ran.trial.key)) == list(store.predictions(found.after.trial.key))


def test_a_metric_without_a_value_is_told(folder, faulty_parts, store):
    before = run(folder, faulty_parts, store)
    (found,) = rescore([before], store, afresh(folder, faulty_parts), asked=("mcc", "squad_em"))
    assert found.lacking == ("mcc",)


def test_a_score_without_repeated_samples_is_made_again(catalogue, tmp_path):
    experiment = Experiment((Component("tfidf-lr"),), (Component("toy"),), (Component("finetune"),))
    with Store(str(tmp_path / "toy.db")) as store:
        (before,) = run_experiment(experiment, catalogue, store)
        assert before.clean is not None
        (found,) = rescore([before], store, catalogue, asked=("mcc",))
    assert found.after.clean == before.clean


def test_metrics_that_are_not_there_are_told_before_anything_is_done(folder, faulty_parts, store):
    before = run(folder, faulty_parts, store)
    with pytest.raises(UnknownNameError):
        rescore([before], store, afresh(folder, faulty_parts), asked=("blue",))
    with pytest.raises(ParameterError):
        rescore([before], store, afresh(folder, faulty_parts), asked=("f1,lable=x",))


def test_a_metric_of_each_label_stands_under_its_own_name(catalogue):
    data = catalogue.task(Component("toy"))
    found = catalogue.metrics_of(data, asked=("per_class_f1", "f1,average=micro"))
    assert list(found) == ["accuracy", "f1,label=warm", "f1,label=cold", "f1,average=micro"]
    assert all(isinstance(one.higher_is_better, bool) for one in found.values())
    assert catalogue.known_metrics(["f1,label=warm", "exact_match,strict-match", "nothing", "f1,labl=x"]) == [
        "f1,label=warm"
    ]
