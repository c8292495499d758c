"""`harness task new`: data of many shapes -> a task file that passes its check, runs, and means what the data means."""

import json

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from harness.assets import Assets
from harness.cli import call
from harness.dataparts import parts_of
from harness.drafting import draft
from harness.errors import UsageError
from harness.guessing import Wanted
from harness.plugins import Plugins
from harness.taskfile import load_task
from harness.templates import render_answer, render_choices, render_query
from harness.wording import said, template_name, written

COLOURS = ["amber", "azure", "beige", "black", "blue", "brown", "coral", "cyan"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def assets(tmp_path):
    return Assets(Plugins().registry("source"), root=tmp_path / "cache", offline=True)


@pytest.fixture
def drafted(here, assets, capsys):
    """Write data (a text, or rows as JSON lines), have a task file written by the command, and load that."""

    def drafted(name, content, *options):
        path = here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, list):
            content = "".join(json.dumps(row) + "\n" for row in content)
        if content is not None:
            path.write_text(content, encoding="utf-8")
        status = call(["task", "new", name, "-o", "out", "--name", "made", *options])
        out = capsys.readouterr().out
        assert status == 0, out
        assert call(["check", "out/made.yaml"]) == 0
        capsys.readouterr()
        return load_task(here / "out/made.yaml", assets)

    return drafted


def shown(task):
    """Question, right answer and choices of the first row of the test."""
    row = task.samples("test")[0]
    return render_query(task.spec, row), render_answer(task.spec, row), render_choices(task.spec, row)


def every(task):
    return [row for split in ("train", "validation", "test") for row in task.samples(split)]


REVIEWS = [
    {"id": n, "review": f"A {one} film.", "label": n % 2, "label_text": ("bad", "good")[n % 2], "source": "ab"[n // 4]}
    for n, one in enumerate(COLOURS)
]


def test_labels_with_words_beside_them(drafted, here):
    task = drafted("films.jsonl", REVIEWS)
    assert task.spec.kind == "classification"
    assert dict(task.spec.labels) == {"0": " bad", "1": " good"}
    assert {row.id for row in every(task)} == {str(n) for n in range(8)}
    assert {row.target for row in every(task) if "azure" in row.fields["review"]} == {"1"}
    assert task.spec.prompt.template == "Review: {{ review }}\nLabel:"
    text = (here / "out/made.yaml").read_text()
    assert "# 'label' has 2 different values in 8 rows." in text
    assert "# context: source" in text, "a column of few values may be a context"


def test_labels_of_text_in_csv_and_pairs_of_texts(drafted):
    rows = "".join(f"The {one} cat sleeps,A {one} cat rests,{('yes', 'no')[n % 2]}\n" for n, one in enumerate(COLOURS))
    task = drafted("pairs.csv", "premise,hypothesis,label\n" + rows)
    assert dict(task.spec.labels) == {"no": " no", "yes": " yes"}
    assert task.spec.prompt.template == "Premise: {{ premise }}\nHypothesis: {{ hypothesis }}\nLabel:"


def test_rows_without_a_label_are_left_out(drafted, here):
    rows = [{"text": f"A {one} day.", "mood": ["sad", "glad", None][n % 3]} for n, one in enumerate(COLOURS)]
    task = drafted("days.jsonl", rows)
    assert len(every(task)) == 6
    assert "2 of 8 rows have no 'mood'" in (here / "out/made.yaml").read_text()


QUIZ = [("Which is {}?", ["red", one, "white", "grey"], 1) for one in COLOURS]


@pytest.mark.parametrize(
    "row",
    [
        lambda q, options, right: {"question": q, "choices": options, "answer": right, "answer_text": options[right]},
        lambda q, options, right: {"question": q, "choices": options, "answer": options[right]},
        lambda q, options, right: {"input": q, "choices": options, "target": "ABCD"[right], "metadata": {"a": 1}},
        lambda q, options, right: {"q": q, "options": options, "answerKey": "abcd"[right]},
        lambda q, options, right: {"question": q, **dict(zip("ABCD", options, strict=True)), "answer": "ABCD"[right]},
        lambda q, options, right: {"ctx": q, **{f"ending{n}": one for n, one in enumerate(options)}, "label": right},
        lambda q, options, right: {
            "q a": q,
            **{f"Option {n}": one for n, one in enumerate(options)},
            "answer": right + 3,
        },
        lambda q, options, right: {
            "question": q,
            "choices": {"text": options, "label": ["A", "B", "C", "D"]},
            "answerKey": "ABCD"[right],
        },
        lambda q, options, right: {
            "input": {"text": q},
            "references": [{"output": {"text": one}, "tags": ["correct"] * (one == options[right])} for one in options],
            "split": "test",
            "id": q,
        },
    ],
    ids=["number", "text", "Inspect", "letter", "columns", "endings", "from 1", "ARC", "HELM"],
)
def test_choices_however_they_are_told(drafted, row):
    rows = [row(f"Which of these is number {n}?", options, n % 4) for n, (_, options, _) in enumerate(QUIZ)]
    if "answer" in rows[0] and rows[0]["answer"] == 3:  # counted from 1
        rows = [one | {"answer": n % 4 + 1} for n, one in enumerate(rows)]
    task = drafted("quiz.jsonl", rows)
    assert task.spec.kind == "multiple-choice"
    assert len(every(task)) == 8
    for sample in every(task):
        number = int(next(iter(sample.fields.values())).removesuffix("?").split()[-1])
        assert sample.choices[int(sample.target)] == QUIZ[number][1][number % 4]
        assert len(sample.choices) == 4
    assert shown(task)[0].endswith("\nAnswer:")


def test_numbers_are_found_in_what_is_written(drafted):
    sums = [
        {"question": f"How much are {n} and {n}?", "answer": f"Twice {n} is {2 * n}.\n#### {2 * n}"} for n in range(9)
    ]
    task = drafted("sums.jsonl", sums)
    assert (task.spec.kind, task.spec.extract.type, task.spec.extract.take) == ("maths", "number", "last")
    assert {row.fields["question"]: row.target for row in every(task)}["How much are 7 and 7?"] == "14"
    counts = [
        {"id": n, "question": f"What is {n} + 1?", "final_answer": n + 1, "answer": f"It is {n + 1}"} for n in range(9)
    ]
    task = drafted("counts.jsonl", counts, "--name", "counts")
    assert task.spec.name == "made", "the first file is still there"


def test_translations_and_summaries(drafted):
    task = drafted(
        "house.tsv", "source\ttranslation\n" + "".join(f"the {one} house\tla maison {one}\n" for one in COLOURS)
    )
    assert (task.spec.kind, task.spec.metrics) == ("generation", ("chrf", "bleu"))
    query, answer, _ = shown(task)
    assert query.startswith("Source: the ")
    assert query.endswith(" house\nTranslation:")
    assert answer.startswith(" la maison ")


@pytest.mark.parametrize(
    "answers",
    [
        lambda text, start: {"text": [text] if text else [], "answer_start": [start]},
        lambda text, start: [text] if text else [],
        lambda text, start: [{"text": text, "answer_start": start}] if text else [],
        lambda text, start: text or "Mr",
    ],
    ids=["mapping", "list", "list of mappings", "text"],
)
def test_questions_about_passages(drafted, answers):
    rows = [
        {
            "context": f"Mr {n} likes {one} very much.",
            "question": f"What does Mr {n} like?",
            "answers": answers(one * (n != 3), 9),
        }
        for n, one in enumerate(COLOURS)
    ]
    task = drafted("passages.jsonl", rows)
    assert task.spec.kind == "question-answering"
    found = {row.fields["question"]: row.target for row in every(task)}
    assert found["What does Mr 2 like?"] == "beige"
    assert found["What does Mr 3 like?"] in {"unanswerable", "Mr"}


def test_squad_in_its_own_form(drafted):
    asked = [
        {"id": str(n), "question": f"What does {n} like?", "answers": [{"text": one, "answer_start": 8}]}
        for n, one in enumerate(COLOURS)
    ]
    content = {
        "version": "1.1",
        "data": [{"title": "t", "paragraphs": [{"context": ", ".join(COLOURS), "qas": asked}]}],
    }
    task = drafted("dev.json", json.dumps(content))
    assert task.spec.kind == "question-answering"
    assert {row.target for row in every(task)} == set(COLOURS)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("names.conll", "".join(f"Mr O\n{one} {('S-PER', 'S-geo_loc')[n % 2]}\n\n" for n, one in enumerate(COLOURS))),
        (
            "names.jsonl",
            "\n".join(
                json.dumps({"id": n, "words": ["Mr", one], "ner_tags": ["O", ("B-PER", "B-geo_loc")[n % 2]]})
                for n, one in enumerate(COLOURS)
            ),
        ),
    ],
)
def test_tags_of_words(drafted, name, content):
    task = drafted(name, content)
    assert task.spec.kind == "tagging"
    assert task.spec.labels == {"PER": "per", "geo_loc": "geo loc"}
    assert {row.fields["text"] for row in every(task)} == {f"Mr {one}" for one in COLOURS}


def message(role, content):
    return {"role": role, "content": content}


def test_samples_of_openai_evals(drafted):
    rows = [
        {
            "input": [message("system", "Translate."), message("user", f"the {one} house")],
            "ideal": f"la maison {one}" if n % 2 else [f"la maison {one}", f"maison {one}"],
        }
        for n, one in enumerate(COLOURS)
    ]
    task = drafted("samples.jsonl", rows)
    assert task.spec.kind == "generation"
    sample = next(row for row in every(task) if "amber" in row.fields["conversation"])
    assert render_query(task.spec, sample) == "Translate.\n\nthe amber house\nAnswer:"
    assert sample.references == ("la maison amber", "maison amber")


def test_references_of_helm_that_are_all_right(drafted):
    rows = [
        {"input": {"text": f"Name {one}."}, "references": [{"output": {"text": one}, "tags": ["correct"]}]}
        for one in COLOURS
    ]
    task = drafted("instances.json", json.dumps(rows))
    assert (task.spec.kind, {row.target for row in every(task)}) == ("generation", set(COLOURS))


# --- files and folders -----------------------------------------------------------------------------


def test_a_folder_of_folders_of_texts(drafted, here):
    for n, one in enumerate(COLOURS):
        for label in ("sad", "glad"):
            (here / f"data/{label}").mkdir(parents=True, exist_ok=True)
            (here / f"data/{label}/{n}.txt").write_text(f"A {one} {n if label == 'sad' else -n} film.")
    task = drafted("data", None)
    assert dict(task.spec.labels) == {"glad": " glad", "sad": " sad"}
    assert all(row.id.startswith(f"{row.target}/") for row in every(task))


def test_a_folder_of_texts_and_a_file_of_lines(drafted, here):
    (here / "letters").mkdir()
    for n, one in enumerate(COLOURS):
        (here / f"letters/{n}.txt").write_text(f"Dear {one},\nhello.\n")
    task = drafted("letters", None)
    assert (task.spec.kind, len(task.samples("test"))) == ("language-modelling", 8)


def test_splits_are_told_by_names(drafted, here, assets):
    for split, times in (("train", 2), ("dev", 1), ("test", 1)):
        (here / "parts").mkdir(exist_ok=True)
        (here / f"parts/films.{split}.jsonl").write_text(
            "".join(json.dumps(row | {"review": f"{row['review']} {split}"}) + "\n" for row in REVIEWS * times)
        )
    task = drafted("parts/films.train.jsonl", None)
    assert [len(task.samples(split)) for split in ("train", "validation", "test")] == [16, 8, 8]
    assert (here / "out/made.yaml").read_text().count("../parts/films.") == 3
    assert parts_of("parts", assets, here).files == {
        "train": "parts/films.train.jsonl",
        "validation": "parts/films.dev.jsonl",
        "test": "parts/films.test.jsonl",
    }


def test_shards_and_folders_named_after_splits(here, assets):
    (here / "hub/data").mkdir(parents=True)
    for split in ("train", "test"):
        for number in range(2):
            table = pyarrow.table({"text": [f"{one} {split} {number}" for one in COLOURS], "label": [0, 1] * 4})
            pyarrow.parquet.write_table(table, here / f"hub/data/{split}-0000{number}-of-00002.parquet")
            (here / f"texts/{split}/{'ab'[number]}").mkdir(parents=True)
            (here / f"texts/{split}/{'ab'[number]}/1.txt").write_text("x")
    assert parts_of("hub", assets, here).files == {"train": "hub/data/train*.parquet", "test": "hub/data/test*.parquet"}
    assert parts_of("texts", assets, here).files == {"train": "texts/train", "test": "texts/test"}
    made = draft("hub", assets, here, Wanted())
    (here / "task.yaml").write_text(made.text)
    assert len(load_task(here / "task.yaml", assets).samples("train")) == 16


# --- what people say -------------------------------------------------------------------------------


def test_what_is_told_is_not_guessed(drafted):
    rows = [{"a": f"A {one} film.", "b": f"It is {one}.", "c": n % 2, "d": n % 4} for n, one in enumerate(COLOURS)]
    task = drafted("plain.jsonl", rows, "--target", "d", "--text", "b", "--kind", "classification")
    assert set(task.spec.labels) == {"0", "1", "2", "3"}
    assert task.spec.prompt.template == "B: {{ b }}\nD:"


def test_it_never_overwrites_and_refuses_what_is_not_there(here, capsys):
    (here / "films.jsonl").write_text("".join(json.dumps(row) + "\n" for row in REVIEWS))
    (here / "films.yaml").write_text("mine")
    assert call(["task", "new", "films.jsonl"]) == 2
    assert "films.yaml' is there already" in capsys.readouterr().err
    assert (here / "films.yaml").read_text() == "mine"
    for options, said_so in (
        (["--target", "lable"], "did you mean label"),
        (["--text", "revue"], "did you mean review"),
        (["--kind", "clasification"], "is no kind of task"),
        (["--kind", "multiple-choice"], "don't make a multiple-choice task"),
    ):
        assert call(["task", "new", "films.jsonl", "--name", "x", *options]) == 2
        assert said_so in capsys.readouterr().err
    assert call(["task", "new", "nothing.jsonl"]) == 2
    assert not (here / "x.yaml").exists()


def test_columns_that_make_no_task(here, assets):
    (here / "odd.jsonl").write_text('{"words": ["a"], "n": 1}\n')
    with pytest.raises(UsageError, match=r"columns \(words, n\) don't make any kind of task"):
        draft("odd.jsonl", assets, here, Wanted())


# --- texts as YAML ---------------------------------------------------------------------------------


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_texts_are_written_so_that_yaml_reads_them_back(text):
    assert YAML(typ="safe", pure=True).load(f"x: {written(text)}\n") == {"x": text}
    assert YAML(typ="safe", pure=True).load(f"{written(text)}: x\n") == {text: "x"}


@given(st.text(max_size=12))
def test_any_column_has_a_name_that_templates_can_use(column):
    assert template_name(column).isidentifier()
    assert template_name(column) not in {"target", "choices", "id", "and", "not", "range"}


def test_labels_are_said_as_people_say_them():
    assert [said(one) for one in ("lost_luggage", "well-being", "-1", "_")] == ["lost luggage", "well being", "-1", "_"]
