import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import TemplateError
from harness.records import PromptSpec, Sample, TaskSpec
from harness.templates import (
    compile_expression,
    render_answer,
    render_choices,
    render_head,
    render_input,
    render_instruction,
    render_query,
    undeclared,
    words,
)

REVIEWS = TaskSpec(
    name="reviews",
    kind="classification",
    prompt=PromptSpec(
        "Review: {{ text }}\nSentiment:", instruction="Judge.\n", input="{{ text }}", context="In {{ context }}: "
    ),
    labels={"negative": " bad", "positive": " good"},
    has_context=True,
    contexts={"films": "films of the nineties"},
)
FILM = Sample("1", {"text": "Fine <b>&</b> long."}, "positive", context="films")


def conditioned(spec, condition):
    return dataclasses.replace(spec, prompt=dataclasses.replace(spec.prompt, condition=condition))


def test_a_classification_prompt():
    assert render_query(REVIEWS, FILM) == "Review: Fine <b>&</b> long.\nSentiment:"
    assert render_choices(REVIEWS, FILM) == (" bad", " good")
    assert render_answer(REVIEWS, FILM) == " good"
    assert render_input(REVIEWS, FILM) == "Fine <b>&</b> long."
    assert render_instruction(REVIEWS) == "Judge.\n"


def test_background_instruction_and_keywords_are_paragraphs_and_absent_ones_leave_no_trace():
    whole = {"background": "Films are rated.", "instruction": "Judge.", "keywords": "Keywords: {{ 'plot' | upper }}"}
    for names in itertools.chain.from_iterable(itertools.combinations(whole, size) for size in range(4)):
        prompt = PromptSpec("{{ text }}", separator="\n--\n", **{name: whole[name] for name in names})
        expected = [whole[name].replace("{{ 'plot' | upper }}", "PLOT") for name in whole if name in names]
        spec = dataclasses.replace(REVIEWS, prompt=prompt)
        assert render_instruction(spec) == "\n--\n".join(expected)
        assert render_head(spec) == "".join(f"{text}\n--\n" for text in expected)


def test_the_context_stands_before_query_and_input():
    by_label, by_description = conditioned(REVIEWS, "label"), conditioned(REVIEWS, "description")
    assert render_query(by_label, FILM) == "In films: Review: Fine <b>&</b> long.\nSentiment:"
    assert render_input(by_description, FILM) == "In films of the nineties: Fine <b>&</b> long."
    books = dataclasses.replace(FILM, context="books")
    assert render_input(by_description, books) == "In books: Fine <b>&</b> long.", "not described: its label"
    assert render_input(by_label, dataclasses.replace(FILM, context=None)) == "Fine <b>&</b> long."


def test_multiple_choice_and_generation():
    spec = TaskSpec("capitals", "multiple-choice", PromptSpec("{{ question }}", choice=" {{ choice }}."))
    sample = Sample("1", {"question": "Of France?"}, "1", choices=("Rome", "Paris"))
    assert render_choices(spec, sample) == (" Rome.", " Paris.")
    assert render_answer(spec, sample) == " Paris."
    sums = TaskSpec("sums", "generation", PromptSpec("{{ q }} =", answer=" {{ worked }}, so {{ target }}"))
    solved = Sample("1", {"q": "1+1", "worked": "one and one"}, "2")
    assert render_answer(sums, solved) == " one and one, so 2"
    assert render_choices(sums, solved) == ()


@pytest.mark.parametrize(
    "template", ["{{ txt }}", "{{ text.nothing }}", "{{ text.__class__ }}", "{{ text + 1 }}", "{% include 'x' %}"]
)
def test_what_does_not_render_names_task_sample_and_key(template):
    spec = dataclasses.replace(REVIEWS, prompt=PromptSpec(template))
    with pytest.raises(TemplateError) as caught:
        render_query(spec, FILM)
    assert caught.value.where == "prompt.template"
    assert "task 'reviews'" in caught.value.message
    assert "sample '1'" in caught.value.message


def test_a_template_can_not_change_the_sample():
    sample = Sample("1", {"items": ["a"]}, "positive")
    with pytest.raises(TemplateError):
        render_query(dataclasses.replace(REVIEWS, prompt=PromptSpec("{{ items.append('b') }}")), sample)
    assert sample.fields == {"items": ["a"]}


@pytest.mark.parametrize("template", ["{{ [1, 2] | random }}", "{{ lipsum() }}"])
def test_nothing_random_is_offered(template):
    with pytest.raises(TemplateError):
        render_query(dataclasses.replace(REVIEWS, prompt=PromptSpec(template)), FILM)


def test_trailing_newlines_stay():
    assert render_query(dataclasses.replace(REVIEWS, prompt=PromptSpec("{{ text }}\n")), FILM).endswith("long.\n")


def test_undeclared_names():
    assert undeclared("{% for i in range(n) %}{{ i }}{{ text | words(3) }}{% endfor %}") == {"n", "text"}
    for broken in ("{{ text", "{{ text | nosuchfilter }}"):
        with pytest.raises(TemplateError, match="no valid template"):
            undeclared(broken)


def test_words_keeps_the_spacing_between_them():
    assert words("  one\n\ntwo   three ", 2) == "one\n\ntwo"
    assert words("one", 5) == "one"
    assert words(" \n", 5) == ""


@given(st.text(), st.integers(0, 20))
def test_words_are_a_part_of_the_text_and_so_many(text, count):
    cut = words(text, count)
    assert cut in text
    assert cut.split() == text.split()[:count]


def test_expressions():
    assert compile_expression("'positive' if rating | float > 0 else 'negative'")({"rating": "-1.5"}) == "negative"
    assert compile_expression("[a, b]")({"a": 1, "b": 2}) == [1, 2]
    assert compile_expression("row['Review Text'] | lower")({"Review Text": "FINE"}) == "fine"
    with pytest.raises(TemplateError, match="no valid expression"):
        compile_expression("rating >")
    for text in ("nothing", "rating.__class__", "rating / 0", "'x' if none"):
        with pytest.raises(TemplateError, match="can't be evaluated"):
            compile_expression(text)({"rating": 1})


@pytest.mark.parametrize(
    "text",
    [
        "{{ 'a' * 10**10 }}",
        "{{ text * 999999999 }}",
        "{{ 9 ** 99999 }}",
        "{{ [text] * 100000000 }}",
    ],
)
def test_a_few_characters_can_not_fill_the_memory(text):
    spec = dataclasses.replace(REVIEWS, prompt=PromptSpec(text))
    with pytest.raises(TemplateError, match="large"):
        render_query(spec, FILM)


def test_small_products_and_powers_are_left_alone():
    spec = dataclasses.replace(REVIEWS, prompt=PromptSpec("{{ '-' * 3 }}{{ 2 ** 10 }}{{ 2.5 * 4 }}"))
    assert render_query(spec, FILM) == "---102410.0"
