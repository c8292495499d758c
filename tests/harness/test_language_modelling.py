"""Texts to be predicted: from the file to the score, which is worked by hand."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from harness.answers import decide, read
from harness.assets import Assets
from harness.checking import check_task
from harness.errors import ConfigError
from harness.plugins import Plugins
from harness.records import LogLikelihoods, PromptSpec, RollingLogLikelihood, Sample, TaskSpec
from harness.taskfile import load_task
from harness.testing import ToyModel, check_metric
from harness_metrics.likelihood import CrossEntropy
from harness_metrics.perplexity import BitsPerByte, TokenPerplexity, WordPerplexity
from harness_strategies.prompting import FewShot, ZeroShot
from harness_strategies.reasoning import ChainOfThought

LETTERS = """\
name: letters
kind: language-modelling
data:
  files: {test: all.jsonl}
  fields: {text: body}
prompt:
  template: "{{ text }}"
"""
SPEC = TaskSpec("letters", "language-modelling", PromptSpec("{{ text }}"))


@pytest.fixture
def load(tmp_path):
    def load(text=LETTERS):
        (tmp_path / "all.jsonl").write_text("".join(json.dumps({"body": one}) + "\n" for one in ("Dear Ann,", "Yes")))
        (tmp_path / "task.yaml").write_text(text)
        assets = Assets(Plugins().registry("source"), root=tmp_path / "cache", offline=True)
        return load_task(tmp_path / "task.yaml", assets)

    return load


def said(*texts):
    """Predictions of (text, log-likelihood, tokens)."""
    return [
        decide(SPEC, Sample(str(at), {"text": text}, ""), [LogLikelihoods((value,), tokens=(tokens,))])
        for at, (text, value, tokens) in enumerate(texts)
    ]


def test_a_text_is_asked_for_as_the_template_says(load):
    task = load(LETTERS.replace("{{ text }}", "Letter: {{ text }}"))
    first = task.samples("test")[0]
    assert first.target == ""
    assert read(task.spec, first) == (RollingLogLikelihood("Letter: Dear Ann,"),)
    assert check_task(task)[0].message.startswith("test: 2 rows")
    assert task.spec.metrics == ("bits_per_byte", "word_perplexity", "token_perplexity")


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("{text: body}", "{text: body, target: body}", "data.fields.target"),
        ("prompt:", "prompt:\n  instruction: Read.", "prompt.instruction"),
        ("prompt:", "labels: {a: a, b: b}\nprompt:", "labels"),
    ],
)
def test_what_only_questions_have_is_refused(load, old, new, key):
    with pytest.raises(ConfigError) as error:
        load(LETTERS.replace(old, new))
    assert key in str(error.value)


def test_scores_worked_by_hand():
    predictions = said(("two words", -6.0, 3), ("ü", -2.0, 1))  # 8 nats; 4 tokens; 3 words; 9 + 2 bytes
    assert TokenPerplexity().compute(predictions, SPEC).value == pytest.approx(math.exp(2))
    assert WordPerplexity().compute(predictions, SPEC).value == pytest.approx(math.exp(8 / 3))
    assert BitsPerByte().compute(predictions, SPEC).value == pytest.approx(8 / 11 / math.log(2))
    worse = [replace(one, scores=(one.scores[0] - 1,)) for one in predictions]
    assert BitsPerByte().compare(worse, predictions, SPEC).difference.value == pytest.approx(2 / 11 / math.log(2))


@pytest.mark.parametrize("metric", [TokenPerplexity(), WordPerplexity(), BitsPerByte()])
def test_metrics_keep_the_contract_and_have_no_score_of_other_tasks(metric):
    check_metric(metric)
    assert metric.compute(said(("", 0.0, 0)), SPEC) is None or metric.unit == "words"
    assert metric.compute(said(("a b", -1.0, 2)), TaskSpec("g", "generation", PromptSpec(""))) is None
    assert CrossEntropy().compute(said(("a b", -1.0, 2)), SPEC) is None


def test_only_a_plain_reading_of_a_causal_model_fits():
    assert ZeroShot().refuses(ToyModel(), SPEC) is None
    assert "take zero-shot" in ZeroShot(scoring="mean").refuses(ToyModel(), SPEC)
    assert "take zero-shot" in FewShot().refuses(ToyModel(), SPEC)
    assert "take zero-shot" in ChainOfThought().refuses(ToyModel(), SPEC)
    encoder = ToyModel()
    encoder.answers = frozenset({"FillMask", "Embed"})
    assert "from left to right" in ZeroShot().refuses(encoder, SPEC)
