"""Commas and quotes in what people write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.components import parse_component
from harness.errors import UsageError
from harness.quoting import parts, pieces, quoted, unquoted
from harness.records import Component

odd = st.text(st.sampled_from('ab,="\\ \n'), max_size=8)
plain = st.text(st.sampled_from('ab,="\\ '), max_size=20)
word = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True)


@given(word, st.none() | word, st.dictionaries(word, odd, max_size=3))
def test_any_value_is_read_as_it_was_written(name, reference, params):
    component = Component(name, reference, params)
    assert parse_component(str(component)) == component


@given(st.lists(st.tuples(word, st.dictionaries(word, odd, max_size=2)), max_size=4))
def test_any_parts_in_a_row_are_told_apart(named):
    written = [str(Component(name, None, params)) for name, params in named]
    assert parts(", ".join(written)) == written


@given(plain)
def test_pieces_are_all_of_the_text_and_without_quotes_those_between_commas(text):
    assert ",".join(pieces(text)) == text
    bare = text.replace('"', "")
    assert pieces(bare) == bare.split(",")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('f1,label="a, b"', "a, b"),
        ('f1, label = "a, b" ', "a, b"),
        ("f1,label=a=b", "a=b"),
        (r'f1,label="say \"a, b\" \\"', r'say "a, b" \ '.strip()),
        ('f1,label=5" disk', '5" disk'),
        ('f1,label="a"', "a"),
        ("f1,label=", ""),
    ],
)
def test_a_value_in_quotes_may_hold_commas(text, value):
    assert parse_component(text).params == {"label": value}


@pytest.mark.parametrize("text", ['f1,label="a', 'f1,label="a" b', 'f1,label="a, b', 'f1,label="'])
def test_quotes_that_do_not_enclose_a_value_are_refused(text):
    with pytest.raises(UsageError, match=r"quotes|key=value"):
        parse_component(text)


def test_quotes_stand_only_where_they_are_needed():
    assert [quoted(one) for one in ("a b", "a=b", 'a"', "a,b", ' "')] == ["a b", "a=b", 'a"', '"a,b"', r'" \""']
    with pytest.raises(ValueError, match="do not enclose"):
        unquoted('"a"b')


def test_names_are_told_from_their_parameters():
    assert parts("bleu, f1,label=spam,chrf") == ["bleu", "f1,label=spam", "chrf"]
    assert parts('f1,label="a=b, c",average=macro, ,bleu') == ['f1,label="a=b, c",average=macro', "bleu"]
