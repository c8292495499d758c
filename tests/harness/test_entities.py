"""Tags against seqeval's reading of them, what is written, and what is found in a text that a model wrote."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from harness.answers import decide, example
from harness.entities import Entity, entities_of, find_entities, moved, read_entities, said_entities, tag_names, tags_of
from harness.entities import written_entities as written
from harness.errors import ModelError
from harness.readable import readable
from harness.records import Classified, Generated, GenerationSpec, PromptSpec, Sample, Tagged, TaskSpec, Usage

TYPES = ("person", "place")
SPEC = TaskSpec(
    "names", "tagging", PromptSpec("{{ text }}\nEntities:"), {"person": "person", "place": " place"}, ("entity_f1",)
)
WORDS = ("Ada", "Lovelace", "met", "Ada", "in", "New", "York", ".")
TARGET = written([Entity("person", 0, 2), Entity("person", 3, 4), Entity("place", 5, 7)], WORDS)


def sample(words=WORDS, target=TARGET, **more):
    return Sample("1", {"tokens": words, "text": " ".join(words)}, target, **more)


tags = st.lists(
    st.one_of(st.just("O"), st.builds("{}-{}".format, st.sampled_from("BIES"), st.sampled_from(TYPES))), max_size=9
)


@given(tags)
def test_any_tags_are_read_as_seqeval_reads_them(sequence):
    assert entities_of(sequence) == [(type_, start, end + 1) for type_, start, end in get_entities(sequence)]


@given(tags)
def test_entities_come_back_from_their_tags_and_from_what_is_written(sequence):
    entities, words = entities_of(sequence), [f"w{at}" for at in range(len(sequence))]
    assert entities_of(tags_of(entities, len(sequence))) == entities
    assert [one for one, _ in read_entities(written(entities, words))] == entities


@pytest.mark.parametrize(
    ("sequence", "said"),
    [
        ("O B-a I-a O", [("a", 1, 3)]),
        ("I-a I-a I-b", [("a", 0, 2), ("b", 2, 3)]),
        ("B-a B-a", [("a", 0, 1), ("a", 1, 2)]),
        ("S-a B-a E-a I-a", [("a", 0, 1), ("a", 1, 3), ("a", 3, 4)]),
        ("U-a B-a I-a L-a U-b", [("a", 0, 1), ("a", 1, 4), ("b", 4, 5)]),
        ("B-geo-loc I-geo-loc", [("geo-loc", 0, 2)]),
    ],
)
def test_schemes(sequence, said):
    assert entities_of(sequence.split()) == said


@pytest.mark.parametrize("tag", ["person", "X-person", "B-", "b-person", ""])
def test_what_is_no_tag_says_so(tag):
    with pytest.raises(ValueError, match="is no tag"):
        entities_of(["O", tag])


def test_all_tags_of_some_types():
    assert tag_names(("a", "b")) == ("O", "B-a", "I-a", "B-b", "I-b")


def test_targets_are_readable():
    assert json.loads(TARGET) == [
        ["person", 0, 2, "Ada Lovelace"],
        ["person", 3, 4, "Ada"],
        ["place", 5, 7, "New York"],
    ]
    assert said_entities(SPEC, TARGET) == "person: Ada Lovelace; person: Ada; place: New York"
    assert said_entities(SPEC, "[]") == "none"
    with pytest.raises(ValueError, match="no list of entities"):
        read_entities("5")


@given(tags.map(lambda sequence: sequence[:8]))
def test_what_is_said_in_full_is_found_again(sequence):
    words = WORDS[: len(sequence)]
    entities = [one for one in entities_of(sequence) if "met" not in words[one.start : one.end]]
    target = written(entities, words)
    twice = {one for one in entities if words[one.start : one.end] == ("Ada",)}
    if not twice:  # which of the two is meant, nobody says
        assert find_entities(SPEC, sample(words, target), f" {said_entities(SPEC, target)}") == target


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("person: Ada Lovelace; place: New York", [["person", 0, 2, "Ada Lovelace"], ["place", 5, 7, "New York"]]),
        ("PERSON : ada  LOVELACE\n- Place: NewYork", [["person", 0, 2, "Ada Lovelace"], ["place", 5, 7, "New York"]]),
        ("person: Ada; person: Ada; person: Ada", [["person", 0, 1, "Ada"], ["person", 3, 4, "Ada"]]),
        ("person: Ada Lovelace; person: Ada", [["person", 0, 2, "Ada Lovelace"], ["person", 3, 4, "Ada"]]),
        ("person: Bob; person: Bob; place: York", [["place", 6, 7, "York"], ["person", -1, -1, "Bob"]]),
        ("animal: Ada; place: York", [["place", 6, 7, "York"]]),
        ("person: none; place: York", [["place", 6, 7, "York"]]),
        ("person: Lace", [["person", -1, -1, "Lace"]]),
        ("None.", []),
        (" none of these", []),
    ],
)
def test_entities_are_found_where_their_words_stand(text, found):
    assert json.loads(find_entities(SPEC, sample(), text)) == found


@pytest.mark.parametrize("text", ["I see nothing", "animal: Ada", "person:", " ", "nonesuch"])
def test_a_text_that_names_no_entities_and_does_not_say_so_is_no_answer(text):
    assert find_entities(SPEC, sample(), text) is None


@pytest.mark.parametrize(
    ("kind", "text", "shown"),
    [
        ("tagging", TARGET, "person: Ada Lovelace; person: Ada; place: New York"),
        ("tagging", "[]", "none"),
        ("tagging", "5", "5"),
        ("multi-label", '["a", "b c"]', "a, b c"),
        ("multi-label", "[]", "none"),
        ("multi-label", "a", "a"),
        ("classification", '["a"]', '["a"]'),
        ("", "[]", "[]"),
    ],
)
def test_people_read_no_brackets(kind, text, shown):
    assert readable(kind, text) == shown


def test_a_text_is_decided():
    said = decide(SPEC, sample(), [Generated(" person: Ada Lovelace; person: Ada; place: New York", "stop")])
    assert said.status == "answered"
    assert said.correct
    nothing = decide(SPEC, sample(), [Generated(" I don't know", "stop")])
    assert (nothing.status, nothing.prediction) == ("unparsed", None)


def test_of_several_texts_the_commonest_answer_counts():
    spec = TaskSpec("names", "tagging", PromptSpec(""), SPEC.labels, generation=GenerationSpec(temperature=1.0, n=3))
    texts = [Generated(text, "stop") for text in ("place: York", "person: Ada", "Person: ADA")]
    said = decide(spec, sample(), [Generated(texts[0].text, "stop", more=tuple(texts[1:]))])
    assert json.loads(said.prediction) == [["person", 0, 1, "Ada"]]


def test_tags_are_decided():
    said = decide(SPEC, sample(), [Tagged(("B-person", "I-person", "O", "B-person", "O", "B-place", "I-place", "O"))])
    assert said.correct
    assert said.status == "answered"
    cut = decide(SPEC, sample(), [Tagged(("O",) * 8, Usage(5, cut_tokens=2))])
    assert (cut.prediction, cut.status) == ("[]", "truncated")
    with pytest.raises(ModelError, match="Classified is no answer to a tagging question"):
        decide(SPEC, sample(), [Classified((0.0,))])


def test_a_context_stands_before_the_words_and_is_no_part_of_the_answer():
    prompt = PromptSpec("{{ text }}", context="{{ context }}:\n", condition="label")
    spec = TaskSpec("names", "tagging", prompt, SPEC.labels)
    asked = sample(context="a letter")
    text, target = example(spec, asked)
    assert text == f"a letter: {' '.join(WORDS)}"
    assert target == moved(TARGET, 2)
    assert json.loads(target)[2] == ["place", 7, 9, "New York"]
    tags = tags_of([one for one, _ in read_entities(target)], 10)
    assert decide(spec, asked, [Tagged(tuple(tags))]).correct
