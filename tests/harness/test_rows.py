import gzip
import json
import logging
import subprocess
import sys

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import DataError
from harness.rows import read_rows

ROWS = [{"text": 'one, "quoted"', "label": "a"}, {"text": "zwei\u2028Zeilen", "label": "b"}]


@pytest.fixture
def read(tmp_path):
    """Write one file and read it."""

    def read(name, content, **options):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return list(read_rows([(name, path)], **options))

    return read


def columns_of(rows, *names):
    return [{name: row.values[name] for name in names} for row in rows]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("data.jsonl", "\n".join(map(json.dumps, ROWS)) + "\n\n"),
        ("data.ndjson", "\r\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS)),
        ("data.json", json.dumps(ROWS, indent=2)),
        ("data.csv", 'text,label\r\n"one, ""quoted""",a\r\nzwei\u2028Zeilen,b\r\n'),
        ("data.tsv", 'text\tlabel\none, "quoted"\ta\nzwei\u2028Zeilen\tb\n'),
        ("data.CSV", '\ufefftext,label\n"one, ""quoted""",a\n\nzwei\u2028Zeilen,b'),
    ],
)
def test_formats_are_told_by_suffix_and_gzipped_or_not(read, name, content):
    assert columns_of(read(name, content), "text", "label") == ROWS
    assert columns_of(read(name + ".gz", gzip.compress(content.encode())), "text", "label") == ROWS


def test_parquet(read, tmp_path):
    pyarrow.parquet.write_table(pyarrow.table({"text": ["x", None], "choices": [["a", "b"], ["c"]]}), tmp_path / "p")
    rows = read("data.parquet", (tmp_path / "p").read_bytes())
    assert columns_of(rows, "text", "choices") == [
        {"text": "x", "choices": ["a", "b"]},
        {"text": None, "choices": ["c"]},
    ]
    with pytest.raises(DataError, match="is not Parquet"):
        read("data.parquet", "text")


def test_a_text_file_is_one_row(read):
    (row,) = read("sports/001.txt", "First.\n\nSecond.\n")
    assert row.values == {"text": "First.\n\nSecond.\n", "file": "001", "folder": "sports"}
    assert (row.name, row.number) == ("sports/001", 0)


def test_lines(read):
    assert columns_of(read("names.txt", "ann\n\n bob \n", format="lines"), "text") == [
        {"text": "ann"},
        {"text": " bob "},
    ]
    assert columns_of(read("names.txt", "ann", format="lines", columns=["name"]), "name") == [{"name": "ann"}]
    with pytest.raises(DataError, match="a line has one column"):
        read("names.txt", "ann", format="lines", columns=["name", "age"])


def test_tsv_without_header_keeps_quotes_and_later_tabs(read):
    rows = read("x.txt", '1\t-0.5\t"I said\r\n2\t1\ta\tb\r\n', format="tsv", columns=["id", "rating", "text"])
    assert columns_of(rows, "id", "rating", "text") == [
        {"id": "1", "rating": "-0.5", "text": '"I said'},
        {"id": "2", "rating": "1", "text": "a\tb"},
    ]


def test_csv_without_header(read):
    assert columns_of(read("x.csv", "1,a\n2,b\n", columns=["n", "t"]), "n", "t") == [
        {"n": "1", "t": "a"},
        {"n": "2", "t": "b"},
    ]


def test_rows_know_where_they_stand(read, tmp_path):
    rows = read("d/some.data.jsonl.gz", gzip.compress(b'\n{"text": "x"}\n{"file": "mine"}\n'))
    assert [(row.name, row.number, row.place) for row in rows] == [
        ("d/some.data", 2, f"{tmp_path}/d/some.data.jsonl.gz:2"),
        ("d/some.data", 3, f"{tmp_path}/d/some.data.jsonl.gz:3"),
    ]
    assert rows[0].values["file"] == "some.data"
    assert rows[1].values["file"] == "mine", "a column of the data comes first"


@pytest.mark.parametrize(
    ("name", "content", "line", "said"),
    [
        ("x.jsonl", '{"a": 1}\n{"a": \n', 2, "is not JSON"),
        ("x.jsonl", "[1]\n", 1, "is no object but [1]"),
        ("x.json", '{"a": 1}', 1, "no list"),
        ("x.json", '[{"a": 1},\n{"a" 2}]', 2, "is not JSON"),
        ("x.json", '[{"a": 1}, 2]', 2, "is no object but 2"),
        ("x.csv", "a,b\n1,2\n3\n", 3, "has 1 columns, not 2"),
        ("x.csv", 'a,b\n1,"2\n', 2, "is not CSV"),
        ("x.csv", "a,a\n1,2\n", 1, "stands twice"),
        ("x.tsv", "a\tb\n1\n", 2, "has 1 columns, not 2"),
    ],
)
def test_what_can_not_be_read_is_named_with_its_line(read, tmp_path, name, content, line, said):
    with pytest.raises(DataError) as caught:
        read(name, content)
    assert caught.value.where == f"{tmp_path / name}:{line}"
    assert said in str(caught.value)


def test_files_that_are_broken_missing_or_of_no_known_format(read, tmp_path):
    with pytest.raises(DataError, match="can't be read"):
        read("x.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 1000)[:-20])
    with pytest.raises(DataError, match="can't be read"):
        list(read_rows([("none.csv", tmp_path / "none.csv")]))
    with pytest.raises(DataError, match=r"tells no format.*data.format"):
        read("x.dat", "a")
    with pytest.raises(DataError, match="names its columns itself"):
        read("x.jsonl", '{"a": 1}', columns=["a"])


def test_bytes_that_are_not_utf8_are_read_as_windows_1252_and_counted(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    contents = {"a.txt": "caf\u00e9".encode(), "b.txt": b"\xa3 5 \x93so\x94 \x81", "c.txt": b"plain"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    rows = list(read_rows([(name, tmp_path / name) for name in contents], source="pypi://corpus"))
    assert [row.values["text"] for row in rows] == ["caf\u00e9", "\u00a3 5 \u201cso\u201d \ufffd", "plain"]
    assert [record.message for record in caplog.records] == [
        "1 of 3 files of pypi://corpus are not UTF-8: read as Windows-1252"
    ]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("encoding", "last"), [("utf-8-sig", "caf\u00e9 \u2028"), ("cp1252", "caf\u00e9 \u201c")])
def test_files_of_several_megabytes(read, encoding, last, packed):
    texts = [f"{number} {'x' * 100}" for number in range(30_000)] + [last]
    for name, start in (("x.tsv", "text\n"), ("x.csv", "text\r\n")):
        content = (start + "\r\n".join(texts)).encode(encoding)
        rows = read(name + ".gz" * packed, gzip.compress(content) if packed else content)
        assert [row.values["text"] for row in rows] == texts
        assert [row.number for row in rows] == list(range(2, len(texts) + 2))


def test_long_cells(read):
    assert len(read("x.csv", "text\n" + "x" * 200_000)[0].values["text"]) == 200_000


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.text(), min_size=1)))
def test_any_text_survives_json_lines(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("rows") / "x.jsonl"
    path.write_text("\n".join(map(json.dumps, values)), encoding="utf-8")
    assert [
        {name: row.values[name] for name in value}
        for row, value in zip(read_rows([("x.jsonl", path)]), values, strict=True)
    ] == values


SQUAD = {
    "version": "v2.0",
    "data": [
        {
            "title": "Rivers",
            "paragraphs": [
                {
                    "context": "The Elbe is 1,094 km long.",
                    "qas": [
                        {
                            "id": "a",
                            "question": "How long is it?",
                            "answers": [{"text": "1,094 km", "answer_start": 12}] * 2 + [{"text": "1,094"}],
                            "is_impossible": False,
                        },
                        {"id": "b", "question": "How deep is it?", "answers": [], "is_impossible": True},
                    ],
                }
            ],
        }
    ],
}


def test_squad_is_a_question_a_row(read):
    first, second = read("dev.json", json.dumps(SQUAD), format="squad")
    assert {name: first.values[name] for name in ("id", "title", "question", "answers", "answer_starts")} == {
        "id": "a",
        "title": "Rivers",
        "question": "How long is it?",
        "answers": ["1,094 km", "1,094"],
        "answer_starts": [12, 12, None],
    }
    assert (second.values["answers"], second.values["context"]) == ([], "The Elbe is 1,094 km long.")
    assert second.number == 2


@pytest.mark.parametrize("content", ["[]", '{"data": [{"paragraphs": [{"context": "c", "qas": [{"id": 1}]}]}]}', "{"])
def test_what_is_not_squad_says_so(read, content):
    with pytest.raises(DataError, match="JSON"):
        read("dev.json", content, format="squad")


def test_yaml_is_a_row_a_file_or_a_row_a_mapping(read):
    (row,) = read("talk.yml", "categories: [AI]\nconversations:\n- - What is 'it'?\n  - '1963'\n- [a, yes]\n")
    assert row.values["conversations"] == [["What is 'it'?", "1963"], ["a", "yes"]]
    assert (row.name, row.number, row.values["file"]) == ("talk", 0, "talk")
    assert [row.values["a"] for row in read("rows.yaml", "- {a: 1}\n- {a: no}\n")] == [1, "no"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a: [", r"data\.yaml:1.*is not YAML"),
        ("- 1", "is no object but 1"),
        ("text", "no mapping and no list"),
        ("", "no mapping"),
    ],
)
def test_what_is_no_yaml_says_so(read, content, said):
    with pytest.raises(DataError, match=said):
        read("data.yaml", content)


def test_html_is_a_row_a_paragraph(read):
    (row,) = read("page.html", "<h1>Title</h1>\n<p>Caf\u00e9")
    assert (row.values["text"], row.values["heading"], row.values["file"], row.number) == (
        "Caf\u00e9",
        "Title",
        "page",
        2,
    )


PEAK = """
import re, sys
from pathlib import Path
from harness.rows import read_rows
path = Path(sys.argv[1])
total = sum(len(row.values["text"]) for row in read_rows([(path.name, path)]))
print(total, re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it says what a process has held at most")
@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_memory_stays_flat_however_many_rows_a_file_has(suffix, tmp_path):
    peaks = []
    for count in (4_000, 200_000):
        path = tmp_path / f"{count}.{suffix}"
        texts = [f"{number:06} " + "word " * 40 for number in range(count)]
        if suffix == "parquet":
            pyarrow.parquet.write_table(pyarrow.table({"text": texts}), path, row_group_size=4_000)
        elif suffix == "csv":
            path.write_text("text\n" + "".join(f"{text}\n" for text in texts))
        else:
            path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        done = subprocess.run([sys.executable, "-c", PEAK, path], capture_output=True, text=True, check=True)
        total, peak = map(int, done.stdout.split())
        assert total == sum(map(len, texts))
        peaks.append(peak / 1024)
    assert peaks[1] - peaks[0] < 15, f"{peaks} MiB: fifty times the rows are 40 MB of text"
