"""CoNLL's columns: tabs or white space, comments, documents, names of columns, what is wrong."""

import gzip

import pytest

from harness.errors import DataError
from harness.rows import read_rows

PLAIN = "EU B-ORG\nrejects O\n\nPeter B-PER\nBlackburn I-PER\n"


def read(tmp_path, content, name="train.conll", **options):
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_rows([(name, path)], **options))


def test_a_sentence_is_a_row_with_the_line_where_it_begins(tmp_path):
    first, second = read(tmp_path, PLAIN)
    assert (first.values["tokens"], first.values["tags"]) == (["EU", "rejects"], ["B-ORG", "O"])
    assert (second.values["tokens"], second.number) == (["Peter", "Blackburn"], 4)
    assert second.place.endswith("train.conll:4")


@pytest.mark.parametrize("name", ["train.conll", "train.bio", "train.iob2", "train.conll.gz"])
def test_suffixes(tmp_path, name):
    content = PLAIN.encode()
    assert len(read(tmp_path, gzip.compress(content) if name.endswith("gz") else content, name)) == 2


def test_four_columns_documents_and_windows_line_ends(tmp_path):
    text = "-DOCSTART- -X- O O\r\n\r\nEU NNP I-NP I-ORG\r\n. . O O\r\n\r\n\r\n"
    (row,) = read(tmp_path, text)
    assert row.values["tokens"] == ["EU", "."]
    assert row.values["column2"] == ["NNP", "."]
    assert row.values["tags"] == ["I-ORG", "O"]


def test_columns_can_be_named(tmp_path):
    (row,) = read(tmp_path, "a\tx\tO\n", columns=["word", "pos", "ner"])
    assert {name: row.values[name] for name in ("word", "pos", "ner")} == {"word": ["a"], "pos": ["x"], "ner": ["O"]}


def test_blank_lines_may_hold_tabs_and_words_may_hold_spaces_between_tabs(tmp_path):
    rows = read(tmp_path, "New York\tB-LOC\n\t\n's\tO\n")
    assert [row.values["tokens"] for row in rows] == [["New York"], ["'s"]]


def test_comments_are_left_out_and_hashtags_are_words(tmp_path):
    text = "# id = 1\n# text = so #sad\nso\tO\n#sad\tO\n#\tO\n# two\n"
    (row,) = read(tmp_path, text)
    assert row.values["tokens"] == ["so", "#sad", "#"]
    (row,) = read(tmp_path, "#sad\tO\n")
    assert row.values["tokens"] == ["#sad"]


def test_one_column_is_that_of_the_words(tmp_path):
    (row,) = read(tmp_path, "a\nb\n")
    assert row.values["tokens"] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "options", "line"), [("a\tO\nb\n", {}, 2), ("a O\n\nb O O\n", {}, 3), ("a O\n", {"columns": ["x"]}, 1)]
)
def test_a_line_with_another_number_of_columns_is_named(tmp_path, text, options, line):
    with pytest.raises(DataError, match="columns, not") as caught:
        read(tmp_path, text, **options)
    assert caught.value.where.endswith(f"train.conll:{line}")
