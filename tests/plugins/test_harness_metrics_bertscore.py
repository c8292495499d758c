"""BERTScore against a computation of the paper's formulas by plain transformers, text by text."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
import transformers

from harness.assets import Assets
from harness.catalogue import Catalogue
from harness.errors import ModelError, ParameterError
from harness.plugins import PluginChoice, Plugins
from harness.records import Component, Prediction, PromptSpec, TaskSpec
from harness_metrics.bertscore import BertScore

TEXTS = TaskSpec("texts", "generation", PromptSpec("{{ question }}"))
ANSWERS = ("The film was a joy.", "Shares fell on Monday, said the bank", "goals", "", "A new phone with a camera")
REFERENCES = (
    ("The film was a joy.",),
    ("Shares fell by 12% after the bank's warning.", "The bank said that shares fell."),
    ("England won the match with two late goals.", "two goals"),
    ("The minister will answer questions.",),
    ("A better phone goes on sale next week.", ""),
)


@pytest.fixture
def catalogue(tmp_path):
    plugins = Plugins(PluginChoice(strict=True))
    return Catalogue(plugins, Assets(plugins.registry("source"), root=tmp_path / "cache", offline=True))


def predictions(answers=ANSWERS, references=REFERENCES):
    return [
        Prediction(str(at), wanted[0], said or None, text=said, measured={"references": wanted})
        for at, (said, wanted) in enumerate(zip(answers, references, strict=True))
    ]


class Plain:
    """The formulas of the paper, and what its code does beside them, a pair at a time."""

    def __init__(self, folder, layer=-1):
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self.model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
        self.layer = layer

    @torch.no_grad()
    def read(self, text):
        ids = self.tokenizer(text, return_tensors="pt")
        states = self.model(**ids, output_hidden_states=True).hidden_states[self.layer][0]
        return ids["input_ids"][0].tolist(), torch.nn.functional.normalize(states.double(), dim=-1)

    def idf(self, references):
        texts = [text for wanted in references for text in wanted]
        counts = Counter(token for text in texts for token in set(self.tokenizer(text)["input_ids"]))
        return {token: math.log((len(texts) + 1) / (count + 1)) for token, count in counts.items()}, len(texts)

    def pair(self, said, wanted, weigh):
        if not said or not wanted:
            return 0.0, 0.0, 0.0
        (a, first), (b, second) = self.read(said), self.read(wanted)
        cosines = first @ second.T
        shares = []
        for ids, nearest in ((a, cosines.max(1).values), (b, cosines.max(0).values)):
            weights = torch.tensor([weigh(one) for one in ids], dtype=torch.float64)
            shares.append(float((weights * nearest).sum() / weights.sum()) if weights.sum() else 0.0)
        precision, recall = shares
        return precision, recall, 2 * precision * recall / (precision + recall) if precision + recall else 0.0

    def scores(self, answers, references, idf=False):
        """(n, 3)."""
        framing = {self.tokenizer.cls_token_id, self.tokenizer.sep_token_id}
        known, number = self.idf(references)

        def weigh(token):
            return 0.0 if token in framing else known.get(token, math.log(number + 1)) if idf else 1.0

        return np.array(
            [
                np.max([self.pair(said, one, weigh) for one in wanted], axis=0)
                for said, wanted in zip(answers, references, strict=True)
            ]
        )


MEASURES = ("precision", "recall", "f1")


@pytest.mark.parametrize("idf", [False, True])
@pytest.mark.parametrize("layer", [None, 0, 1, 2])
def test_it_is_that_of_plain_transformers(catalogue, tiny_checkpoint, layer, idf):
    folder = tiny_checkpoint("bert")
    expected = Plain(folder, -1 if layer is None else layer).scores(ANSWERS, REFERENCES, idf).mean(axis=0)
    told = "" if layer is None else f",layer={layer}"
    names = [f"bertscore,model=hf:{folder},measure={one}{told},idf={idf}" for one in MEASURES]
    found = [metric.compute(predictions(), TEXTS) for metric in catalogue.metrics(names).values()]
    assert [one.value for one in found] == pytest.approx(expected.tolist(), abs=1e-5)
    assert all(one.low <= one.value <= one.high for one in found)


@pytest.mark.parametrize("idf", [False, True])
def test_weights_leave_samples_out(catalogue, tiny_checkpoint, idf):
    (metric,) = catalogue.metrics([f"bertscore,model=hf:{tiny_checkpoint('bert')},idf={idf}"]).values()
    said = predictions()
    score = metric.weighted(said, TEXTS)
    for left_out in range(len(said)):
        kept = [one for at, one in enumerate(said) if at != left_out]
        weights = np.array([[float(at != left_out) for at in range(len(said))]])
        assert score(weights)[0] == pytest.approx(metric.compute(kept, TEXTS).value)
    twice = score(np.array([[2.0, 1.0, 1.0, 0.0, 1.0]]))[0]
    repeated = [said[0], *said[:3], said[4]]
    assert twice == pytest.approx(metric.compute(repeated, TEXTS).value)
    assert np.isnan(score(np.zeros((1, len(said))))).all()


@pytest.mark.parametrize("idf", [False, True])
def test_two_trials_differ_by_their_scores(catalogue, tiny_checkpoint, idf):
    (metric,) = catalogue.metrics([f"bertscore,model=hf:{tiny_checkpoint('bert')},idf={idf}"]).values()
    a, b = predictions(), predictions(("", "goals", "goals", "", "phone"))
    found = metric.compare(a, b, TEXTS)
    assert found.difference.value == pytest.approx(metric.compute(a, TEXTS).value - metric.compute(b, TEXTS).value)
    assert metric.compare(a, a, TEXTS).p_value == 1.0


def test_pairs_are_matched_once_and_models_are_left_alone_where_only_the_cache_may_be_asked(catalogue, tiny_checkpoint):
    name = f"bertscore,model=hf:{tiny_checkpoint('bert')}"
    before = catalogue.metrics([name])[name].compute(predictions(), TEXTS)
    fresh = Catalogue(catalogue.plugins, catalogue.assets, made=catalogue.made)
    with fresh.models.only_kept():
        assert fresh.metrics([name])[name].compute(predictions(), TEXTS) == before
        with pytest.raises(ModelError, match="would say of it is in the cache"):
            fresh.metrics([f"{name},layer=1"])[f"{name},layer=1"].compute(predictions(), TEXTS)
    assert fresh.metrics([f"{name},layer=1"])[f"{name},layer=1"].compute(predictions(), TEXTS) != before


def test_what_it_can_not_do_is_told(catalogue, tiny_checkpoint):
    bert = f"hf:{tiny_checkpoint('bert')}"
    (metric,) = catalogue.metrics([f"bertscore,model={bert},layer=3"]).values()
    with pytest.raises(ModelError, match="there is no layer 3: the model has 2"):
        metric.compute(predictions(), TEXTS)
    with pytest.raises(ParameterError, match="layer"):
        catalogue.metrics([f"bertscore,model={bert},layer=-1"])
    (metric,) = catalogue.metrics(["bertscore,model=majority"]).values()
    assert metric.misfit(TEXTS) == "model 'majority' gives no vectors of tokens"
    assert BertScore().compute(predictions(), TaskSpec("labels", "classification", PromptSpec(""))) is None


@pytest.mark.model
@pytest.mark.parametrize("idf", [False, True])
def test_by_minilm_it_is_that_of_plain_transformers(tmp_path, assets, idf):
    real = Catalogue(Plugins(), assets, made=tmp_path / "made")
    folder = real.model(Component("minilm-l6")).fetch()
    for layer, told in ((-1, ""), (4, ",layer=4")):
        expected = Plain(folder, layer).scores(ANSWERS, REFERENCES, idf).mean(axis=0)
        names = [f"bertscore,measure={one}{told},idf={idf}" for one in MEASURES]
        found = [metric.compute(predictions(), TEXTS).value for metric in real.metrics(names).values()]
        assert found == pytest.approx(expected.tolist(), abs=1e-5)
