import dataclasses
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ConfigError, ParameterError
from harness.extraction import STEPS, canonical, extract_identity, find_answer, verbatim
from harness.records import ExtractSpec, Prediction, PromptSpec, Step, TaskSpec
from harness.taskextract import read_step
from harness.taskschema import read_task, specification

TASK = """\
name: sums
kind: generation
data: {files: {test: rows.jsonl}, fields: {question: q, target: a}}
prompt: {template: "{{ question }}"}
"""


def spec(*steps, **told):
    extract = ExtractSpec(steps=tuple(map(read_step, steps)), **told)
    return TaskSpec("sums", "generation", PromptSpec("{{ q }}"), extract=extract)


def written(tmp_path, extract):
    path = tmp_path / "task.yaml"
    path.write_text(TASK + "extract:\n" + textwrap.indent(textwrap.dedent(extract), "  "))
    return path


@pytest.mark.parametrize(
    ("step", "text", "found"),
    [
        ({"regex": "is (\\w+)"}, "it is blue, is red", "blue"),
        ({"regex": {"pattern": "is (\\w+)", "take": "last"}}, "it is blue, is red", "red"),
        ({"regex": "x"}, "nothing", None),
        ({"remove": "<[^>]*>"}, "<b>so</b>", "so"),
        ("number", "it costs $1,234.50, or 3", "$1,234.50"),
        ({"number": "last"}, "it costs $1,234.50, or -3.", "-3"),
        ("choice_letter", "A good one: (C), not (B)", "C"),
        ({"choice_letter": {"take": "last"}}, "A good one: (C), not (B)", "B"),
        ("choice_letter", "Answer: B.", "B"),
        ("choice_letter", " D because of it", "D"),
        ("choice_letter", "no Zebra", None),
        ({"choice_letter": "AB"}, "(C)", None),
        ({"json": "answer"}, 'So: {"answer": "yes", "x": {"answer": 1}}', "yes"),
        ({"json": "result.n"}, 'a { {"result": {"n": 4}} }', "4"),
        ({"json": {"field": "n", "take": "last"}}, '{"n": 1} {"n": 2}', "2"),
        ({"json": "n"}, "{" * 5000, None),
        ({"after": "Answer:"}, "Q Answer: a Answer: b", " a Answer: b"),
        ({"after": {"marker": "answer:", "take": "last", "ignore_case": True}}, "Q Answer: a ANSWER: b", " b"),
        ({"after": "####"}, "none", None),
        ({"before": "\n\n"}, "one\n\ntwo", "one"),
        ({"before": "###"}, "one", "one"),
        ("strip", "  so ", "so"),
        ({"strip": ".\"'"}, ' "so." ', "so"),
        ("lower", "SO", "so"),
        ("first_line", "\n one\ntwo", " one"),
        ("last_line", "one\ntwo\n\n", "two"),
    ],
)
def test_each_step_finds_what_it_is_named_for(step, text, found):
    one = read_step(step)
    assert STEPS[one.name](**one.options)(text) == found


def test_a_pipeline_passes_on_what_each_step_finds():
    told = spec({"after": {"marker": "Answer:", "take": "last"}}, "first_line", {"strip": "."})
    assert find_answer(told, "Answer: no\nAnswer: The  Cat.\nthen") == "the cat"
    assert find_answer(told, "none of it") is None
    said = Prediction("1", "the cat", "the cat", text="Answer: no\nAnswer: The  Cat.\nthen")
    assert verbatim(told, said) == "The  Cat"


def test_a_pipeline_that_ends_in_a_number_gives_canonical_numbers(tmp_path):
    file = written(
        tmp_path,
        """\
        steps:
          - after: "####"
          - number
        """,
    )
    told = specification(read_task(file)[1])
    assert told.extract.type == "number"
    assert find_answer(told, "3 and 4 #### $1,234.50.") == "1234.5"
    assert find_answer(told, "3 and 4") is None


@given(st.text(max_size=200))
def test_without_steps_any_text_has_the_answer_it_had_before_there_were_steps(text):
    told = TaskSpec("t", "generation", PromptSpec("{{ q }}"))
    assert find_answer(told, text) == (canonical(text, "text") or None)


@given(st.lists(st.sampled_from(sorted(set(STEPS) - {"regex", "remove", "json", "after", "before"}))), st.text())
def test_any_text_goes_through_any_pipeline(names, text):
    found = find_answer(spec(*names), text)
    assert found is None or found.strip()


def test_keys_of_tasks_without_steps_are_what_they_were():
    assert extract_identity(ExtractSpec()) == {"pattern": r"(?s)\s*(.*\S)", "take": "first", "type": "text"}
    stepped = ExtractSpec(steps=(Step("number", {"take": "first"}),))
    assert extract_identity(stepped) == dataclasses.asdict(stepped)


@pytest.mark.parametrize(
    ("extract", "error", "where", "message"),
    [
        ("steps: [nubmer]", ConfigError, "6: extract.steps[0]", "no step 'nubmer'"),
        ("steps:\n  - number\n  - regex: '('", ConfigError, "8: extract.steps[1]", "no regular expression"),
        ("steps: [{regex: {}}]", ParameterError, "6: extract.steps[0]", "needs parameter 'pattern'"),
        ("steps: [{after: {marker: x, takes: last}}]", ParameterError, "6: extract.steps[0]", "no parameter 'takes'"),
        ("steps: [{number: middle}]", ParameterError, "6: extract.steps[0]", "take='middle' is wrong"),
        ("steps: [{lower: 1}]", ParameterError, "6: extract.steps[0]", "takes no option"),
        ("steps: [{lower: {}, strip: {}}]", ConfigError, "6: extract.steps[0]", "2 steps in one"),
        ("steps: [lower]\npattern: x", ConfigError, "7: extract.pattern", "steps take the place"),
        ("steps: []", ConfigError, "6: extract.steps", "at least 1 item"),
        ("step: [lower]", ConfigError, "6: extract.step", "unknown key 'step'"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path, extract, error, where, message):
    with pytest.raises(error, match=message) as raised:
        read_task(written(tmp_path, extract))
    assert raised.value.where.endswith(where)
