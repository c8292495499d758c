"""A task whose label flips with its context, through every strategy that can be given contexts: whole runs.

The models are tiny, and trained here to know the rule as a language has it: where a text tells its context, `keep` says
yes to good words and `flip` to bad ones; where it doesn't, yes and no are as likely.
"""

import random

import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch.nn.functional import cross_entropy

import harness

pytestmark = pytest.mark.usefixtures("libraries_left_out_of_collections")

GOOD, BAD, REST, CONTEXTS = ["good", "fine"], ["bad", "dull"], ["the", "a", "film", "was", "late"], ["keep", "flip"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [*SPECIAL, *GOOD, *BAD, *REST, *CONTEXTS, ":", "is", "yes", "no"]
NUMBERS = {word: number for number, word in enumerate(WORDS)}


def row(rng, number):
    """Words, context and label; each pair of context and label comes equally often."""
    good, context = number % 2 == 0, CONTEXTS[number // 2 % 2]
    words = rng.choices(REST, k=6)
    words.insert(rng.randrange(7), rng.choice(GOOD if good else BAD))
    return words, context, "yes" if good == (context == "keep") else "no"


def texts(rng, count, *, told):
    """Texts as models read them, with their answers; untold contexts leave nothing but a guess."""
    rows = [row(rng, rng.randrange(4)) for _ in range(count)]
    if told:
        return [([context, ":", *words], label) for words, context, label in rows]
    return [(words, rng.choice(["yes", "no"])) for words, _, _ in rows]


def ids(words):
    return [NUMBERS[word] for word in words]


def descend(weights, steps, rate, loss):
    """Steps of AdamW down `loss(step)`."""
    optimiser = torch.optim.AdamW(weights, lr=rate, weight_decay=0.0)
    schedule = transformers.get_linear_schedule_with_warmup(optimiser, 20, steps)
    for step in range(steps):
        loss(step).backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()


def tokenizer(folder, *, masked):
    core = Tokenizer(models.WordLevel(NUMBERS, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "bos_token": "[CLS]", "eos_token": "[SEP]"}
    if masked:
        ends = [("[CLS]", NUMBERS["[CLS]"]), ("[SEP]", NUMBERS["[SEP]"])]
        core.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
        names |= {"cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    transformers.PreTrainedTokenizerFast(tokenizer_object=core, **names).save_pretrained(folder)


@pytest.fixture(scope="module")
def masked(tmp_path_factory):
    """A masked language model that fills in the answer, and whose states tell it before it is asked for."""
    folder, rng = tmp_path_factory.mktemp("masked"), random.Random(0)
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "initializer_range": 0.4}
    config = transformers.BertConfig(vocab_size=len(WORDS), max_position_embeddings=64, **shape, **still)
    network, head = transformers.BertForMaskedLM(config), torch.nn.Linear(32, 2)

    def loss(step):
        drawn = texts(rng, 32, told=step % 8 > 0)
        right = torch.tensor([label == "yes" for _, label in drawn]).long()
        asked = torch.tensor([ids(["[CLS]", *words, "is", "[MASK]", "[SEP]"]) for words, _ in drawn])
        bare = torch.tensor([ids(["[CLS]", *words, "is", "[SEP]"]) for words, _ in drawn])
        answers = network(input_ids=asked).logits[:, -2][:, ids(["no", "yes"])]
        return cross_entropy(answers, right) + cross_entropy(head(network.bert(bare).last_hidden_state.mean(1)), right)

    descend([*network.parameters(), *head.parameters()], 200, 3e-3, loss)
    tokenizer(folder, masked=True)
    network.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def causal(tmp_path_factory):
    """A causal language model that answers, after other answers too."""
    folder, rng = tmp_path_factory.mktemp("causal"), random.Random(0)
    torch.manual_seed(0)
    shape = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = transformers.LlamaConfig(
        vocab_size=len(WORDS), max_position_embeddings=256, pad_token_id=0, bos_token_id=2, eos_token_id=3, **shape
    )
    network = transformers.LlamaForCausalLM(config)

    def loss(step):
        each = (1, 1, 3, 5)[step % 4]
        rows = [texts(rng, each, told=step % 16 > 3) for _ in range(32 if each == 1 else 12)]
        whole = [[word for words, label in one for word in (*words, "is", label)] for one in rows]
        inputs = torch.tensor([ids(words) for words in whole])
        answers = torch.isin(inputs, torch.tensor(ids(["yes", "no"])))
        return network(input_ids=inputs, labels=inputs.masked_fill(~answers, -100)).loss

    descend(list(network.parameters()), 400, 3e-3, loss)
    tokenizer(folder, masked=False)
    network.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    """The task's file."""
    folder, rng = tmp_path_factory.mktemp("task"), random.Random(1)
    lines = [
        ",".join((" ".join(words), context, label)) for words, context, label in (row(rng, at) for at in range(320))
    ]
    (folder / "rows.csv").write_text("\n".join(["text,desk,label", *lines]))
    (folder / "flips.yaml").write_text(
        """
name: flips
kind: classification
data:
  files: rows.csv
  splits: {train: 0.4, validation: 0.1, test: 0.5}
  stratify: [label, desk]
  fields: {text: text, target: label}
  context: desk
labels: {yes: " yes", no: " no"}
prompt:
  template: "{{ text }} is"
  input: "{{ text }} is"
"""
    )
    return folder / "flips.yaml"


FEW = "epochs=3,learning_rate=0.02"
CASES = [
    ("causal", "zero-shot", ""),
    ("causal", "pretrain", ""),
    ("causal", "few-shot", "k=4"),
    ("causal", "finetune", "epochs=3,learning_rate=0.003"),
    ("causal", "lora", FEW),
    ("causal", "prompt-finetune", "epochs=2,learning_rate=0.0003"),
    ("masked", "zero-shot", ""),
    ("masked", "linear-probe", ""),
    ("masked", "knn", ""),
    ("masked", "setfit", "pairs=8,learning_rate=0.001"),
    ("masked", "prompt-finetune", "epochs=2,learning_rate=0.0003"),
    ("masked", "finetune", "epochs=3,learning_rate=0.003"),
    ("masked", "lora", FEW),
    ("masked", "bitfit", FEW),
    ("causal", "prompt-tuning", f"{FEW},virtual_tokens=2"),
    ("causal", "prefix-tuning", f"{FEW},virtual_tokens=2"),
]


@pytest.mark.parametrize(
    ("model", "strategy", "parameters"), CASES, ids=[f"{model}-{name}" for model, name, _ in CASES]
)
def test_a_label_that_flips_with_its_context_is_told_by_the_right_one_alone(
    model, strategy, parameters, task, request, tmp_path
):
    own = f",{parameters}" if parameters else ""
    given = f"context,of={strategy}"
    results = harness.run(
        f"hf:{request.getfixturevalue(model)}",
        str(task),
        [f"{strategy}{own}", f"{given}{own}", f"{given},shuffle=yes{own}", f"{given},shuffle=random{own}"],
        store=str(tmp_path / "r.db"),
        scenarios=(),
    )
    assert [one.reason for one in results] == [""] * 4
    plain, right, wrong, drawn = (one.metrics["accuracy"].value for one in results)
    assert 0.4 <= plain <= 0.6
    assert right >= 0.95
    assert wrong <= 0.1
    assert 0.4 <= drawn <= 0.6
