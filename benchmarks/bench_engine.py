"""The engine of causal models, part by part: `make bench`. Real weights (smollm2-135m), articles of bbc-news."""

import random

import pytest
import torch

from harness.allocator import keep_memory
from harness.assets import Assets
from harness.catalogue import Catalogue
from harness.interfaces import Setting
from harness.planning import reads
from harness.plugins import Plugins
from harness.preview import StandIn
from harness.records import Component, Generate, LogLikelihood
from harness_hf.packing import layout, packs
from harness_hf.prefixes import Prefixes
from harness_hf.trie import build

SHOTS = {"0-shot": Component("zero-shot"), "8-shot": Component("few-shot", None, {"k": "8"})}


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """All that is registered."""
    keep_memory()
    plugins = Plugins()
    return Catalogue(plugins, Assets(plugins.registry("source")))


@pytest.fixture(scope="module")
def engine(catalogue):
    """SmolLM2-135M on the CPU, float32."""
    return catalogue.model(Component("smollm2-135m", None, {"dtype": "float32"})).load("cpu")


@pytest.fixture(scope="module")
def asked(catalogue):
    """`asked("8-shot", 16)`: that many requests of bbc-news."""

    def make(shots: str, count: int) -> list[LogLikelihood]:
        data, strategy = catalogue.task(Component("bbc-news")), catalogue.strategy(SHOTS[shots])
        setting = Setting(0, "cpu", catalogue.assets.root)
        adapted = strategy.adapt(StandIn(None), data.view("test", reads(strategy)), setting)
        return [adapted.requests(sample)[0] for sample in data.scored("test", count)]

    return make


@pytest.fixture(scope="module")
def sequences() -> list[tuple[int, ...]]:
    """4,000 rows of 300 tokens: 1,000 questions of 4 choices each, all after the same 200 tokens."""
    rng = random.Random(0)
    draw = lambda count: tuple(rng.randrange(50_000) for _ in range(count))  # noqa: E731
    shared = draw(200)
    return [(*shared, *question, *draw(10)) for question in (draw(90) for _ in range(1_000)) for _ in range(4)]


# --- pure parts --------------------------------------------------------------------------------------


def test_trie_of_4000_rows(benchmark, sequences):
    """1.2 million tokens; to be nothing beside the forwards of as many."""
    trie = benchmark(build, sequences)
    assert trie.size == 200 + 1_000 * 90 + 4_000 * 10


def test_packs_and_layouts_of_1000_subtrees(benchmark, sequences):
    """What a call does before its forwards."""
    (root,) = build(sequences).roots
    packed = benchmark(lambda: [layout(pack) for pack in packs(root.children, 1_024, 2)])
    assert sum(len(one.ids) for one in packed) == 1_000 * 90 + 4_000 * 10


def test_tokenising_64_prompts_of_8_shots(benchmark, engine, asked):
    """Joined texts in one call, split into context and continuation."""
    requests = asked("8-shot", 64)

    def split() -> int:
        engine._prompts.forget()
        return len(engine._prompts.scorable([one.prompt for one in requests], [one.continuations for one in requests]))

    assert benchmark(split) == len(requests)


# --- the model ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 16, 64, 256, 1_024])
def test_a_linear_layer(benchmark, engine, rows):
    """The model's widest one, on one core: the ceiling of everything below; `extra_info` has GFLOP/s."""
    layer = max(
        (module for module in engine._decoder._base.modules() if isinstance(module, torch.nn.Linear)),
        key=lambda module: module.out_features,
    )
    states = torch.randn(1, rows, layer.in_features)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            benchmark(layer, states)
    finally:
        torch.set_num_threads(threads)
    flop = 2 * rows * layer.in_features * layer.out_features
    benchmark.extra_info["gflop_s"] = round(flop / benchmark.stats["median"] / 1e9)


@pytest.mark.parametrize("shots", SHOTS)
def test_scoring_32_articles(benchmark, engine, asked, shots):
    """5 choices each; nothing kept from the round before."""
    requests = asked(shots, 32)

    def cold() -> None:
        engine._prefixes = Prefixes()

    benchmark.pedantic(engine.run, setup=lambda: (cold(), ((requests,), {}))[1], rounds=3, warmup_rounds=1)


@pytest.mark.parametrize("batch", [256, 512, 1_024, 2_048, 4_096])
def test_scoring_by_tokens_a_forward(benchmark, engine, asked, batch, monkeypatch):
    """What `batch_tokens` is worth: speed is flat from 512 on, memory is not."""
    monkeypatch.setattr(engine._budget, "tokens", batch)
    benchmark.pedantic(engine.run, args=(asked("0-shot", 32),), rounds=3, warmup_rounds=1)


@pytest.mark.parametrize("count", [1, 16])
def test_generating_32_tokens(benchmark, engine, asked, count):
    """After 8 shots that all prompts share."""
    requests = [Generate(one.prompt, max_tokens=32) for one in asked("8-shot", count)]
    found = benchmark.pedantic(engine.run, args=(requests,), rounds=3, warmup_rounds=1)
    benchmark.extra_info["tokens"] = sum(one.usage.output_tokens for one in found)


def test_loading(benchmark, catalogue):
    """Weights and tokenizer into memory, trials of the architecture included."""
    model = catalogue.model(Component("smollm2-135m", None, {"dtype": "float32"}))
    benchmark.pedantic(model.load, args=("cpu",), rounds=3)
