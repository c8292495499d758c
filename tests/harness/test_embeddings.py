"""Embeddings: the engine is asked for each text once, and not loaded where nothing is missing."""

import numpy as np
import pytest

from harness.embeddings import TOGETHER, FrozenEmbedder
from harness.errors import ModelError
from harness.interfaces import Setting
from harness.records import Embedded, Usage


class CountingEmbedder:
    """A fake that notes what it is asked: a text's vector is its length and its first sign."""

    answers = frozenset({"Embed"})

    def __init__(self, name="fake"):
        self.name, self.loads, self.calls = name, 0, []

    def fingerprint(self):
        return self.name

    def load(self, device):
        self.loads += 1
        return self

    def run(self, requests):
        self.calls.append([request.text for request in requests])
        return [
            Embedded((len(text) / 3, float(ord(text[0]))), Usage(len(text), cut_tokens=max(0, len(text) - 9)))
            for text in self.calls[-1]
        ]


@pytest.fixture
def setting(tmp_path):
    return Setting(0, "cpu", tmp_path)


def test_each_text_is_asked_for_once(setting):
    model = CountingEmbedder()
    first = FrozenEmbedder(model, setting).embed(["one", "two", "one", "a longer text"])
    assert model.calls == [["one", "two", "a longer text"]]
    assert first.vectors.dtype == np.float32
    np.testing.assert_array_equal(first.vectors[:, 1], [ord("o"), ord("t"), ord("o"), ord("a")])
    assert (first.kept, first.prompt_tokens, first.cut) == (0, 19, 1)
    again = FrozenEmbedder(model, setting).embed(["a longer text", "one"])
    np.testing.assert_array_equal(again.vectors, first.vectors[[3, 0]])
    assert (again.kept, again.prompt_tokens, again.cut) == (2, 16, 1)
    assert len(model.calls) == model.loads == 1
    FrozenEmbedder(model, setting).embed(["one", "three"])
    assert model.calls[1:] == [["three"]]


def test_seconds_are_those_of_the_computation(setting):
    first = FrozenEmbedder(CountingEmbedder(), setting).embed(["one", "two"])
    again = FrozenEmbedder(CountingEmbedder(), setting).embed(["one", "two"])
    assert 0 < first.seconds == again.seconds


def test_another_model_device_or_plugin_is_asked_anew(setting, tmp_path):
    for model, place in [
        ("fake", setting),
        ("other", setting),
        ("fake", Setting(0, "cuda:0", tmp_path)),
        ("fake", Setting(0, "cpu", tmp_path, {"hf": "2"})),
    ]:
        assert FrozenEmbedder(CountingEmbedder(model), place).embed(["one"]).kept == 0
    assert FrozenEmbedder(CountingEmbedder(), Setting(3, "cuda:1", tmp_path)).embed(["one"]).kept == 1


def test_an_interrupted_run_keeps_what_it_has(setting):
    class Failing(CountingEmbedder):
        def run(self, requests):
            if len(self.calls) == 1:
                raise KeyboardInterrupt
            return super().run(requests)

    texts = [f"text {n}" for n in range(TOGETHER + 1)]
    with pytest.raises(KeyboardInterrupt):
        FrozenEmbedder(Failing(), setting).embed(texts)
    model = CountingEmbedder()
    assert FrozenEmbedder(model, setting).embed(texts).kept == TOGETHER
    assert model.calls == [[texts[-1]]]


def test_it_works_without_a_cache(tmp_path):
    (tmp_path / "embeddings").write_text("a file")
    model = CountingEmbedder()
    for _ in range(2):
        assert FrozenEmbedder(model, Setting(0, "cpu", tmp_path)).embed(["one"]).vectors.shape == (1, 2)
    assert len(model.calls) == 2


def test_odd_texts_and_odd_answers(setting):
    assert FrozenEmbedder(CountingEmbedder(), setting).embed([]).vectors.shape == (0, 0)
    assert FrozenEmbedder(CountingEmbedder(), setting).embed(["\ud800", "\ud801"]).vectors.shape == (2, 2)

    class Silent(CountingEmbedder):
        def run(self, requests):
            return []

    with pytest.raises(ModelError, match="0 vectors for 1 texts"):
        FrozenEmbedder(Silent(), setting).embed(["new"])
