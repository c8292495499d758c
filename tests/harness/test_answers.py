import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.answers import ask, classify, decide
from harness.errors import ModelError
from harness.extraction import NUMBER, canonical
from harness.records import (
    Classified,
    Classify,
    ExtractSpec,
    Filled,
    FillMask,
    Generate,
    Generated,
    GenerationSpec,
    LogLikelihood,
    LogLikelihoods,
    Prompt,
    PromptSpec,
    Sample,
    TaskSpec,
    Usage,
    Written,
)
from harness.seeds import derived

REVIEWS = TaskSpec(
    "reviews", "classification", PromptSpec("{{ text }}:", input="<{{ text }}>"), {"bad": " -", "good": " +"}
)
FILM = Sample("1", {"text": "Fine."}, "good", context="films")
CAPITALS = TaskSpec("capitals", "multiple-choice", PromptSpec("{{ question }}"))
FRANCE = Sample("2", {"question": "Of France?"}, "1", choices=("Rome", "Paris", "Bern"))
SUMS = TaskSpec(
    "sums",
    "generation",
    PromptSpec("{{ q }}"),
    generation=GenerationSpec(16, ("\n",), 0.5, 0.9),
    extract=ExtractSpec(NUMBER, "last", "number"),
)
SUM = Sample("3", {"q": "1,000 + 4?"}, "1,004.0")
PROMPT = Prompt("?")


def test_what_is_asked_by_kind_of_task():
    assert ask(REVIEWS, FILM, PROMPT) == LogLikelihood(PROMPT, (" -", " +"))
    assert ask(CAPITALS, FRANCE, PROMPT) == LogLikelihood(PROMPT, (" Rome", " Paris", " Bern"))
    assert ask(SUMS, SUM, PROMPT, seed=7) == Generate(PROMPT, 16, ("\n",), 0.5, derived(7, "3"), 0.9, 1)
    assert classify(REVIEWS, FILM) == (Classify("<Fine.>", ("bad", "good")),)


def test_each_sample_draws_by_itself_and_nothing_changes_where_nothing_is_drawn():
    seeds = {ask(SUMS, Sample(str(n), {}, "1"), PROMPT, seed=seed).seed for n in range(50) for seed in range(2)}
    assert len(seeds) == 100
    greedy = dataclasses.replace(SUMS, generation=GenerationSpec(16))
    assert ask(greedy, SUM, PROMPT, seed=7) == Generate(PROMPT, 16, seed=7)


@pytest.mark.parametrize("response", [LogLikelihoods((-4.0, -1.5), Usage(9)), Classified((-4.0, -1.5), Usage(9))])
def test_the_likeliest_label(response):
    said = decide(REVIEWS, FILM, [response])
    assert (said.sample_id, said.prediction, said.target, said.status) == ("1", "good", "good", "answered")
    assert (said.scores, said.usage, said.context) == ((-4.0, -1.5), Usage(9), "films")
    assert said.correct


def test_the_number_of_the_likeliest_choice_and_the_first_of_equals():
    assert decide(CAPITALS, FRANCE, [LogLikelihoods((-3, -1, -2))]).prediction == "1"
    assert decide(CAPITALS, FRANCE, [LogLikelihoods((-3, -1, -1))]).prediction == "1"
    assert decide(CAPITALS, FRANCE, [LogLikelihoods((-math.inf, -1, -2))]).status == "answered"


@pytest.mark.parametrize("values", [(math.nan, -1.0), (-1.0, math.nan), (-math.inf, -math.inf), (math.inf, -1.0)])
def test_scores_that_can_not_be_compared_fail_with_a_reason(values):
    said = decide(REVIEWS, FILM, [LogLikelihoods(values)])
    assert (said.status, said.prediction) == ("failed", None)
    assert "no choice can be the likeliest" in said.reason


def test_a_question_that_was_cut_still_counts():
    said = decide(REVIEWS, FILM, [LogLikelihoods((-4.0, -1.5), Usage(cut_tokens=3))])
    assert (said.status, said.prediction) == ("truncated", "good")


@pytest.mark.parametrize(
    ("text", "finish", "prediction", "status"),
    [
        ("4 and 1,000 are 1,004.", "stop", "1004", "answered"),
        ("so 1004.00", "length", "1004", "truncated"),
        ("no idea", "stop", None, "unparsed"),
        ("no idea", "length", None, "unparsed"),
        (" \n", "stop", None, "empty"),
        ("", "length", None, "empty"),
    ],
)
def test_numbers_found_in_generated_text(text, finish, prediction, status):
    said = decide(SUMS, SUM, [Generated(text, finish)])
    assert (said.prediction, said.status, said.text) == (prediction, status, text)
    assert said.target == "1004", "in the same form as the answer"
    assert said.correct == (prediction == "1004")


def several(*texts):
    """Texts, those that end in `...` cut off by the limit."""
    first, *more = (Written(text, "length" if text.endswith("...") else "stop") for text in texts)
    return Generated(first.text, first.finish, Usage(9, 30), tuple(more))


@pytest.mark.parametrize(
    ("texts", "prediction", "text", "status"),
    [
        (["is 5", "is 1,004", "or 1004.0"], "1004", "is 1,004", "answered"),
        (["is 5", "is 1004", "makes 1004", "5."], "5", "is 5", "answered"),
        (["no idea", "none", "", "is 7"], "7", "is 7", "answered"),
        (["is 7", "is 8", "is 8..."], "8", "is 8", "answered"),
        (["is 7", "is 8...", "is 8"], "8", "is 8...", "truncated"),
        (["is 7...", "is 8", "is 8"], "8", "is 8", "answered"),
        (["", "no idea", "none..."], None, "no idea", "unparsed"),
        (["", " ", "\n"], None, "", "empty"),
    ],
)
def test_of_several_texts_the_answer_of_most_wins_and_of_equals_the_first(texts, prediction, text, status):
    spec = dataclasses.replace(SUMS, generation=GenerationSpec(temperature=0.5, n=len(texts)))
    said = decide(spec, SUM, [several(*texts)])
    assert (said.prediction, said.text, said.status) == (prediction, text, status)
    assert said.usage == Usage(9, 30)
    assert said.correct == (prediction == "1004")


@given(st.lists(st.sampled_from(["1", "2", "3", ""]), min_size=1, max_size=9), st.randoms())
def test_the_order_of_texts_decides_between_equals_alone(answers, rng):
    spec = dataclasses.replace(SUMS, generation=GenerationSpec(temperature=0.5, n=len(answers)))
    shuffled = rng.sample(answers, len(answers))
    won = {decide(spec, SUM, [several(*texts)]).prediction for texts in (answers, shuffled)}
    counts = {answer: answers.count(answer) for answer in answers if answer}
    assert won <= {answer for answer, count in counts.items() if count == max(counts.values())} or won == {None}
    assert (None in won) == (not counts)


def test_fewer_texts_than_asked_for_are_the_models_error():
    spec = dataclasses.replace(SUMS, generation=GenerationSpec(temperature=0.5, n=3))
    with pytest.raises(ModelError, match="sample '3': 2 texts where 3 were asked for"):
        decide(spec, SUM, [several("is 5", "is 5")])


def test_texts_are_compared_without_case_and_spacing():
    spec = dataclasses.replace(SUMS, extract=ExtractSpec())
    said = decide(spec, Sample("1", {}, "New York"), [Generated("\n new  york \n", "stop", Usage(cut_tokens=1))])
    assert (said.prediction, said.target, said.status) == ("new york", "new york", "truncated")


def test_patterns_with_a_group_and_which_match_counts():
    text = "answer: b, or rather Answer: C"
    for take, found in (("first", "b"), ("last", "c")):
        spec = dataclasses.replace(SUMS, extract=ExtractSpec(r"(?i)answer: (\w)|(?:never)", take))
        assert decide(spec, Sample("1", {}, "C"), [Generated(text, "stop")]).prediction == found
    spec = dataclasses.replace(SUMS, extract=ExtractSpec(r"x(\w)?"))
    assert decide(spec, Sample("1", {}, "C"), [Generated("x", "stop")]).status == "unparsed"


@pytest.mark.parametrize(
    ("spec", "sample", "responses"),
    [
        (REVIEWS, FILM, [Generated("good", "stop")]),
        (SUMS, SUM, [LogLikelihoods((-1.0,))]),
        (REVIEWS, FILM, []),
        (REVIEWS, FILM, [LogLikelihoods((-1.0, -2.0))] * 2),
        (REVIEWS, FILM, [LogLikelihoods((-1.0,))]),
        (CAPITALS, FRANCE, [LogLikelihoods((-1.0, -2.0))]),
    ],
)
def test_a_response_that_does_not_fit_the_question_is_the_models_error(spec, sample, responses):
    with pytest.raises(ModelError, match="sample"):
        decide(spec, sample, responses)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("$1,234.50", "1234.5"),
        ("1234.5", "1234.5"),
        (" 1234.50. ", "1234.5"),
        ("-$5", "-5"),
        ("$-5", "-5"),
        ("\u22127", "-7"),
        ("+3", "3"),
        ("10%", "10"),
        ("007", "7"),
        (".50", "0.5"),
        ("-0.0", "0"),
        ("1,00,000", "100000"),
        ("\u20ac 12", "12"),
        ("100", "100"),
        ("3, 4", None),
        ("3,4", None),
        ("twelve", None),
        ("", None),
        ("1e5", None),
        ("--5", None),
    ],
)
def test_one_form_for_equal_numbers(text, number):
    assert canonical(text, "number") == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("7-3=4", "4"),
        ("so it is 10-12", "12"),
        ("it fell to -12 degrees", "-12"),
        ("She has $18.", "18"),
        ("#### 1,430", "1430"),
        ("either 3, 4", "4"),
        ("**42**", "42"),
        ("x = (-3)", "-3"),
    ],
)
def test_the_last_number_of_a_text(text, number):
    assert decide(SUMS, SUM, [Generated(text, "stop")]).prediction == number


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=3))
def test_a_number_is_the_same_however_it_is_written(value):
    plain = canonical(f"{value:f}", "number")
    assert plain is not None
    assert float(plain) == float(value)
    assert canonical(f"{value:,f}", "number") == plain
    assert canonical(f"{value:f}000.", "number") == plain
    assert canonical(plain, "number") == plain


@pytest.mark.parametrize(("spec", "sample"), [(REVIEWS, FILM), (CAPITALS, FRANCE)])
def test_a_model_that_only_fills_blanks_is_asked_by_cloze(spec, sample):
    scored = ask(spec, sample, PROMPT)
    filling = ask(spec, sample, PROMPT, answers={"FillMask", "Embed"})
    assert filling == FillMask(PROMPT, scored.continuations)
    assert ask(spec, sample, PROMPT, answers={"FillMask", "LogLikelihood"}) == scored
    values = (-3.0, -1.0, -2.0)[: len(filling.fillings)]
    assert decide(spec, sample, [Filled(values)]) == decide(spec, sample, [LogLikelihoods(values)])


def test_a_cut_cloze_is_truncated():
    assert decide(REVIEWS, FILM, [Filled((-1.0, -2.0), Usage(cut_tokens=3))]).status == "truncated"
