import hashlib
import json
import logging
import textwrap

import pytest

from harness.assets import Assets
from harness.checking import check_task
from harness.errors import AssetError, ConfigError, DataError, TemplateError
from harness.planning import task_identity
from harness.plugins import Plugins
from harness.records import Candidates, ExtractSpec, GenerationSpec, PromptSpec, Sample
from harness.taskdata import TaskData, rows_digest
from harness.taskfile import load_task

REVIEWS = """\
name: film-reviews
kind: classification
description: One line.
data:
  files: {train: train.jsonl, test: test.jsonl}
  fields: {text: review, target: label}
  context: source
labels: {negative: " bad", positive: " good"}
prompt:
  instruction: ""
  template: "Review: {{ text }}\\nSentiment:"
  separator: "\\n\\n"
metrics: [accuracy, macro_f1]
licence: CC-BY-4.0
citation: Somebody.
"""

CUT = """\
name: cut
kind: classification
data:
  files: all.csv
  splits: {train: 0.5, test: 0.5}
  fields: {text: text, target: label}
labels: {a: " A", b: " B"}
prompt: {template: "{{ text }}:"}
"""

QUIZ = """\
name: quiz
kind: multiple-choice
data:
  files: {test: quiz.jsonl}
  fields: {question: q, choices: options, target: answer}
prompt: {template: "{{ question }}"}
"""

SUMS = """\
name: sums
kind: generation
data:
  files: {test: sums.jsonl}
  fields: {question: q, target: a}
prompt: {template: "{{ question }}"}
extract: {type: number}
"""


def jsonl(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


REVIEW_ROWS = {
    "train.jsonl": jsonl({"review": "Fine.", "label": "positive", "source": "paper"}),
    "test.jsonl": jsonl(
        {"review": "Dull.", "label": "negative", "source": "web"}, {"review": "", "label": "negative", "source": None}
    ),
}


@pytest.fixture
def load(tmp_path):
    """Write a task file and its data, and load it with the assets of the installed plugins."""
    assets = Assets(Plugins().registry("source"), root=tmp_path / "cache", offline=True)

    def load(text, files=()):
        for name, content in dict(files).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        path = tmp_path / "task.yaml"
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return load_task(path, assets)

    return load


def test_the_task_file_of_the_guide(load):
    task = load(REVIEWS, REVIEW_ROWS)
    assert task.spec.prompt == PromptSpec("Review: {{ text }}\nSentiment:", input="{{ text }}")
    assert list(task.spec.labels.items()) == [("negative", " bad"), ("positive", " good")]
    assert (task.spec.metrics, task.spec.licence, task.spec.citation) == (
        ("accuracy", "macro_f1"),
        "CC-BY-4.0",
        "Somebody.",
    )
    assert task.spec.has_context
    assert list(task.samples("train")) == [Sample("train:1", {"text": "Fine."}, "positive", "paper")]
    assert list(task.samples("test")) == [
        Sample("test:1", {"text": "Dull."}, "negative", "web"),
        Sample("test:2", {"text": ""}, "negative", None),
    ]
    assert list(task.samples("validation")) == []


def test_reading_the_file_touches_no_data_and_rows_are_read_once(load, tmp_path):
    task = load(REVIEWS)
    with pytest.raises(AssetError, match=r"task\.yaml:5: data\.files\.train: there is no file"):
        task.samples("test")
    task = load(REVIEWS, REVIEW_ROWS)
    rows = task.samples("test")
    (tmp_path / "test.jsonl").unlink()
    assert task.samples("test") is rows


def test_empty_texts_are_kept_and_counted(load, caplog):
    caplog.set_level(logging.WARNING)
    load(REVIEWS, REVIEW_ROWS).samples("test")
    assert "1 of 3 rows have an empty text" in caplog.text


@pytest.mark.parametrize(
    ("old", "new", "place", "said"),
    [
        ("kind: cl", "kin: cl", "2: kin", "did you mean kind?"),
        ("description: One line.", "name: twice", "3: name", "stands twice"),
        ("name: film-reviews", "name: film reviews", "1: name", "should match pattern"),
        ("kind: classification", "kind: parsing", "2: kind", "'multiple-choice'"),
        ("  fields:", "  field:", "6: data.field", "did you mean fields"),
        ("test: test.jsonl", "tset: test.jsonl", "5: data.files.tset", "'train', 'validation' or 'test'"),
        ("{train: train.jsonl, test: test.jsonl}", "all.csv", "5: data.files", "needs `splits`"),
        ("{train: train.jsonl, test: test.jsonl}", "{}", "5: data.files", "at least 1"),
        ("  context: source", "  splits: {test: 1.0}", "7: data.splits", "are not cut"),
        ("  context: source", "  seed: 3", "7: data.seed", "are not cut"),
        ("  context: source", "  sha256: " + "a" * 64, "7: data.sha256", "for each split"),
        ("  context: source", "  sha256: {validation: " + "a" * 64 + "}", "7: data.sha256", "has not"),
        ("  context: source", "  format: xml", "7: data.format", "'jsonl'"),
        ("  context: source", "  where: 'x >'", "7: data.where", "no valid expression"),
        ("  context: source", "  derive: {x: 'a b'}", "7: data.derive.x", "no valid expression"),
        ("  context: source", "contexts: {web: The web}", "7: contexts", "no context"),
        ("{text: review, target: label}", "{text: review}", "6: data.fields", "'target' is missing"),
        ("{text: review, target: label}", "{target: label}", "6: data.fields", "no field but the target"),
        ("{text: review, target: label}", "{te-xt: review, target: label}", "6: data.fields.te-xt", "can't be a name"),
        ('positive: " good"', 'positive: " bad"', "8: labels.positive", "no model can tell them apart"),
        ('positive: " good"', 'positive: ""', "8: labels.positive", "at least 1 character"),
        (', positive: " good"', "", "8: labels", "at least 2"),
        ('positive: " good"', "positive: 5", "8: labels.positive", "put it in quotes"),
        ('labels: {negative: " bad", positive: " good"}', "", "1: labels", "needs labels"),
        ("{{ text }}", "{{ txt }}", "11: prompt.template", "no field of this task (did you mean text?)"),
        ("{{ text }}", "{{ target }}", "11: prompt.template", "the answer, which the question may not show"),
        ("{{ text }}", "{{ text", "11: prompt.template", "no valid template"),
        ('instruction: ""', 'instruction: "{{ text }}"', "10: prompt.instruction", "no field of this task"),
        ('instruction: ""', 'background: "{{ text }}"', "10: prompt.background", "no field of this task"),
        ('instruction: ""', 'keywords: "{{ text"', "10: prompt.keywords", "no valid template"),
        ('instruction: ""', 'choice: "{{ choice }}"', "10: prompt.choice", "only a multiple-choice or cloze task"),
        ('instruction: ""', 'answer: "{{ target }}"', "10: prompt.answer", "only a generation or question"),
        ("licence: CC", "generation: {stop: []}\nlicence: CC", "14: generation", "only a generation or question"),
        ("licence: CC", "extract: {take: last}\nlicence: CC", "14: extract", "only a generation or question"),
        ("[accuracy, macro_f1]", "accuracy", "13: metrics", "should be a valid"),
        ("[accuracy, macro_f1]", "[]", "13: metrics", "at least 1"),
        ("[accuracy, macro_f1]", "[accuracy, accuracy]", "13: metrics", "stands twice"),
    ],
)  # fmt: skip
def test_faults_of_the_file_are_named_with_line_and_key(load, tmp_path, old, new, place, said):
    assert old in REVIEWS
    with pytest.raises(ConfigError) as caught:
        load(REVIEWS.replace(old, new))
    assert caught.value.where == f"{tmp_path / 'task.yaml'}:{place}"
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "old", "new", "place", "said"),
    [
        (CUT, "0.5, test", "0.6, test", "5: data.splits", "sum to 1.1"),
        (CUT, "test: 0.5", "test: 0", "5: data.splits.test", "greater than 0"),
        (CUT, "  splits: {train: 0.5, test: 0.5}\n", "", "4: data.files", "needs `splits`"),
        (QUIZ, "choices: options, ", "", "5: data.fields", "'choices' is missing"),
        (QUIZ, "question: q, ", "", "5: data.fields", "no field but the target"),
        (QUIZ, "prompt:", "labels: {a: x, b: y}\nprompt:", "6: labels", "only a classification or pair"),
        (SUMS, "extract: {type: number}", "extract: {pattern: '('}", "7: extract.pattern", "no regular expression"),
        (SUMS, "extract:", "generation: {max_tokens: 0}\nextract:", "7: generation.max_tokens", "greater than"),
        (
            SUMS,
            "extract:",
            "generation:\n  temperature: 1\n  top_p: 0\nextract:",
            "9: generation.top_p",
            "greater than",
        ),
        (SUMS, "extract:", "generation:\n  temperature: 1\n  top_p: 1.1\nextract:", "9: generation.top_p", "less than"),
        (SUMS, "extract:", "generation: {temperature: 1, n: 0}\nextract:", "7: generation.n", "greater than"),
        (SUMS, "extract:", "generation:\n  n: 5\nextract:", "8: generation.n", "all 5 answers would be equal"),
        (SUMS, "extract:", "generation:\n  n: 2\n  temperature: 0\nextract:", "8: generation.n", "at temperature 0"),
        (SUMS, "extract:", "generation: {top_p: 0.9}\nextract:", "7: generation.top_p", "nothing is drawn"),
    ],
)
def test_faults_of_other_kinds_of_tasks(load, tmp_path, text, old, new, place, said):
    assert old in text
    with pytest.raises(ConfigError) as caught:
        load(text.replace(old, new))
    assert caught.value.where == f"{tmp_path / 'task.yaml'}:{place}"
    assert said in str(caught.value)


# --- rows ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "where", "said"),
    [
        (
            {"review": "x", "label": "neutral", "source": "w"},
            "{data}:2: label",
            "label 'neutral' is not declared in labels",
        ),
        ({"review": "x", "label": "Positive", "source": "w"}, "{data}:2: label", "did you mean positive"),
        ({"review": "x", "label": None, "source": "w"}, "{data}:2: label", "has no target"),
        ({"reviews": "x", "label": "positive", "source": "w"}, "{task}:6: data.fields.text", "did you mean reviews"),
        ({"review": "x", "source": "w"}, "{task}:6: data.fields.target", "{data}:2 has no column 'label'"),
        ({"review": "x", "label": "positive"}, "{task}:7: data.context", "no column 'source'"),
    ],
)
def test_rows_that_contradict_the_task(load, tmp_path, row, where, said):
    places = {"data": tmp_path / "test.jsonl", "task": tmp_path / "task.yaml"}
    first = {"review": "x", "label": "positive", "source": "w"}
    task = load(REVIEWS, REVIEW_ROWS | {"test.jsonl": jsonl(first, row)})
    with pytest.raises(DataError) as caught:
        task.samples("train")
    assert caught.value.where == where.format(**places)
    assert said.format(**places) in str(caught.value)


def test_labels_are_text_as_the_file_writes_them(load):
    task = load(
        REVIEWS.replace("negative:", "false:").replace("positive:", "1:"),
        {
            "train.jsonl": jsonl({"review": "x", "label": 1, "source": 3}),
            "test.jsonl": jsonl({"review": "x", "label": False, "source": 3}),
        },
    )
    assert [task.samples(split)[0].target for split in ("train", "test")] == ["1", "false"]
    assert task.samples("train")[0].context == "3"


def test_clusters_are_read_and_are_part_of_what_is_digested(load):
    rows = jsonl(
        {"review": "x", "label": "positive", "source": "web", "page": 7},
        {"review": "y", "label": "positive", "source": "web", "page": ""},
    )
    files = {"train.jsonl": rows, "test.jsonl": rows}
    plain, by_page, by_source = (
        load(REVIEWS.replace("  context: source", f"  context: source{line}"), files)
        for line in ("", "\n  cluster: page", "\n  cluster: source")
    )
    assert [sample.cluster for sample in by_page.samples("test")] == ["7", None]
    assert [sample.cluster for sample in by_source.samples("test")] == ["web", "web"]
    assert len({rows_digest(task.samples("test")) for task in (plain, by_page, by_source)}) == 3
    with pytest.raises(DataError, match=r"no column 'pag' .*did you mean page"):
        load(REVIEWS.replace("  context: source", "  cluster: pag"), files).samples("test")


def test_a_split_without_rows(load, tmp_path):
    with pytest.raises(DataError) as caught:
        load(REVIEWS, REVIEW_ROWS | {"train.jsonl": "\n"}).samples("test")
    assert caught.value.where == f"{tmp_path / 'task.yaml'}:5: data.files.train"
    with pytest.raises(DataError) as caught:
        load(CUT, {"all.csv": "text,label\nx,a\n"}).samples("test")
    assert caught.value.where == f"{tmp_path / 'task.yaml'}:5: data.splits.train"


def test_digests_are_verified(load):
    content = REVIEW_ROWS["test.jsonl"]
    right = hashlib.sha256(content.encode()).hexdigest()
    text = REVIEWS.replace("  context: source", "  sha256: {test: %s}\n  context: source")
    assert len(load(text % right, REVIEW_ROWS).samples("test")) == 2
    with pytest.raises(AssetError, match=r"data\.files\.test: .*SHA-256"):
        load(text % ("a" * 64), REVIEW_ROWS).samples("test")


def test_columns_are_derived_and_rows_left_out(load, tmp_path):
    text = REVIEWS.replace("{text: review, target: label}", "{text: both, target: label}").replace(
        "  context: source",
        """\
  derive:
    label: "'positive' if rating | float > 0 else 'negative'"
    both: "label ~ ': ' ~ row['Review Text']"
  where: rating | float != 0
  format: tsv
  columns: [rating, Review Text]
  context: file""",
    )
    files = {"train.jsonl": "1\tFine.\n0\tSo so.\n", "test.jsonl": "-2.5\tDull.\n"}
    task = load(text, files)
    assert list(task.samples("train")) == [Sample("train:1", {"text": "positive: Fine."}, "positive", "train")]
    assert [sample.target for sample in task.samples("test")] == ["negative"]
    with pytest.raises(TemplateError) as caught:
        load(text.replace("rating | float != 0", "ratin > 0"), files).samples("test")
    assert caught.value.where == f"{tmp_path / 'task.yaml'}:10: data.where"
    assert f"{tmp_path / 'train.jsonl'}:1: can't be evaluated: 'ratin' is undefined" in caught.value.message


def test_ids(load):
    rows = jsonl(*({"i": n % 3, "review": "x", "label": "positive", "source": ""} for n in range(3)))
    text = REVIEWS.replace("fields: {", "fields: {id: i, ")
    ids = {"train": ["train/0", "train/1", "train/2"], "test": ["test/0", "test/1", "test/2"]}
    task = load(text, {"train.jsonl": rows, "test.jsonl": rows})
    assert {split: [sample.id for sample in task.samples(split)] for split in ids} == ids, "splits repeat names"
    assert "id" not in task.samples("train")[0].fields
    with pytest.raises(DataError, match=r"id 'train/0' stands twice, again in .*train.jsonl:4"):
        load(text, {"train.jsonl": rows * 2, "test.jsonl": rows}).samples("test")


# --- splits --------------------------------------------------------------------------------------


def rows_of_csv(count):
    return "text,label\n" + "".join(f"text {n},{'ab'[n % 4 == 0]}\n" for n in range(count))


def test_one_file_is_cut_by_label_and_the_same_each_time(load):
    task = load(CUT, {"all.csv": rows_of_csv(80)})
    for split in ("train", "test"):
        labels = [sample.target for sample in task.samples(split)]
        assert (len(labels), labels.count("b")) == (40, 10)
        places = [int(sample.id.removeprefix("all:")) for sample in task.samples(split)]
        assert places == sorted(places)
    assert list(load(CUT).samples("test")) == list(task.samples("test"))
    assert list(load(CUT.replace("  fields", "  seed: 1\n  fields")).samples("test")) != list(task.samples("test"))


def test_duplicates_stay_on_one_side_of_the_cut(load):
    content = rows_of_csv(80) + "".join(f"TEXT  {n}!,{'ab'[n % 4 == 0]}\n" for n in range(0, 80, 2))
    task = load(CUT, {"all.csv": content})
    texts = [
        {sample.fields["text"].lower().rstrip("!").split()[1] for sample in task.samples(split)}
        for split in ("train", "test")
    ]
    assert not texts[0] & texts[1]
    assert texts[0] | texts[1] == {str(n) for n in range(80)}


@pytest.mark.parametrize("by", ["group", "[group, target]", "[target, folder]"])
def test_stratified_by_columns_or_fields(load, by):
    text = CUT.replace("  fields", f"  stratify: {by}\n  fields").replace("0.5, test: 0.5", "0.25, test: 0.5")
    content = "text,label,group\n" + "".join(f"text {n},{'ab'[n % 2]},{n // 2 % 2}\n" for n in range(80))
    task = load(text, {"all.csv": content})
    assert len(task.samples("train")) == 20
    if "target" in by:
        assert sum(sample.target == "b" for sample in task.samples("train")) == 10


def test_stratified_by_what_is_not_there(load, tmp_path):
    with pytest.raises(DataError, match=r"no column 'lable' \(did you mean label\?\)") as caught:
        load(CUT.replace("  fields", "  stratify: lable\n  fields"), {"all.csv": rows_of_csv(8)}).samples("test")
    assert caught.value.where == f"{tmp_path / 'task.yaml'}:6: data.stratify"


def test_a_folder_of_texts(load):
    files = {f"data/{label}/{n:02}.txt": f"{label} {n}" for label in "ab" for n in range(6)}
    text = CUT.replace("all.csv", "data/*/*.txt").replace("target: label", "target: folder")
    task = load(text, files)
    assert sorted(sample.id for split in ("train", "test") for sample in task.samples(split)) == sorted(
        f"{label}/{n:02}" for label in "ab" for n in range(6)
    )
    assert all(sample.id[0] == sample.target == sample.fields["text"][0] for sample in task.samples("test"))


# --- other kinds ---------------------------------------------------------------------------------


def quiz(*answers, options=("Rome", "Paris", "Bern")):
    return {"quiz.jsonl": jsonl(*({"q": "Which?", "options": options, "answer": answer} for answer in answers))}


def targets(task):
    return [sample.target for sample in task.samples("test")]


def test_choices_are_named_by_number_or_by_text(load):
    task = load(QUIZ, quiz(1, 2))
    assert targets(task) == ["1", "2"]
    sample = task.samples("test")[0]
    assert sample.choices == sample.fields["choices"] == ("Rome", "Paris", "Bern")
    assert (task.spec.prompt.input, task.spec.metrics) == ("{{ question }}", ("accuracy",))
    assert targets(load(QUIZ, quiz("2", "0"))) == ["2", "0"]
    assert targets(load(QUIZ, quiz("Bern", "Rome"))) == ["2", "0"]
    assert targets(load(QUIZ, quiz("3", "1", options=[1, 2, 3]))) == ["2", "0"], "all are texts of choices"
    assert targets(load(QUIZ, quiz("3", "0", options=[3, 2, 1, 7]))) == ["3", "0"], "one is no text: they are numbers"


@pytest.mark.parametrize(
    ("answers", "options", "said"),
    [
        ((0, 3), ["a", "b", "c"], ":2: answer: target 3 is neither the text of a choice nor its number, 0 to 2"),
        (("a", "d"), ["a", "b", "c"], ":2: answer: target 'd' is neither"),
        (("a", "1"), ["a", "b", "c"], ":2: answer: the target is a number, but in other rows it is a choice's text"),
        ((0,), ["a"], ":1: options: is no list of two choices or more"),
        ((0,), "abc", ":1: options: is no list of two choices or more"),
        ((True,), ["a", "b"], ":1: answer: target True is neither"),
    ],
)
def test_choices_that_make_no_sense(load, answers, options, said):
    with pytest.raises(DataError) as caught:
        load(QUIZ, quiz(*answers, options=options)).samples("test")
    assert said in str(caught.value)


def test_choices_in_columns_of_their_own(load):
    text = QUIZ.replace("quiz.jsonl", "quiz.csv").replace(
        "  fields:", "  derive: {options: '[a, b]', answer: \"'AB'.index(key)\"}\n  fields:"
    )
    task = load(text, {"quiz.csv": "q,a,b,key\nWhich?,x,y,B\n"})
    assert task.samples("test")[0].choices == ("x", "y")
    assert targets(task) == ["1"]


def test_generation(load):
    task = load(
        SUMS.replace(
            "extract: {type: number}", "generation: {max_tokens: 9, stop: [x]}\nextract: {pattern: 'a(.)', take: last}"
        ),
        {"sums.jsonl": jsonl({"q": "1+1", "a": "Two"})},
    )
    assert task.spec.generation == GenerationSpec(9, ("x",), 0.0)
    assert task.spec.extract == ExtractSpec("a(.)", "last", "text")
    assert task.spec.metrics == ("exact_match",)
    assert targets(task) == ["Two"]


def test_how_answers_are_drawn(load):
    told = "generation: {temperature: 0.7, top_p: 0.95, n: 8}\nextract:"
    assert load(SUMS.replace("extract:", told)).spec.generation == GenerationSpec(128, (), 0.7, 0.95, 8)
    told = "generation: {temperature: 0.0, top_p: 1, n: 1}\nextract:"
    assert load(SUMS.replace("extract:", told)).spec.generation == GenerationSpec()


def test_numbers_to_be_generated_have_one_form(load):
    task = load(SUMS, {"sums.jsonl": jsonl({"q": "1+1", "a": "$1,002.0"}, {"q": "2", "a": 2.5})})
    assert targets(task) == ["1002", "2.5"]
    with pytest.raises(DataError, match=r"sums\.jsonl:1: a: target 'two' is no number"):
        load(SUMS, {"sums.jsonl": jsonl({"q": "1+1", "a": "two"})}).samples("test")


def test_several_fields_are_one_input_unless_told(load):
    task = load(SUMS.replace("{question: q,", "{one: q, two: q,").replace("{{ question }}", "{{ one }}"))
    assert task.spec.prompt.input == "{{ one }}\n{{ two }}"


# --- candidates ----------------------------------------------------------------------------------

CANDIDATES = """\
  candidates:
    template:
      - "{{ text }}\\nIs it good or bad?"
      - "Review: {{ text | upper }}\\nSentiment:"
    instruction: ["Judge reviews."]
    labels:
      - {positive: " great", negative: " terrible"}
"""


def with_candidates(section, task=REVIEWS):
    return task.replace("metrics:", f"{section}metrics:", 1)


def test_candidates_are_read_and_stand_apart_from_the_tasks_own_prompt(load):
    plain, task = load(REVIEWS), load(with_candidates(CANDIDATES))
    assert task.spec.prompt == plain.spec.prompt
    assert plain.spec.candidates == Candidates()
    assert task.spec.candidates == Candidates(
        ("{{ text }}\nIs it good or bad?", "Review: {{ text | upper }}\nSentiment:"),
        ("Judge reviews.",),
        ({"positive": " great", "negative": " terrible"},),
    )


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("  candidates: {}\n", "13: prompt.candidates: names no candidates"),
        ("  candidates: {templates: [a]}\n", "13: prompt.candidates.templates: unknown key 'templates'"),
        ('  candidates:\n    template:\n    - "{{ texd }}"\n', "15: prompt.candidates.template[0]: 'texd' is no field"),
        ('  candidates: {template: ["{{ target }}"]}\n', "13: prompt.candidates.template[0]: the target is the answer"),
        ('  candidates: {template: ["{{ text"]}\n', "13: prompt.candidates.template[0]: is no valid template"),
        ('  candidates: {instruction: ["{{ text }}"]}\n', "13: prompt.candidates.instruction[0]: 'text' is no field"),
        ('  candidates: {instruction: [""]}\n', "13: prompt.candidates.instruction[0]: is the task's own again"),
        (
            "  candidates: {instruction: [a, b, a]}\n",
            "instruction[2]: is the one before (number 1)",
        ),
        ('  candidates: {labels: [{positive: " +"}]}\n', "nothing says the label 'negative'"),
        ('  candidates: {labels: [{positive: " +", negative: ""}]}\n', "13: prompt.candidates.labels[0].negative"),
        ('  candidates: {labels: [{positive: " +", negative: " +"}]}\n', "both said ' +'"),
        ('  candidates: {labels: [{positive: " +", negatives: " -"}]}\n', "'negatives' is no label of this task"),
        ('  candidates: {labels: [{negative: " bad", positive: " good"}]}\n', "labels[0]: is the task's own again"),
    ],
)
def test_a_wrong_candidate_is_an_error_with_its_line(load, section, message):
    with pytest.raises(ConfigError) as error:
        load(with_candidates(section))
    assert message in f"{error.value.where}: {error.value.message}"


def test_only_a_classification_has_candidates_for_labels(load):
    with pytest.raises(ConfigError, match="only a classification task has this key"):
        load(SUMS.replace('"{{ question }}"}', '"{{ question }}", candidates: {labels: [{a: x}]}}'))


def test_check_renders_every_candidate_on_every_row_and_warns_of_missing_spaces(load):
    task = load(with_candidates(CANDIDATES.replace("Judge reviews.", "{{ 1 / 0 }}")), REVIEW_ROWS)
    with pytest.raises(TemplateError, match=r"division by zero") as error:
        check_task(task)
    assert error.value.where.endswith("prompt.candidates.instruction[0]")

    task = load(with_candidates(CANDIDATES.replace("upper", "words('x')")), REVIEW_ROWS)
    with pytest.raises(TemplateError, match="on sample 'train:1'") as error:
        check_task(task)
    assert error.value.where.endswith(":16: prompt.candidates.template[1]")

    task = load(with_candidates(CANDIDATES.replace("bad?", "bad? ").replace(" great", "great")), REVIEW_ROWS)
    found = [finding.message for finding in check_task(task)]
    assert any("white space at the end of the template and at the start of the answer ' bad'" in one for one in found)
    assert any("no white space between the template and the answer 'great'" in one for one in found)


def test_candidates_belong_to_the_key_of_strategies_that_read_them_and_are_shown_to_no_other(load):
    plain, task = load(REVIEWS, REVIEW_ROWS).spec, load(with_candidates(CANDIDATES), REVIEW_ROWS)
    blind, searching = frozenset({"prompt"}), frozenset({"prompt", "candidates"})
    assert task_identity(plain, blind) == task_identity(plain, searching) == task_identity(task.spec, blind)
    assert task_identity(plain, searching) != task_identity(task.spec, searching)
    assert TaskData(task).view("test", blind).spec == plain
    assert TaskData(task).view("test", searching).spec == task.spec


def test_choices_are_shuffled_for_each_row_by_itself(load):
    rows = [{"id": f"r{at}", "q": "?", "options": list("abcd"), "answer": "a"} for at in range(200)]
    text = QUIZ.replace("fields: {", "shuffle_choices: true\n  fields: {id: id, ")
    found = load(text, {"quiz.jsonl": jsonl(*rows)}).samples("test")
    assert all(sample.choices[int(sample.target)] == "a" and sorted(sample.choices) == list("abcd") for sample in found)
    assert all(sample.fields["choices"] == sample.choices for sample in found)
    counts = [sum(sample.target == str(place) for sample in found) for place in range(4)]
    assert all(30 <= count <= 70 for count in counts), counts
    fewer = load(text, {"quiz.jsonl": jsonl(*rows[100:])}).samples("test")
    assert list(fewer) == list(found[100:]), "no other row has a say"


def test_rows_are_exploded_derived_left_out_and_pivoted_in_this_order(load):
    text = """\
    name: pairs
    kind: generation
    data:
      files: {test: pages.json}
      explode: parts
      derive: {at: "parts[0]", text: "parts[1]"}
      where: at > 0
      pivot: {index: at, columns: language, values: text}
      fields: {english: en, target: fr}
    prompt: {template: "{{ english }}"}
    """
    pages = [
        {"language": "en", "parts": [[0, "title"], [1, "one"], [2, "two"]]},
        {"language": "fr", "parts": [[0, "titre"], [2, "deux"], [1, "un"]]},
    ]
    found = load(text, {"pages.json": json.dumps(pages)}).samples("test")
    assert list(found) == [Sample("1", {"english": "one"}, "un"), Sample("2", {"english": "two"}, "deux")]
