"""Questions with several answers, or none: from the file to the prediction."""

from __future__ import annotations

import json

import pytest

from harness.answers import ask, decide, verbatim
from harness.assets import Assets
from harness.checking import check_task
from harness.errors import ConfigError, DataError
from harness.plugins import Plugins
from harness.records import Generate, Generated, Prompt
from harness.taskdata import rows_digest
from harness.taskfile import load_task
from harness.templates import render_answer, render_query

PASSAGES = """\
name: passages
kind: question-answering
data:
  files: {test: dev.json}
  format: squad
  fields: {id: id, passage: context, question: question, target: answers}
  cluster: context
prompt:
  template: "{{ passage }}\\n{{ question }}"
unanswerable: not in it
"""
QUESTIONS = [
    {"id": "a", "question": "How long?", "answers": [{"text": "1,094 km"}, {"text": "The 1,094"}]},
    {"id": "b", "question": "How deep?", "answers": []},
    {"id": "c", "question": "Which river?", "answers": [{"text": "Elbe"}]},
]


@pytest.fixture
def load(tmp_path):
    def load(text=PASSAGES, questions=QUESTIONS):
        content = {"data": [{"paragraphs": [{"context": "The Elbe is 1,094 km long.", "qas": questions}]}]}
        (tmp_path / "dev.json").write_text(json.dumps(content))
        (tmp_path / "task.yaml").write_text(text)
        return load_task(
            tmp_path / "task.yaml", Assets(Plugins().registry("source"), root=tmp_path / "cache", offline=True)
        )

    return load


def test_targets_may_be_several_or_none(load):
    task = load()
    several, none, one = task.samples("test")
    assert (several.target, several.references) == ("1,094 km", ("1,094 km", "The 1,094"))
    assert (none.target, none.references) == ("not in it", ())
    assert (one.target, one.references, one.cluster) == ("Elbe", (), "The Elbe is 1,094 km long.")
    assert task.spec.metrics == ("squad_f1", "squad_em")
    assert render_answer(task.spec, none) == " not in it"
    assert render_query(task.spec, one) == "The Elbe is 1,094 km long.\nWhich river?"
    assert isinstance(ask(task.spec, one, Prompt("?")), Generate)


def test_any_of_the_answers_is_right_and_kept_letter_by_letter(load):
    task = load()
    several, none, one = task.samples("test")
    said = decide(task.spec, several, [Generated(" THE 1,094\n", "stop")])
    assert said.correct
    assert verbatim(task.spec, said) == "THE 1,094"
    assert not decide(task.spec, several, [Generated("1,094", "stop")]).correct
    assert decide(task.spec, none, [Generated("Not in it", "stop")]).correct
    assert not decide(task.spec, one, [Generated("", "stop")]).correct
    assert verbatim(task.spec, decide(task.spec, one, [Generated("", "stop")])) == ""


def test_a_changed_reference_changes_the_rows(load):
    before = rows_digest(load().samples("test"))
    changed = [{**QUESTIONS[0], "answers": [*QUESTIONS[0]["answers"], {"text": "1094"}]}, *QUESTIONS[1:]]
    assert rows_digest(load(questions=changed).samples("test")) != before


def test_the_task_passes_its_check(load):
    findings = [finding.message for finding in check_task(load())]
    assert any("3 rows" in line for line in findings)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        (", question: question", "", "data.fields"),
        ("kind: question-answering", "kind: generation", "unanswerable"),
        ("unanswerable: not in it", 'unanswerable: " "', "unanswerable"),
    ],
)
def test_faults_of_the_file_are_named(load, old, new, key):
    with pytest.raises(ConfigError) as error:
        load(PASSAGES.replace(old, new))
    assert key in str(error.value)


def test_questions_without_answers_need_words_for_it(load):
    with pytest.raises(DataError, match="has no target") as error:
        load(PASSAGES.replace("unanswerable: not in it\n", "")).samples("test")
    assert "set unanswerable" in (error.value.hint or "")
