"""What odd data do to strategies, in whole runs: handled and said; what fails leaves the others' results whole."""

import random

import pytest
import torch
import transformers

import harness

pytestmark = pytest.mark.usefixtures("libraries_left_out_of_collections")

COMMON = ["the", "was", "a", "on", "film", "phone", "bank", "first"]
SIGNS = {"sport": "match", "business": "shares", "arts": "joy"}


def write(folder, rows, *, contexts=None):
    """The file of a task of (split, text, label, context) rows."""
    for split in ("train", "validation", "test"):
        lines = [f"{text},{label},{context}" for where, text, label, context in rows if where == split]
        (folder / f"{split}.csv").write_text("\n".join(["text,label,desk", *lines]))
    (folder / "odd.yaml").write_text(
        """
name: odd
kind: classification
data:
  files: {train: train.csv, validation: validation.csv, test: test.csv}
  fields: {text: text, target: label}
  context: desk
labels: {sport: " two", business: " one", arts: " film"}
prompt:
  template: "{{ text }} is"
  input: "{{ text }}"
"""
    )
    return str(folder / "odd.yaml")


def row(rng, split, label, context="north"):
    words = rng.choices(COMMON, k=6)
    words.insert(rng.randrange(7), SIGNS[label])
    return split, " ".join(words), label, context


@pytest.fixture
def lonely(tmp_path):
    """A task with a single training row of the label `arts`."""
    rng = random.Random(0)
    rows = [row(rng, "train", ("sport", "business")[at % 2]) for at in range(16)]
    rows += [row(rng, "train", "arts"), *(row(rng, "validation", label) for label in SIGNS)]
    return write(tmp_path, [*rows, *(row(rng, "test", label) for label in SIGNS for _ in range(4))])


@pytest.fixture(scope="module")
def masked(tmp_path_factory, tiny_checkpoint):
    """A tiny random masked language model."""
    folder = tmp_path_factory.mktemp("masked")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_checkpoint("bert"))
    tokenizer.add_special_tokens({"mask_token": "[MASK]"})
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
    config = transformers.BertConfig(vocab_size=300, max_position_embeddings=128, initializer_range=0.2, **shape)
    transformers.BertForMaskedLM(config).save_pretrained(folder)
    return f"hf:{folder}"


FOREIGN = ("north", "west", "east")

ALL = [
    "few-shot,k=9",
    "knn,k=5",
    "linear-probe",
    "linear-probe,shots=4",
    "setfit,shots=4,pairs=4",
    "prompt-finetune,shots=4,epochs=1",
    "finetune,epochs=1",
    "lora,epochs=1",
    "prompt-tuning,epochs=1,virtual_tokens=2",
    "prefix-tuning,epochs=1,virtual_tokens=2",
    "bitfit,epochs=1",
    "pretrain,of=linear-probe",
]


def test_one_example_of_a_label_is_no_obstacle_to_any_strategy(lonely, masked, tmp_path):
    results = harness.run(masked, lonely, ALL, store=str(tmp_path / "r.db"), scenarios=())
    assert {str(one.trial.strategy): one.reason for one in results} == dict.fromkeys(ALL, "")
    assert all(one.status == "finished" and one.coverage.answered == 12 for one in results)
    notes = {str(one.trial.strategy): " ".join(one.notes) for one in results}
    assert "no pair of its own label: arts" in notes["setfit,shots=4,pairs=4"]
    assert "arts has 1" in notes["prompt-finetune,shots=4,epochs=1"]


DIVERGING = [
    "finetune,learning_rate=1e38",
    "lora,learning_rate=1e38",
    "prompt-tuning,learning_rate=1e38",
    "bitfit,learning_rate=1e38",
    "setfit,shots=4,learning_rate=1e30,epochs=3,warmup=0",
    "prompt-finetune,shots=4,learning_rate=1e30",
    "pretrain,pretrain_learning_rate=1e30,pretrain_epochs=3",
    "context,of=lora,learning_rate=1e38",
]


def test_training_that_diverges_ends_its_trial_alone(lonely, masked, tmp_path):
    first, *diverged, last = harness.run(
        masked, lonely, ["linear-probe", *DIVERGING, "knn"], store=str(tmp_path / "r.db"), scenarios=()
    )
    assert (first.status, last.status) == ("finished", "finished")
    for one in diverged:
        assert one.status == "failed", one.trial.strategy
        assert "finite" in one.reason or "diverged" in one.reason
        assert "learning_rate" in one.reason


def test_contexts_that_training_never_showed_are_answered_and_said(masked, tmp_path):
    rng = random.Random(0)
    rows = [row(rng, "train", ("sport", "business")[at % 2], ("north", "south")[at // 2 % 2]) for at in range(16)]
    rows += [row(rng, split, label, at) for split in ("validation", "test") for label in SIGNS for at in FOREIGN]
    given = [
        "context,of=linear-probe",
        "context,of=linear-probe,shuffle=yes",
        "context,of=linear-probe,shuffle=random",
        "context,of=lora,epochs=1",
        "context,of=knn",
        "context,of=linear-probe,source=retrieved",
    ]
    for one in harness.run(masked, write(tmp_path, rows), given, store=str(tmp_path / "r.db"), scenarios=()):
        assert one.status == "finished", one.reason
        assert one.coverage.answered == 9
        assert set(one.contexts) == set(FOREIGN)
        assert "6 scored rows are of contexts without training rows: east, west" in one.notes


def test_a_collection_without_passages_ends_its_trial_alone(lonely, masked, tmp_path):
    (tmp_path / "nothing.txt").write_text("\n\n")
    empty = f"context,source=retrieved,passages={tmp_path / 'nothing.txt'}"
    plain, failed = harness.run(masked, lonely, ["zero-shot", empty], store=str(tmp_path / "r.db"), scenarios=())
    assert (plain.status, failed.status) == ("finished", "failed")
    assert "the file has no passages" in failed.reason


def test_more_demonstrations_than_rows_are_asked_for_and_that_is_said(lonely, masked, tmp_path):
    (done,) = harness.run(masked, lonely, "few-shot,k=40", store=str(tmp_path / "r.db"), scenarios=())
    assert done.status == "finished"
    assert any("17 demonstrations" in note for note in done.notes)
