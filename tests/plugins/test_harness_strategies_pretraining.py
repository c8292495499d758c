"""`pretrain`: which texts it reads and never reads, what it is composed with, what it tells; and whole runs."""

import dataclasses
import json
import random

import pytest
import torch
import transformers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import harness
from harness.assets import Assets
from harness.catalogue import Catalogue
from harness.components import parse_component
from harness.declared import reads
from harness.errors import DataError, ParameterError, TrainingError, UsageError
from harness.interfaces import Pretrained, Setting, Trained
from harness.plugins import Plugins
from harness.preview import preview
from harness.records import Component, LabelBudget, PromptSpec, Sample, TaskSpec
from harness.sampling import normalised
from harness.taskdata import TaskData
from harness.testing import ToyModel, ToyTask, check_strategy

CATALOGUE = Catalogue(Plugins(), Assets(Plugins().registry("source")))
SPEC = TaskSpec("rows", "classification", PromptSpec("Q: {{ text }}\nA:", input="[{{ text }}]"), {"a": " a", "b": " b"})


def strategy(text):
    """The strategy as the catalogue makes it."""
    return CATALOGUE.strategy(parse_component(text))


class Rows:
    """A task of given texts: split -> texts."""

    spec = SPEC

    def __init__(self, **splits):
        self._splits = splits

    def samples(self, split):
        return [
            Sample(f"{split}-{at}", {"text": text}, "ab"[at % 2]) for at, text in enumerate(self._splits.get(split, ()))
        ]


class Recorder(ToyModel):
    """Keeps the jobs that it is given; what comes of pre-training is another model with the same notebook."""

    answers = frozenset({"LogLikelihood", "Embed"})
    methods = frozenset({"head", "lora", "prompt"})

    def __init__(self, jobs=None, name="toy"):
        self.jobs, self.name, self.loads = [] if jobs is None else jobs, name, 0

    def fingerprint(self):
        return self.name

    def load(self, device):
        self.loads += 1
        return self

    def cannot_pretrain(self):
        return None

    def pretrain(self, job):
        self.jobs.append(job)
        return Pretrained(Recorder(self.jobs, "further"), 2.0, 9.0, 4.5, "tokens", 7, ("so many steps",))

    def train(self, job):
        self.jobs.append(dataclasses.replace(job, hyperparameters={"trained by": self.name}))
        return Trained(self, 3.0, ("trained",))


TASK = Rows(train=[f"train {at}" for at in range(20)], validation=["one", "two", "three"], test=["test 0", "test 1"])


def adapted(text, tmp_path, task=TASK, model=None, seed=0, **changes):
    made, model = strategy(text), model or Recorder()
    found = made.adapt(model, TaskData(task).view("test", reads(made)), Setting(seed, "cpu", tmp_path, **changes))
    return found, model.jobs


# --- which texts -------------------------------------------------------------------------------------


def test_the_training_rows_inputs_are_learnt_and_the_validation_rows_measured(tmp_path):
    found, (job,) = adapted("pretrain", tmp_path)
    assert job.texts == [f"[train {at}]" for at in range(20)]
    assert job.held_out == ["[one]", "[two]", "[three]"]
    assert found.budget == LabelBudget(unlabelled=23)
    assert found.trained.train_s == 2.0
    assert found.trained.engine.provenance == {"device": "none"}
    assert found.trained.notes == (
        "pre-trained on 20 texts: perplexity 9.00 before and 4.50 after, on 7 tokens of 3 validation texts",
        "so many steps",
    )
    assert found.details["pretraining"]["perplexity"] == {"before": 9.0, "after": 4.5, "tokens": 7, "measure": "tokens"}
    assert job.hyperparameters["mask"] == 0.15
    assert job.folder.parent == tmp_path / "checkpoints"


def test_without_validation_rows_a_seeded_tenth_is_held_out(tmp_path):
    task = Rows(train=[f"train {at}" for at in range(40)], test=["x"])
    jobs = [adapted("pretrain", tmp_path, task, seed=seed)[1][0] for seed in (0, 0, 1)]
    for job in jobs:
        assert len(job.held_out) == 4
        assert sorted([*job.texts, *job.held_out]) == sorted(f"[train {at}]" for at in range(40))
    assert jobs[0] == jobs[1] != jobs[2]


def test_so_many_texts_are_drawn_by_the_seed_and_measured_on(tmp_path):
    found, (job,) = adapted("pretrain,pretrain_texts=2", tmp_path)
    assert len(job.texts) == len(job.held_out) == 2
    assert set(job.texts) <= {f"[train {at}]" for at in range(20)}
    assert found.budget == LabelBudget(unlabelled=4)
    draws = {tuple(adapted("pretrain,pretrain_texts=2", tmp_path, seed=seed)[1][0].texts) for seed in range(8)}
    assert len(draws) > 1
    assert adapted("pretrain,pretrain_texts=99", tmp_path)[1][0].texts == [f"[train {at}]" for at in range(20)]


def test_no_text_is_measured_on_that_is_trained_on(tmp_path):
    task = Rows(train=["a fine day", "rain"], validation=["A fine day!", "snow"], test=["x"])
    assert adapted("pretrain", tmp_path, task)[1][0].held_out == ["[snow]"]


def test_too_few_texts_are_an_error(tmp_path):
    with pytest.raises(TrainingError, match="the training rows have 1 texts: too few"):
        adapted("pretrain", tmp_path, Rows(train=["one"], test=["x"]))


LONG = "a text of more than eight words that is scored in the end"


def test_texts_of_a_file_are_learnt_but_for_those_that_repeat_or_hold_a_scored_one(tmp_path):
    file = tmp_path / "domain.jsonl"
    kept = ["Something else.", "test 10", f"{LONG}er", "  two\nlines "]
    left_out = ["test 0", "TEST 1!", "[test 0]", LONG.upper(), f"Before it: {LONG}. And behind it."]
    file.write_text("\n".join(json.dumps({"text": text}) for text in (*kept, *left_out)))
    task = Rows(train=["never read"], validation=["one"], test=["test 0", "test 1", LONG])
    found, (job,) = adapted(f"pretrain,on={file}", tmp_path, task)
    assert job.texts == [text.strip() for text in kept]
    assert found.budget == LabelBudget(unlabelled=1)  # the validation row
    assert reads(strategy(f"pretrain,on={file}")) == {"prompt", "validation"}


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.text("ab !", min_size=1, max_size=4), min_size=2, max_size=9),
    st.lists(st.text("ab !", min_size=1, max_size=4), min_size=1, max_size=4),
)
def test_no_scored_text_is_learnt_from_a_file(tmp_path, texts, scored):
    file = tmp_path / "t.jsonl"
    file.write_text("\n".join(json.dumps({"text": text}) for text in (*texts, *scored, "c", "d")))
    _, (job,) = adapted(f"pretrain,on={file}", tmp_path, Rows(test=scored))
    hidden = {normalised(text) for text in scored}
    assert not hidden & {normalised(text) for text in (*job.texts, *job.held_out)}
    assert {"c", "d"} <= {*job.texts, *job.held_out}


def test_a_file_of_nothing_but_scored_texts_is_an_error(tmp_path):
    (tmp_path / "t.txt").write_text("test 0\n \ntest 1")
    with pytest.raises(TrainingError, match="the file, without those that repeat scored rows, have 0 texts"):
        adapted(f"pretrain,on={tmp_path / 't.txt'}", tmp_path)


def test_what_a_file_holds_is_part_of_the_strategy_and_a_missing_one_is_said(tmp_path):
    file = tmp_path / "t.txt"
    file.write_text("one")
    before = strategy(f"pretrain,on={file}")
    file.write_text("two")
    assert strategy(f"pretrain,on={file}") != before
    with pytest.raises(DataError, match=r"nowhere.txt: can't read the texts"):
        strategy("pretrain,on=nowhere.txt")
    file.write_text(" \n\n ")
    with pytest.raises(DataError, match="the file has no texts"):
        adapted(f"pretrain,on={file}", tmp_path)


# --- composed ----------------------------------------------------------------------------------------


def test_another_strategy_trains_what_comes_of_it_and_seconds_add_up(tmp_path):
    found, (_, job) = adapted("pretrain,of=lora,train_size=8,r=4", tmp_path)
    assert job.method == "lora"
    assert job.hyperparameters == {"trained by": "further"}
    assert found.trained.train_s == 5.0
    assert found.trained.notes[-1] == "trained"
    assert found.budget == LabelBudget(8, 3, unlabelled=12)  # of 20 rows 8 with their labels


def test_its_engine_is_loaded_once_and_asked(tmp_path):
    model = Recorder()
    found, _ = adapted("pretrain,calibrate=batch", tmp_path, model=model)
    assert model.loads == 0
    assert found.trained.engine.provenance == {"device": "none"}
    assert any(note.startswith("calibrated on") for note in found.notes)


def test_contexts_stand_in_its_texts_where_it_is_given_them_and_not_where_it_gives_them(tmp_path):
    _, (given_them,) = adapted("context,of=pretrain", tmp_path, ToyTask())
    _, (gives_them,) = adapted("pretrain,of=context", tmp_path, ToyTask())
    assert {text.partition(": ")[0] for text in given_them.texts} == {"day", "night"}
    assert {text.partition(" ")[0] for text in gives_them.texts} == {"train"}
    asked, _ = adapted("pretrain,of=context", tmp_path, ToyTask())
    assert asked.requests(ToyTask().samples("test")[0])[0].prompt.query.startswith("night: ")


def test_what_it_declares_is_what_it_and_the_other_one_need():
    made = strategy("pretrain,of=few-shot,select=knn,encoder=minilm-l6,k=2")
    assert reads(made) == {"prompt", "train", "validation"}
    assert made.models == (Component("minilm-l6"),)
    assert made.baseline == Component("few-shot", None, {"select": "knn", "encoder": "minilm-l6", "k": "2"})
    assert not made.control
    assert strategy("pretrain,of=context,shuffle=yes").control
    with pytest.raises(ParameterError, match="strategy 'zero-shot' has no parameter 'epochs'"):
        strategy("pretrain,epochs=3")
    with pytest.raises(UsageError, match="itself: pretrain of context of pretrain"):
        strategy("pretrain,of=context+pretrain")


def test_pairs_that_cannot_work_are_refused_in_words():
    assert strategy("pretrain").refuses(ToyModel(), SPEC) == "the model's pre-training can't go on"
    assert "only labels, numbers, entities" in strategy("pretrain,of=lora").refuses(
        Recorder(), dataclasses.replace(SPEC, kind="generation")
    )


def test_it_is_shown_without_training(tmp_path):
    found, jobs = adapted("pretrain", tmp_path, dry=True)
    assert jobs == []
    assert found.notes[-1] == "its pre-training would go on with 20 texts first"


@pytest.mark.parametrize("text", ["pretrain", "pretrain,of=few-shot,k=2", "pretrain,of=finetune"])
def test_it_keeps_the_contract(text):
    check_strategy(strategy(text), model=Recorder())


# --- whole runs --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A task whose labels hang on one word, and a file of other texts that say the label behind it, as prompts do."""
    folder, rng = tmp_path_factory.mktemp("planted"), random.Random(0)
    signs = {"sport": ("match", "two"), "business": ("shares", "one")}

    def text(label):
        words = rng.choices(["the", "was", "a", "on", "film", "phone", "bank", "first"], k=7)
        words.insert(rng.randrange(8), signs[label][0])
        return " ".join(words)

    labels = [("sport", "business")[number % 2] for number in range(160)]
    (folder / "planted.csv").write_text("\n".join(["text,label", *(f"{text(label)},{label}" for label in labels)]))
    domain = [json.dumps({"text": f"{text(label)} is {signs[label][1]}"}) for label in labels * 3]
    (folder / "domain.jsonl").write_text("\n".join(domain))
    (folder / "planted.yaml").write_text(
        """
name: planted
kind: classification
data:
  files: planted.csv
  splits: {train: 0.3, validation: 0.2, test: 0.5}
  fields: {text: text, target: label}
labels: {sport: " two", business: " one"}
prompt:
  template: "{{ text }} is"
  input: "{{ text }}"
"""
    )
    return folder


PLAN = "pretrain_learning_rate=0.005,pretrain_epochs=4"


def test_texts_that_say_the_answers_teach_a_causal_model_to_be_prompted(planted, tiny_checkpoint, tmp_path):
    ours = f"pretrain,on={planted / 'domain.jsonl'},{PLAN}"
    plain, learned = harness.run(
        f"hf:{tiny_checkpoint('llama')}",
        str(planted / "planted.yaml"),
        ["zero-shot", ours],
        store=str(tmp_path / "r.db"),
        scenarios=(),
    )
    assert 0.3 <= plain.metrics["accuracy"].value <= 0.7
    assert learned.metrics["accuracy"].value >= 0.95
    assert learned.trial.baselines == {"zero-shot": plain.trial.key}
    told = learned.details["pretraining"]
    assert told["perplexity"]["after"] < 0.5 * told["perplexity"]["before"]
    assert learned.costs.train_s == told["train_s"] > 0
    assert any(note.startswith("pre-trained on 480 texts: perplexity") for note in learned.notes)


def test_a_masked_model_goes_on_with_the_tasks_texts_and_is_trained_afterwards(planted, tiny_checkpoint, tmp_path):
    folder = tmp_path / "masked"
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_checkpoint("bert"))
    tokenizer.add_special_tokens({"mask_token": "[MASK]"})
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
    config = transformers.BertConfig(vocab_size=300, max_position_embeddings=64, initializer_range=0.2, **shape)
    transformers.BertForMaskedLM(config).save_pretrained(folder)
    given = [f"pretrain,of={one},{PLAN}" for one in ("linear-probe", "lora,epochs=2", "finetune,epochs=2")]
    results = harness.run(
        f"hf:{folder}", str(planted / "planted.yaml"), given, store=str(tmp_path / "r.db"), scenarios=()
    )
    assert [one.status for one in results] == ["finished"] * 3
    found = [one.details["pretraining"] for one in results]
    assert found[0] == found[1] == found[2]  # the same texts are learnt once
    assert found[0]["perplexity"]["after"] < 0.7 * found[0]["perplexity"]["before"]
    assert all(one.costs.train_s > found[0]["train_s"] for one in results)


def test_training_that_diverges_ends_its_trial_and_no_other(planted, tiny_checkpoint, tmp_path):
    given = ["zero-shot", "pretrain,pretrain_learning_rate=1e30,pretrain_epochs=3", f"pretrain,{PLAN}"]
    plain, diverged, fine = harness.run(
        f"hf:{tiny_checkpoint('llama')}",
        str(planted / "planted.yaml"),
        given,
        store=str(tmp_path / "r.db"),
        scenarios=(),
    )
    assert (plain.status, diverged.status, fine.status) == ("finished", "failed", "finished")
    assert "lower" in diverged.reason


def test_a_model_that_cannot_go_on_stands_in_the_table_with_the_reason(planted, tiny_checkpoint, tmp_path):
    (refused,) = harness.run(
        f"hf:{tiny_checkpoint('bert')}",
        str(planted / "planted.yaml"),
        "pretrain,of=linear-probe",
        store=str(tmp_path / "r.db"),
        scenarios=(),
    )
    assert refused.status == "not-applicable"
    assert "no masked-LM head" in refused.reason


def test_the_commands_show_it(planted, tiny_checkpoint, empty_assets):
    catalogue = Catalogue(Plugins(), empty_assets)
    shown = preview(catalogue, str(planted / "planted.yaml"), strategy="pretrain", count=1)
    assert shown.notes == ("its pre-training would go on with 48 texts first",)
    assert shown.samples[0].requests[0].kind == "LogLikelihood"


@pytest.mark.model
def test_a_real_model_goes_on_and_is_prompted(assets, tmp_path):
    ours = "pretrain,pretrain_max_tokens=48,pretrain_batch_size=4"
    (tmp_path / "few.csv").write_text(
        "\n".join(
            [
                "text,label",
                *(f"The {word} match number {at} was won,sport" for at in range(8) for word in ("cup", "big")),
            ]
            + [f"The {word} bank number {at} made a profit,business" for at in range(8) for word in ("old", "new")]
        )
    )
    (tmp_path / "few.yaml").write_text(
        """
name: few
kind: classification
data:
  files: few.csv
  splits: {train: 0.5, test: 0.5}
  fields: {text: text, target: label}
labels: {sport: " sport", business: " business"}
prompt:
  template: "{{ text }}. Topic:"
  input: "{{ text }}."
"""
    )
    (done,) = harness.run("smollm2-135m", str(tmp_path / "few.yaml"), ours, store=str(tmp_path / "r.db"), scenarios=())
    assert done.status == "finished"
    told = done.details["pretraining"]
    assert told["held_out"] == 1  # a tenth of 16
    assert told["perplexity"]["after"] < told["perplexity"]["before"]
