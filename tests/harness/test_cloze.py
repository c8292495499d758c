"""Texts with a blank: from the file to what causal and masked models are asked."""

import json

import pytest

from harness.answers import ask, decide
from harness.assets import Assets
from harness.checking import check_task
from harness.errors import ConfigError, TemplateError
from harness.plugins import Plugins
from harness.promptparts import Question
from harness.records import Filled, FillMask, LogLikelihood, LogLikelihoods, Prompt
from harness.taskfile import load_task
from harness.templates import render_answer, render_choices, render_query
from harness.testing import ToyModel
from harness_strategies.prompting import FewShot, ZeroShot
from harness_strategies.reasoning import ChainOfThought
from harness_strategies.scorers import PerByte


class Chatting(ToyModel):
    """A toy with a chat template."""

    chats = True

    def written(self, prompts):
        return [str(prompt.messages) for prompt in prompts]


CLOZE = """\
name: gaps
kind: cloze
data:
  files: {test: test.jsonl}
  fields: {text: text, choices: words, target: right}
prompt: {template: "{{ text }}"}
"""
ROWS = [
    {"text": "The ____ is warm.", "words": ["sun", "snow"], "right": "sun"},
    {"text": "____ melts", "words": ["Sun", "Snow"], "right": "Snow"},
    {"text": 'He said: "____ falls."', "words": ["Sun", "Snow"], "right": "Snow"},
]
READS, FILLS = frozenset({"LogLikelihood"}), frozenset({"FillMask"})


@pytest.fixture
def load(tmp_path):
    def load(text=CLOZE, rows=ROWS):
        (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (tmp_path / "task.yaml").write_text(text)
        assets = Assets(Plugins().registry("source"), root=tmp_path / "cache", offline=True)
        return load_task(tmp_path / "task.yaml", assets)

    return load


def test_query_and_choice_are_the_whole_text(load):
    task = load()
    assert task.spec.metrics == ("accuracy",)
    for row, sample in zip(ROWS, task.samples("test"), strict=True):
        query = render_query(task.spec, sample)
        whole = [row["text"].replace("____", word) for word in row["words"]]
        assert [query + said for said in render_choices(task.spec, sample)] == whole
        assert query + render_answer(task.spec, sample) == row["text"].replace("____", row["right"])
        assert query == query.rstrip(), "a space belongs to the word behind it, as tokenizers have it"


def test_a_causal_model_reads_each_whole_text(load):
    task = load()
    first, *_ = task.samples("test")
    question = Question(task.spec, first, "", (task.samples("test")[1],), READS, 0)
    assert question.request == LogLikelihood(Prompt("The", ("Snow melts\n\n",)), (" sun is warm.", " snow is warm."))
    assert decide(task.spec, first, [LogLikelihoods((-1.0, -2.0))]).correct


def test_a_masked_model_fills_the_blank(load):
    task = load()
    first, second, _ = task.samples("test")
    assert ask(task.spec, first, Prompt("The"), answers=FILLS) == FillMask(
        Prompt("The"), (" sun", " snow"), " is warm."
    )
    assert ask(task.spec, second, Prompt(""), answers=FILLS) == FillMask(Prompt(""), ("Sun", "Snow"), " melts")
    assert not decide(task.spec, first, [Filled((-2.0, -1.0))]).correct


def test_the_blank_may_be_another_and_stands_there_once(load):
    task = load(CLOZE.replace('"{{ text }}"', '"{{ text }}", blank: "is"'))
    assert render_query(task.spec, task.samples("test")[0]) == "The ____"
    for text, times in (("none", 0), ("____ and ____", 2)):
        task = load(rows=[{**ROWS[0], "text": text}])
        with pytest.raises(TemplateError, match=f"stands {times} times, not once") as caught:
            check_task(task)
        assert "task.yaml:6: prompt.template" in str(caught.value)


def test_the_task_may_have_one_list_of_choices(load):
    text = CLOZE.replace("  fields", "  derive: {either: \"['sun', 'snow']\"}\n  fields").replace("words", "either")
    task = load(text, rows=ROWS[:1])
    assert task.samples("test")[0].choices == ("sun", "snow")
    assert [line for line in check_task(task) if "warning" in line] == []


def test_a_text_with_a_blank_is_no_chat_and_no_puzzle(load):
    spec = load().spec
    for strategy in (ZeroShot(chat="turns"), FewShot(chat="message")):
        assert "cuts a text at its blank" in (strategy.refuses(Chatting(), spec) or "")
    assert ZeroShot().refuses(Chatting(), spec) is None
    assert "nothing to reason about" in (ChainOfThought().refuses(Chatting(), spec) or "")
    sample = load().samples("test")[0]
    made = Question(spec, sample, "", (), FILLS, 0)
    assert PerByte().scores(made, [Filled((-4.0, -5.0))]) == (-4.0 / len(" sun"), -5.0 / len(" snow"))


def test_a_blank_is_of_this_kind_alone(load):
    with pytest.raises(ConfigError, match="only a cloze task"):
        load(CLOZE.replace("cloze", "multiple-choice").replace('"{{ text }}"', '"{{ text }}", blank: "_"'))
