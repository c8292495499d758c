import logging

import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import DataError
from harness.reshaping import PivotSection, exploded, pivoted
from harness.rows import Row


def rows(*values, name="data"):
    return [Row(one, name, at, f"data.json:{at}") for at, one in enumerate(values, start=1)]


@given(st.lists(st.lists(st.integers(), min_size=1)))
def test_lists_are_exploded_as_pandas_does_it(lists):
    given = [{"of": at, "items": items} for at, items in enumerate(lists)]
    found = list(exploded(rows(*given), "items"))
    expected = pandas.DataFrame(given, columns=["of", "items"]).explode("items").to_dict("records")
    assert [dict(row.values) for row in found] == expected
    assert len({(row.name, row.number) for row in found}) == len(found)


def test_a_row_that_is_a_file_counts_its_items():
    (one,) = exploded([Row({"a": ["x"]}, "talk", 0, "talk.yml")], "a")
    assert (one.name, one.number, one.place) == ("talk", 1, "talk.yml, item 1")
    assert list(exploded([Row({"a": []}, "talk", 0, "talk.yml")], "a")) == []


@pytest.mark.parametrize(
    ("column", "said"), [("b", r"no column 'b'.*data\.json|data\.json.*no column"), ("a", "no list")]
)
def test_what_can_not_be_exploded_is_named(column, said):
    with pytest.raises(DataError, match=said):
        list(exploded(rows({"a": 1}), column))


LONG = [
    {"file": "en", "at": 2, "text": "two"},
    {"file": "en", "at": 1, "text": "one"},
    {"file": "fr", "at": 1, "text": "un"},
    {"file": "fr", "at": 2, "text": "deux"},
    {"file": "fr", "at": 3, "text": "trois"},
]


def test_rows_that_belong_together_become_one_as_pandas_does_it(caplog):
    caplog.set_level(logging.WARNING)
    found = list(pivoted(rows(*LONG), PivotSection(index=["at"], columns="file", values="text"), source="x"))
    frame = pandas.DataFrame(LONG).pivot(index="at", columns="file", values="text").dropna().reset_index()
    assert sorted((dict(row.values) for row in found), key=lambda one: one["at"]) == frame.to_dict("records")
    assert [(row.name, row.number, row.place) for row in found] == [("2", 0, "data.json:1"), ("1", 0, "data.json:2")]
    assert "1 of 3 rows of x lack one of en, fr: left out" in caplog.text


def test_a_value_that_is_there_already_or_a_column_that_is_not_are_named():
    how = PivotSection(index="file", columns="at", values="text")
    with pytest.raises(DataError, match="1 of en is there already") as caught:
        list(pivoted(rows(LONG[1], LONG[1]), how, source="x"))
    assert caught.value.where == "data.json:2"
    with pytest.raises(DataError, match="no column 'at'"):
        list(pivoted(rows({"file": 1}), how, source="x"))
