"""Answers in passages: where they stand, and what a found one means."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.answers import classify, decide, example
from harness.errors import ModelError
from harness.records import Classified, FindSpan, FoundSpan, PromptSpec, Sample, TaskSpec
from harness.spans import read_span, written_span
from harness_metrics.squad import SquadF1

PASSAGE = "Theodore met Theo in  New\nYork, the city."


def spec(unanswerable="", **prompt):
    return TaskSpec(
        "passages",
        "question-answering",
        PromptSpec("{{ passage }} {{ question }}", **prompt),
        unanswerable=unanswerable,
        has_passage=True,
    )


def sample(target, references=(), passage=PASSAGE, **more):
    return Sample("1", {"question": "Who?", "passage": passage}, target, references=references, **more)


@pytest.mark.parametrize(
    ("target", "references", "found"),
    [
        ("Theo", (), "Theo"),
        ("new york", (), "New\nYork"),
        ("Rome", ("Rome", "the city"), "the city"),
        ("Theod", (), "Theod"),
        ("odo", ("odo", "met"), "met"),
        ("York,", (), "York,"),
    ],
)
def test_an_answer_stands_where_its_words_do(target, references, found):
    start, end = read_span(written_span(spec(), sample(target, references)))
    assert PASSAGE[start:end] == found


def test_whole_words_come_first():
    assert read_span(written_span(spec(), sample("Theo"))) == (13, 17)


@pytest.mark.parametrize(
    ("starts", "found"),
    [
        ([13, 0], (13, 17)),
        ([0], (0, 4)),  # what the row names, part of a word or not
        (0, (0, 4)),
        ([5, 13], (13, 17)),  # nothing begins at 5
        ([-1, None, 99], (13, 17)),  # as if nothing had been told
        (None, (13, 17)),
    ],
)
def test_where_the_row_says_that_an_answer_begins_comes_before_all_others(starts, found):
    told = sample("Theo")
    told.fields["starts"] = starts
    assert read_span(written_span(spec(), told)) == found


def test_what_stands_nowhere_teaches_nothing():
    assert written_span(spec(), sample("Rome")) is None
    assert written_span(spec(), sample(" ")) is None
    assert example(spec(), sample("Rome")) is None
    assert written_span(spec("nowhere"), sample("nowhere")) == "null"
    assert read_span("null") is None
    assert example(spec("nowhere"), sample("nowhere")) == (("Who?", PASSAGE), "null")


@given(st.text(max_size=30), st.text(min_size=1, max_size=8), st.text(max_size=30))
def test_any_answer_of_a_passage_is_found_in_it(before, answer, after):
    passage = before + answer + after
    written = written_span(spec(), sample(answer, passage=passage))
    if answer.split():
        start, end = json.loads(written)
        assert passage[start:end].casefold().split() == answer.casefold().split() or answer.lower() != answer.casefold()
    else:
        assert written is None


def test_questions_are_asked_with_their_passages():
    assert classify(spec(), sample("Theo")) == (FindSpan(("Who?", PASSAGE)),)
    (request,) = classify(
        spec("nowhere", context="In {{ context }}: ", condition="label"), sample("Theo", context="a book")
    )
    assert request == FindSpan(("In a book: Who?", PASSAGE), unanswerable=True)


@pytest.mark.parametrize(
    ("answer", "target", "references", "right", "f1"),
    [
        ("Theo", "Theo", (), True, 1),
        ("theo", "Theo", (), True, 1),
        ("Theodore", "Theo", ("Theo", "Theodore"), True, 1),
        ("the city", "New York", ("New York", "the city of New York"), False, 0.4),
        ("", "nowhere", (), True, 1),
        ("Theo", "nowhere", (), False, 0),
        ("", "Theo", (), False, 0),
    ],
)
def test_found_answers_are_judged_as_written_ones(answer, target, references, right, f1):
    said = decide(spec("nowhere"), sample(target, references), [FoundSpan(answer, PASSAGE.find(answer))])
    assert said.status == "answered"
    assert said.correct is right
    told = replace(said, measured={"references": list(references or (target,))})
    assert SquadF1().compute([told], spec("nowhere")).value == pytest.approx(f1)


def test_nothing_found_where_there_is_an_answer_is_none():
    said = decide(spec(), sample("Theo"), [FoundSpan("", -1)])
    assert (said.status, said.prediction, said.correct) == ("empty", None, False)


def test_another_response_is_refused():
    with pytest.raises(ModelError, match="Classified is no answer to a question-answering question"):
        decide(spec(), sample("Theo"), [Classified((0.0,))])
