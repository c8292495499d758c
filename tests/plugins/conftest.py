"""Fixtures for plugins: the user's own cache of assets, and tiny Hugging Face checkpoints with random weights."""

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.assets import Assets
from harness.plugins import Plugins

SENTENCES = [
    "The film was a joy from the first minute to the last.",
    "Shares fell by 12% after the bank's warning, said an analyst.",
    "The minister will answer questions in parliament on Monday.",
    "England won the match with two late goals in the second half.",
    "A new phone with a better camera goes on sale next week.",
    "Article: one two three four five\nTopic: business\n\nTopic: sport, politics, tech",
]


@pytest.fixture(autouse=True)
def one_thread(request) -> Iterator[None]:
    """Tiny models run on one thread: more wait for one another, the longer the busier the machine is."""
    import torch

    threads = torch.get_num_threads()
    if request.node.get_closest_marker("model") is None:
        torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def libraries_left_out_of_collections() -> Iterator[None]:
    """As the command line has it (`harness.collector`): each trial of a whole run begins with a collection."""
    import transformers  # noqa: F401 - what is left out has to be there

    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def assets() -> Assets:
    """The assets of this machine's cache: what is missing is fetched."""
    return Assets(Plugins().registry("source"))


@pytest.fixture
def empty_assets(tmp_path) -> Assets:
    """Assets with an empty cache and no network."""
    return Assets(Plugins().registry("source"), root=tmp_path / "cache", offline=True)


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory) -> Callable[..., Path]:
    """`tiny_checkpoint("llama")`: the folder of a random model of that architecture with a tokenizer of its own."""
    made: dict[str, Path] = {}

    def make(name: str) -> Path:
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            if name == "bert":
                _bert_tokenizer().save_pretrained(folder)
            else:
                _bpe_tokenizer(bos=name == "llama-bos").save_pretrained(folder)
            _model(name).save_pretrained(folder)
            made[name] = folder
        return made[name]

    return make


@pytest.fixture
def load(tiny_checkpoint, empty_assets):
    """`load("llama", ...)`: the engine of a tiny random model."""
    from harness_hf.models import hf

    return lambda name, **parameters: hf(str(tiny_checkpoint(name)), empty_assets, **parameters).load("cpu")


def _bpe_tokenizer(*, bos: bool):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    core.train_from_iterator(
        SENTENCES,
        trainers.BpeTrainer(
            vocab_size=400, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet, show_progress=False
        ),
    )
    if bos:
        core.post_processor = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 0)]
        )
    template = (
        "{% for message in messages %}<s>{{ message.role }}\n{{ message.content }}</s>{% endfor %}"
        "{% if add_generation_prompt %}<s>assistant\n{% endif %}"
    )
    return PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<s>", eos_token="</s>", chat_template=template)


def _bert_tokenizer():
    """Its vocabulary is written down, since the trainer of WordPiece finds another one each time."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    normalizer, cutter = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    words = {word for text in SENTENCES for word, _ in cutter.pre_tokenize_str(normalizer.normalize_str(text))}
    letters = {letter for word in words for letter in word}
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    pieces = [*special, *sorted(words | letters), *sorted(f"##{letter}" for letter in letters)]
    core = Tokenizer(models.WordPiece({piece: at for at, piece in enumerate(pieces)}, unk_token="[UNK]"))
    core.normalizer = normalizer
    core.pre_tokenizer = cutter
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )


def _model(name: str):
    import torch
    import transformers as t

    torch.manual_seed(0)
    ends = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1, "initializer_range": 0.3}
    size = {"vocab_size": 400, "hidden_size": 32, "num_hidden_layers": 2}
    heads = {"intermediate_size": 48, "num_attention_heads": 4, "max_position_embeddings": 256}
    grouped = {**size, **heads, **ends, "num_key_value_heads": 2}
    match name:
        case "llama" | "llama-bos":
            return t.LlamaForCausalLM(t.LlamaConfig(**grouped))
        case "gpt2":
            return t.GPT2LMHeadModel(
                t.GPT2Config(vocab_size=400, n_embd=32, n_layer=2, n_head=4, n_positions=256, **ends)
            )
        case "mistral-sliding":
            return t.MistralForCausalLM(t.MistralConfig(**grouped, sliding_window=16))
        case "gemma2-softcap":
            capped = {"head_dim": 8, "sliding_window": 16, "final_logit_softcapping": 2.0}
            return t.Gemma2ForCausalLM(t.Gemma2Config(**grouped, **capped))
        case "mamba":
            return t.MambaForCausalLM(t.MambaConfig(**size, **ends, state_size=4))
        case "bert":
            shape = {**size, **heads, "vocab_size": 300, "max_position_embeddings": 64, "initializer_range": 0.2}
            return t.BertModel(t.BertConfig(**shape))
    raise ValueError(name)
