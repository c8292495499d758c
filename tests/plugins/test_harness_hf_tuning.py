"""Training few or all weights of tiny random models: what is learnt, kept, refused; steps against loops by hand."""

import dataclasses
import json
import random

import numpy as np
import pytest
import torch
import transformers
from sklearn.utils.class_weight import compute_class_weight
from torch.nn.functional import cross_entropy
from transformers import AutoTokenizer

from harness.errors import ModelError, TrainingError
from harness.interfaces import TrainingJob
from harness.records import Classify
from harness_hf import adapters, classifier, training
from harness_hf import trainer as hf_trainer
from harness_hf.headless import HEADLESS, HEADLESS_SEQ2SEQ, RECURRENT
from harness_hf.models import hf
from harness_hf.objectives import Objective
from harness_hf.plan import METHODS, Plan, why_not
from harness_hf.settings import Settings

LABELS = ("sport", "business")
WORDS = {"sport": ["goals", "match", "England"], "business": ["shares", "bank", "analyst"]}
FILLERS = ["the", "was"]
FAST = {"epochs": 10, "batch_size": 4, "learning_rate": 5e-3, "patience": 10}
FEW = ("lora", "prompt-tuning", "prefix-tuning", "bitfit")


def rows(count, *, seed=0):
    rng = random.Random(seed)
    labels = [LABELS[number % 2] for number in range(count)]
    return [
        (" ".join([*rng.choices(WORDS[label], k=3), *rng.choices(FILLERS, k=rng.randint(1, 9))]), label)
        for label in labels
    ]


@pytest.fixture
def job(tmp_path):
    """`job("lora", epochs=1)`: a training of 32 rows, validated on 8."""

    def make(method="head", examples=None, validation=None, **hyperparameters):
        return TrainingJob(
            examples=rows(32) if examples is None else examples,
            validation=rows(8, seed=1) if validation is None else validation,
            labels=LABELS,
            seed=3,
            device="cpu",
            hyperparameters={**FAST, **hyperparameters},
            folder=tmp_path / "checkpoints" / f"{method}-{len(hyperparameters)}",
            method=method,
        )

    return make


@pytest.fixture
def model(tiny_checkpoint, empty_assets, seq2seq_checkpoint):
    """`model("llama")`: a tiny random model."""

    def make(name):
        folder = seq2seq_checkpoint(name) if name in {"t5", "bart"} else tiny_checkpoint(name)
        return hf(str(folder), empty_assets)

    return make


@pytest.fixture(scope="module")
def seq2seq_checkpoint(tmp_path_factory, tiny_checkpoint):
    """The folder of a tiny random encoder-decoder."""

    def make(name):
        folder = tmp_path_factory.mktemp(name)
        tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint("llama"))
        tokenizer.add_special_tokens({"pad_token": "<pad>"})
        tokenizer.save_pretrained(folder)
        torch.manual_seed(0)
        ends = {"eos_token_id": 1, "pad_token_id": len(tokenizer) - 1, "decoder_start_token_id": 0}
        if name == "t5":
            shape = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4}
            made = transformers.T5ForConditionalGeneration(
                transformers.T5Config(vocab_size=len(tokenizer), **shape, **ends)
            )
        else:
            halves = {f"{half}_{what}": n for half in ("encoder", "decoder") for what, n in SIZES.items()}
            made = transformers.BartForConditionalGeneration(
                transformers.BartConfig(vocab_size=len(tokenizer), d_model=32, init_std=0.2, **halves, **ends)
            )
        made.save_pretrained(folder)
        return folder

    return make


SIZES = {"layers": 2, "attention_heads": 4, "ffn_dim": 48}


def told(trained, asked=None):
    return [one.log_probs for one in trained.engine.run([Classify(text, LABELS) for text, _ in asked or unseen()])]


def unseen():
    return rows(200, seed=2)


def accuracy(trained):
    found = [LABELS[scores.index(max(scores))] for scores in told(trained)]
    return sum(one == label for one, (_, label) in zip(found, unseen(), strict=True)) / len(found)


# --- learning ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["bert", "llama", "gpt2", "t5", "bart"])
def test_each_family_learns(name, model, job):
    rate = {"t5": 1e-2}.get(name, 5e-3)
    assert accuracy(model(name).train(job(learning_rate=rate))) >= 0.95


@pytest.mark.parametrize(
    ("name", "method", "rate"),
    [
        ("bert", "lora", 1e-2),
        ("bert", "prompt-tuning", 3e-2),
        ("bert", "prefix-tuning", 3e-2),
        ("bert", "bitfit", 2e-2),
        ("llama", "lora", 1e-2),
        ("llama", "prompt-tuning", 3e-2),
        ("llama", "prefix-tuning", 3e-2),
        ("gpt2", "bitfit", 2e-2),
        ("bart", "lora", 1e-2),
    ],
)
def test_few_weights_learn_and_what_is_kept_answers_the_same(name, method, rate, model, job, monkeypatch):
    small = {"virtual_tokens": 4, "learning_rate": rate, "epochs": 10}
    fresh = model(name).train(job(method, **small))
    assert accuracy(fresh) >= (0.75 if method == "lora" else 0.65)  # of 200: four standard errors above chance
    folder = job(method, **small).folder
    assert {path.name for path in folder.iterdir()} == {"trained.safetensors", "training.json"}
    monkeypatch.setattr(training, "_fit", lambda *_: pytest.fail("trained again"))
    again = model(name).train(job(method, **small))
    assert told(again) == told(fresh)
    assert again.notes == (*fresh.notes, "trained in an earlier run")


@pytest.mark.parametrize("method", FEW)
def test_only_the_methods_own_weights_and_the_head_change(method, tiny_checkpoint, job):
    base, tokenizer = fresh(tiny_checkpoint("bert"))
    before = {name: one.clone() for name, one in base.named_parameters()}
    plan = Plan(**{**FAST, "epochs": 1})
    model = adapters.adapted(base, method, plan)
    own, _ = adapters.share(model)
    head = sum(one.numel() for name, one in before.items() if name.startswith("classifier") or "pooler" in name)
    body = {
        "lora": 2 * 2 * 2 * 8 * 32,  # layers, projections, A and B, rank, width
        "prompt-tuning": 20 * 32,
        "prefix-tuning": 20 * 2 * 2 * 32,  # tokens, layers, keys and values, width
        "bitfit": sum(
            one.numel()
            for name, one in before.items()
            if name.endswith("bias") and "bert." in name and "pool" not in name
        ),
    }[method]
    assert own == body + head
    hf_trainer.make_trainer(
        job(method, validation=[]), plan, material(model, tokenizer, base.config, job().folder)
    ).train()
    frozen = {
        name.replace("base_model.model.", "").replace("base_model.", ""): one
        for name, one in model.named_parameters()
        if not one.requires_grad
    }
    for name, one in frozen.items():
        plain = name.replace(".base_layer", "")
        if plain in before:
            assert torch.equal(one, before[plain]), name
    assert len([name for name in frozen if name.replace(".base_layer", "") in before]) > 10


# --- steps against loops by hand -----------------------------------------------------------------


def fresh(folder, *, dropout=None):
    torch.manual_seed(5)
    made, tokenizer = classifier.new_classifier(folder, Settings(dtype="float32"), "cpu", LABELS)
    if dropout is not None:
        for module in made.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = dropout
    return made, tokenizer


def material(model, tokenizer, config, work, *, examples=None, parts=1):
    learnt = Objective("label", LABELS)
    ids = training.rows_of(rows(32) if examples is None else examples, learnt, tokenizer, config, 64)
    return hf_trainer.Material(model, tokenizer, ids, [], work, parts)


class Recorded:
    """The rows and the loss of each step."""

    def __init__(self):
        self.batches = []
        self.losses = []


def trajectory(model, tokenizer, job, plan, work, *, examples=None, parts=1, config=None):
    """The batches that a training took, and its loss at each."""
    classifier.read_last(adapters.bare(model))
    trainer = hf_trainer.make_trainer(
        job, plan, material(model, tokenizer, config or model.config, work, examples=examples, parts=parts)
    )
    seen = Recorded()
    compute = trainer.compute_loss

    def watched(model, inputs, *args, **kwargs):
        batch = {name: value.clone() for name, value in inputs.items()}
        loss = compute(model, inputs, *args, **kwargs)
        seen.batches.append(batch)
        seen.losses.append(float(loss.detach()))
        return loss

    trainer.compute_loss = watched
    trainer.train()
    return seen


@pytest.mark.parametrize("name", ["bert", "llama"])
@pytest.mark.parametrize("weights", ["none", "balanced"])
def test_the_losses_are_those_of_a_loop_by_hand(name, weights, tiny_checkpoint, job):
    examples = rows(20) + [(text, label) for text, label in rows(20, seed=4) if label == "sport"]
    plan = Plan(epochs=2, batch_size=6, learning_rate=1e-3, warmup=0, class_weights=weights)
    model, tokenizer = fresh(tiny_checkpoint(name), dropout=0.0)
    seen = trajectory(model, tokenizer, job(examples=examples, validation=[]), plan, job().folder, examples=examples)

    model, _ = fresh(tiny_checkpoint(name), dropout=0.0)
    targets = [LABELS.index(label) for _, label in examples]
    each = torch.ones(2)
    if weights == "balanced":
        each = torch.tensor(compute_class_weight("balanced", classes=np.arange(2), y=targets), dtype=torch.float32)
    decayed = {id(one) for n, one in model.named_parameters() if not n.endswith("bias") and "norm" not in n.lower()}
    groups = [
        {"params": [one for one in model.parameters() if (id(one) in decayed) is decays], "weight_decay": 0.01 * decays}
        for decays in (True, False)
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-3)
    steps = len(seen.batches)
    for at, (batch, loss) in enumerate(zip(seen.batches, seen.losses, strict=True)):
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * (steps - at) / steps
        mask = batch["attention_mask"]
        states = model.base_model(input_ids=batch["input_ids"], attention_mask=mask)
        if name == "bert":
            logits = model.classifier(states.pooler_output)
        else:
            logits = model.score(states.last_hidden_state[torch.arange(len(mask)), mask.sum(1) - 1])
        mine = (cross_entropy(logits, batch["labels"], reduction="none") * each[batch["labels"]]).mean()
        assert float(mine.detach()) == pytest.approx(loss, abs=1e-5)
        optimizer.zero_grad()
        mine.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    assert steps == 10


TARGETS = {"bert": ("query", "value"), "llama": ("q_proj", "v_proj")}


def lora_by_hand(name, base, start):
    """W h + (alpha / r) B A h, with alpha = 6 and r = 3, in the layers that project queries and values."""
    own = []
    for path, module in base.named_modules():
        if path.endswith(TARGETS[name]):
            pair = [
                torch.nn.Parameter(value)
                for side in "AB"
                for key, value in start.items()
                if f"{path}.lora_{side}." in key
            ]
            module.register_forward_hook(lambda _, given, out, pair=pair: out + 2 * given[0] @ pair[0].T @ pair[1].T)
            own += pair
    assert len(own) == 8
    assert all(not one.any() for one in own[1::2])  # B begins with zeros, so training begins with the base
    return own, lambda batch: base.base_model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])


def prompts_by_hand(_, base, start):
    """Four vectors before those of the text."""
    own = torch.nn.Parameter(start["prompt_encoder.default.embedding.weight"])  # (4, D)

    def body(batch):
        rows = len(batch["input_ids"])
        text = base.get_input_embeddings()(batch["input_ids"])
        mask = torch.cat([torch.ones(rows, 4, dtype=torch.long), batch["attention_mask"]], 1)
        return base.base_model(inputs_embeds=torch.cat([own.expand(rows, -1, -1), text], 1), attention_mask=mask)

    return [own], body


def prefixes_by_hand(_, base, start):
    """Four keys and values before those of the text, in each layer."""
    own = torch.nn.Parameter(start["prompt_encoder.default.embedding.weight"])  # (4, layers * 2 * width)
    config = base.config
    heads = getattr(config, "num_key_value_heads", config.num_attention_heads)

    def body(batch):
        rows = len(batch["input_ids"])
        cache = transformers.DynamicCache()
        each = own.view(4, config.num_hidden_layers, 2, heads, -1)
        for layer in range(config.num_hidden_layers):
            keys, values = (each[:, layer, side].transpose(0, 1).expand(rows, -1, -1, -1) for side in (0, 1))
            cache.update(keys, values, layer)
        mask = torch.cat([torch.ones(rows, 4, dtype=torch.long), batch["attention_mask"]], 1)
        return base.base_model(input_ids=batch["input_ids"], attention_mask=mask, past_key_values=cache)

    return [own], body


def biases_by_hand(_, base, start):
    """The biases of the body."""
    own = [one for path, one in base.base_model.named_parameters() if path.endswith("bias") and "pool" not in path]
    assert len(own) + 4 == len(start)  # the head's weights and biases are trained, too
    return own, lambda batch: base.base_model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])


BY_HAND = {
    "lora": lora_by_hand,
    "prompt-tuning": prompts_by_hand,
    "prefix-tuning": prefixes_by_hand,
    "bitfit": biases_by_hand,
}


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("bert", "lora"),
        ("llama", "lora"),
        ("bert", "prompt-tuning"),
        ("llama", "prompt-tuning"),
        ("llama", "prefix-tuning"),
        ("bert", "bitfit"),
    ],
)
def test_few_weights_take_the_steps_of_their_formula(name, method, tiny_checkpoint, job):
    """Against plain transformers with the formula written out, without peft and the Trainer."""
    few = {"r": 3, "alpha": 6, "dropout": 0.0, "virtual_tokens": 4}
    plan = Plan(epochs=2, batch_size=8, learning_rate=1e-2, warmup=0, weight_decay=0.0, **few)
    base, tokenizer = fresh(tiny_checkpoint(name), dropout=0.0)
    model = adapters.adapted(base, method, plan)
    start = {key: one.detach().clone() for key, one in adapters.trainable(model).items()}
    seen = trajectory(model, tokenizer, job(method, validation=[]), plan, job().folder, config=base.config)

    base, _ = fresh(tiny_checkpoint(name), dropout=0.0)
    own, body = BY_HAND[method](name, base.requires_grad_(False), start)
    head = [one for path, one in base.named_parameters() if "score" in path or "classifier" in path or "pooler" in path]
    weights = [one.requires_grad_() for one in (*own, *head)]
    optimizer = torch.optim.AdamW(weights, weight_decay=0.0)
    for at, (batch, loss) in enumerate(zip(seen.batches, seen.losses, strict=True)):
        optimizer.param_groups[0]["lr"] = 1e-2 * (len(seen.batches) - at) / len(seen.batches)
        states, lengths = body(batch), batch["attention_mask"].sum(1)
        if name == "bert":
            logits = base.classifier(states.pooler_output)
        else:
            length = states.last_hidden_state.shape[1]
            last = lengths - 1 + length - batch["attention_mask"].shape[1]
            logits = base.score(states.last_hidden_state[torch.arange(len(last)), last])
        mine = cross_entropy(logits, batch["labels"])
        assert float(mine.detach()) == pytest.approx(loss, abs=2e-5)
        optimizer.zero_grad()
        mine.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
    assert len(seen.losses) == 8
    assert seen.losses[0] != pytest.approx(seen.losses[-1], abs=1e-3)
    found = dict(adapters.trainable(model).items())
    for one in own[:2]:  # the biases of keys come later: softmax does not see them, so theirs are rounding errors
        assert any(other.shape == one.shape and torch.allclose(other, one, atol=1e-4) for other in found.values())


@pytest.mark.parametrize("parts", [2, 3])
def test_parts_of_a_batch_make_the_same_step(parts, tiny_checkpoint, job):
    """Also for the last step of an epoch, which has fewer rows."""
    plan = Plan(epochs=2, batch_size=6, learning_rate=1e-3, warmup=0, class_weights="balanced")
    whole, tokenizer = fresh(tiny_checkpoint("bert"), dropout=0.0)
    trajectory(whole, tokenizer, job(validation=[]), plan, job().folder)
    cut, _ = fresh(tiny_checkpoint("bert"), dropout=0.0)
    trajectory(cut, tokenizer, job(validation=[]), plan, job().folder, parts=parts)
    for (name, one), other in zip(whole.named_parameters(), cut.parameters(), strict=True):
        # What softmax does not see has no gradient but rounding errors, which Adam scales to whole steps.
        assert name.endswith("key.bias") or torch.allclose(one, other, atol=1e-5), name


@pytest.mark.parametrize("method", ["head", "lora", "prompt-tuning", "bitfit"])
def test_activations_computed_anew_give_the_same_gradients(method, tiny_checkpoint):
    found = []
    for anew in (False, True):
        base, tokenizer = fresh(tiny_checkpoint("bert"), dropout=0.0)
        torch.manual_seed(7)
        model = adapters.adapted(base, method, Plan(virtual_tokens=4, dropout=0.0)).train()
        if anew:
            training._checkpoint(base)
        batch = tokenizer([text for text, _ in rows(6)], padding=True, return_tensors="pt")
        cross_entropy(model(**batch).logits, torch.tensor([0, 1] * 3)).backward()
        assert any(getattr(module, "gradient_checkpointing", False) for module in base.modules()) is anew
        found.append({name: one.grad for name, one in adapters.trainable(model).items()})
    plain, again = found
    assert plain.keys() == again.keys()
    assert all(torch.allclose(plain[name], again[name], atol=1e-6) for name in plain)


# --- reading ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "method"),
    [("llama", "head"), ("gpt2", "head"), ("gpt2", "prompt-tuning"), ("llama", "prefix-tuning"), ("t5", "head")],
)
def test_answers_do_not_depend_on_the_batch(name, method, model, job):
    trained = model(name).train(job(method, epochs=1, virtual_tokens=4))
    texts = [*rows(6), ("", ""), ("goals</s>", ""), ("</s> bank </s></s> x", "")]
    together = told(trained, texts)
    alone = [told(trained, [one])[0] for one in texts]
    assert np.allclose(together, alone, atol=1e-5)


def test_virtual_tokens_leave_less_place_for_the_text(model, job):
    trained = model("bert").train(job("prompt-tuning", epochs=1, virtual_tokens=60))
    (response,) = trained.engine.run([Classify("goals " * 30, LABELS)])
    assert response.usage.prompt_tokens == 4  # of 64
    with pytest.raises(TrainingError, match="64 virtual tokens fill the model's 64"):
        model("bert").train(job("prompt-tuning", epochs=1, virtual_tokens=64, batch_size=8))


# --- what can't be, and what is said ---------------------------------------------------------------


def test_what_the_files_tell_is_refused(model, monkeypatch):
    assert model("bert").methods == METHODS | {"contrastive"}
    assert model("llama").methods == METHODS - {"bitfit"} | {"prompt"}
    assert model("llama").cannot("bitfit") == "it has no biases: bitfit trains nothing else; take lora"
    assert model("bart").methods == {"head", "lora", "bitfit"}
    monkeypatch.setattr("harness_hf.models.find_spec", lambda _: None)
    assert model("bert").methods == {"head", "bitfit", "contrastive"}
    assert model("bert").cannot("lora") == "lora needs peft: pip install 'adapt-harness[peft]'"


def test_encoder_decoders_without_a_classifier_are_those_of_transformers():
    from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES as KNOWN

    from harness_hf.families import SEQ2SEQ

    assert HEADLESS_SEQ2SEQ.isdisjoint(KNOWN)
    assert {"t5", "bart", "mbart", "mt5"} <= SEQ2SEQ - HEADLESS_SEQ2SEQ
    assert SEQ2SEQ - HEADLESS_SEQ2SEQ - set(KNOWN) == set()


def test_language_models_without_a_classifier_are_those_of_transformers():
    from transformers.models.auto import modeling_auto as auto

    known = set(auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES)
    speaking = {*auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, *auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES}
    assert speaking - known <= HEADLESS
    assert HEADLESS.isdisjoint(known)


def test_language_models_with_recurrent_layers_and_a_classifier_are_those_of_transformers():
    from transformers import CONFIG_MAPPING, DynamicCache
    from transformers.models.auto import modeling_auto as auto

    both = set(auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES) & set(auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
    layers = {kind: DynamicCache(config=CONFIG_MAPPING[kind]()).layers for kind in both}
    recurrent = {kind for kind, all_of_it in layers.items() if any("Linear" in type(one).__name__ for one in all_of_it)}
    assert recurrent <= RECURRENT


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_recurrent_model_without_a_classifier_is_refused_before_it_is_trained(method, model, job):
    why = "transformers has no classifier for models of type 'mamba'"
    assert model("mamba").cannot(method) == why
    assert model("mamba").methods == {"prompt"}
    with pytest.raises(TrainingError, match=why):
        model("mamba").train(job(method))


def test_recurrent_layers_have_no_place_for_learnt_keys(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "jamba"}')
    assert "some of its layers are recurrent" in why_not("prefix-tuning", tmp_path)
    assert why_not("lora", tmp_path) is None


def test_code_of_its_own_may_have_a_classifier(tmp_path):
    auto_map = {"AutoModelForSequenceClassification": "own.Classifier"}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "mamba", "auto_map": auto_map}))
    assert why_not("head", tmp_path) is None


@pytest.mark.parametrize(
    ("method", "changes", "message"),
    [
        ("head", {"accumulation": 3}, "a batch of 4 can't be cut into 3 equal parts"),
        ("prefix-tuning", {"gradient_checkpointing": True}, "prefix-tuning needs the cache"),
        ("lora", {"target_modules": "q_proj"}, "BertForSequenceClassification has no layer called 'q_proj'"),
        ("lora", {"learning_rate": 1e38}, r"not finite at step \d+, with learning rate 1e\+38"),
    ],
)
def test_what_does_not_go_together_is_an_error_and_leaves_nothing(method, changes, message, model, job):
    with pytest.raises(TrainingError, match=message):
        model("bert").train(job(method, **changes))
    assert list(job().folder.parent.iterdir()) == []


def test_layers_may_be_named(model, job):
    model("bert").train(job("lora", epochs=1, target_modules="query+key"))
    record = json.loads((job("lora", epochs=1, target_modules="x").folder / "training.json").read_text())
    assert record["parameters"]["trained"] == 2 * 2 * 2 * 8 * 32 + 2 * 32 + 2 + 32 * 32 + 32
    assert set(record["versions"]) == {"torch", "transformers", "peft"}
    assert record["steps"] == 8


def test_a_missing_label_and_a_single_example_of_one_are_no_obstacle(model, job):
    three = dataclasses.replace(
        job(examples=[*rows(8), ("a film", "film")], epochs=1, class_weights="balanced"),
        labels=("sport", "arts", "business", "film"),
    )
    trained = model("bert").train(three)
    assert "no training row has the label arts" in trained.notes
    (response,) = trained.engine.run([Classify("goals", three.labels)])
    assert sum(np.exp(response.log_probs)) == pytest.approx(1)


def test_weights_of_another_model_are_not_taken(model, job):
    first = job("bitfit", epochs=1)
    model("bert").train(first)
    with pytest.raises(ModelError, match="those of another model"):
        model("gpt2").train(first)


@pytest.mark.model
def test_lora_on_minilm_learns_news_from_few_rows(assets, tmp_path):
    import harness

    results = harness.run(
        "minilm-l6",
        "bbc-news",
        "lora,train_size=40,max_tokens=48,epochs=6,batch_size=8,learning_rate=5e-3",
        limit=60,
        store=tmp_path / "s.db",
        scenarios=(),
    )
    (row,) = results.to_pandas().to_dict("records")
    assert row["accuracy"] > 0.7  # one in five is chance
