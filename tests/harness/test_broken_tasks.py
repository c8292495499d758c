# ruff: noqa: E501 - a case a line
"""A corpus of broken task files: each is refused by `harness check` in one line that names file, line and key.

Each is one of four sound tasks with an edit of its file, or of its data. lm-eval 0.4.13's `validate` passes a file with a
wrong type of output, an unclosed template, an unknown metric, an unknown filter and no data set as valid.
"""

import json
import subprocess
import sys

import pytest

from harness.cli import call

REVIEWS = """\
name: reviews
kind: classification
data:
  files: {train: train.jsonl, test: test.jsonl}
  fields: {text: text, target: label}
  cluster: page
  context: source
labels:
  bad: " bad"
  good: " good"
prompt:
  instruction: Judge reviews.
  template: "{{ text }}\\nIt is"
  separator: "\\n\\n"
metrics: [accuracy, macro_f1]
"""
QUIZ = """\
name: quiz
kind: multiple-choice
data:
  files: {train: train.jsonl, test: test.jsonl}
  fields: {question: question, choices: options, target: answer}
prompt:
  template: "{{ question }}\\nAnswer:"
  choice: " {{ choice }}"
metrics: [accuracy]
"""
SUMS = """\
name: sums
kind: generation
data:
  files: {train: train.jsonl, test: test.jsonl}
  fields: {question: question, target: answer}
prompt:
  template: "{{ question }}\\nAnswer:"
  answer: " {{ target }}"
generation:
  max_tokens: 8
  stop: ["\\n"]
extract:
  type: number
  take: last
metrics: [exact_match]
"""
PASSAGES = """\
name: passages
kind: question-answering
data:
  files: {train: train.jsonl, test: test.jsonl}
  fields: {passage: passage, question: question, target: answers}
prompt:
  template: "{{ passage }}\\n{{ question }}\\nAnswer:"
  answer: " {{ target }}"
generation: {max_tokens: 8, stop: ["\\n"]}
unanswerable: nowhere
"""
NAMES = """\
name: names
kind: tagging
data:
  files: {train: train.jsonl, test: test.jsonl}
  fields: {tokens: words, target: tags}
labels:
  person: person
  place: place
prompt:
  template: "{{ text }}\\nNames:"
"""
CUT = REVIEWS.replace("{train: train.jsonl, test: test.jsonl}", "test.jsonl\n  splits: {train: 0.5, test: 0.5}")

COLOURS = [
    "amber",
    "azure",
    "beige",
    "black",
    "blue",
    "brown",
    "coral",
    "cyan",
    "gold",
    "green",
    "grey",
    "indigo",
    "ivory",
    "jade",
    "khaki",
    "lemon",
]
ROWS = {
    "reviews": [
        {"text": f"A {one} film.", "label": ("bad", "good")[n % 2], "source": "ab"[n // 2 % 2], "page": n // 2}
        for n, one in enumerate(COLOURS)
    ],
    "quiz": [
        {"question": f"What is number {n} like?", "options": ["red", one, "white"][n % 2 :], "answer": 1 - n % 2}
        for n, one in enumerate(COLOURS)
    ],
    "names": [
        {
            "words": ["So", "Mr", str(n), "likes", one, "."],
            "tags": ["O", "B-person", "I-person", "O", f"B-{where}", "O"],
        }
        for n, one in enumerate(COLOURS)
        for where in ["person" if n % 2 else "place"]
    ],
    "sums": [{"question": f"How much are {n} and {n}?", "answer": 2 * n} for n in range(1, 41, 2)],
    "passages": [
        {"passage": f"Mr {n} likes {one}.", "question": f"What does Mr {n} like?", "answers": [one][: n % 4]}
        for n, one in enumerate(COLOURS)
    ],
}
SOUND = {"names": NAMES, "reviews": REVIEWS, "quiz": QUIZ, "sums": SUMS, "passages": PASSAGES, "cut": CUT}


def data_of(task):
    return ROWS["reviews" if task == "cut" else task]


def write(folder, task, text, rows=None):
    """The task file with its data: half of the rows are to train on; `rows` takes the place of those of the test."""
    half = len(data_of(task)) // 2
    for split, found in (("train", data_of(task)[:half]), ("test", rows or data_of(task)[half:])):
        lines = (line if isinstance(line, str) else json.dumps(line) for line in found)
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "task.yaml").write_text(text, encoding="utf-8")


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("task", SOUND)
def test_the_tasks_that_are_to_be_broken_are_sound(task, tmp_path, capsys):
    write(tmp_path, task, SOUND[task])
    assert call(["check", "task.yaml", "--strict"]) == 0, capsys.readouterr().out


FILES = [
    # task, what is in its file, what takes its place, line and key, what is said
    ("names", "tokens: words, ", "", "5: data.fields", "field 'tokens' is missing"),
    ("names", "labels:\n  person: person\n  place: place\n", "", "1: labels", "a tagging task needs labels"),
    ("names", "  place: place", "  place: person", "8: labels.place", "no model can tell them apart"),
    ("names", "{{ text }}", "{{ txt }}", "10: prompt.template", "did you mean text?"),
    ("names", "{{ text }}", "{{ target }}", "10: prompt.template", "the answer, which the question may not show"),
    ("reviews", "kind: classification", "kind: clasification", "2: kind", "'classification'"),
    ("reviews", "name: reviews", "nmae: reviews", "1: nmae", "unknown key 'nmae' (did you mean name?)"),
    ("reviews", "name: reviews", "name: my reviews", "1: name", "should match pattern"),
    ("reviews", "name: reviews\n", "", "1: name", "is missing"),
    ("reviews", "metrics: [acc", "name: again\nmetrics: [acc", "15: name", "stands twice (first in line 1)"),
    ("reviews", "  good:", "  bad:", "10: labels.bad", "stands twice (first in line 9)"),
    ("reviews", "  template:", "  tempalte:", "13: prompt.tempalte", "did you mean template?"),
    ("reviews", "  separator:", "  temperature: 0\n  separator:", "14: prompt.temperature", "unknown key"),
    ("reviews", "metrics:", "output_type: multiple_choice\nmetrics:", "15: output_type", "unknown key"),
    ("reviews", "{{ text }}", "{{ text", "13: prompt.template", "no valid template"),
    ("reviews", "{{ text }}", "{% if text %}{{ text }}", "13: prompt.template", "no valid template"),
    ("reviews", "{{ text }}", "{{ txt }}", "13: prompt.template", "did you mean text?"),
    ("reviews", "{{ text }}", "{{ text | shorten }}", "13: prompt.template", "no valid template"),
    ("reviews", "{{ text }}", "{{ text.words[3] }}", "13: prompt.template", "does not render on sample"),
    ("reviews", "{{ text }}", "{{ text / 2 }}", "13: prompt.template", "does not render on sample"),
    ("reviews", "{{ text }}", "{{ 1 // (text | length - 13) }}", "13: prompt.template", "sample 'train:1'"),
    ("reviews", "{{ text }}", "{{ text.__class__.mro() }}", "13: prompt.template", "unsafe"),
    ("reviews", "{{ text }}", "{{ text }} {{ target }}", "13: prompt.template", "may not show"),
    ("reviews", "{{ text }}", "A film.", "13: prompt.template", "asks the same of every row"),
    ("reviews", "Judge reviews.", "Judge {{ text }}.", "12: prompt.instruction", "no field"),
    ("reviews", "[accuracy, macro_f1]", "[acuracy]", "15: metrics", "did you mean accuracy or"),
    ("reviews", "[accuracy, macro_f1]", "[accuracy, accuracy]", "15: metrics", "stands twice"),
    ("reviews", "[accuracy, macro_f1]", "accuracy", "15: metrics", "valid"),
    ("reviews", "[accuracy, macro_f1]", "[]", "15: metrics", "at least 1"),
    ("reviews", '" good"', '" bad"', "10: labels.good", "no model can tell them apart"),
    ("reviews", '" good"', '""', "10: labels.good", "at least 1 character"),
    ("reviews", '" good"', '"  "', "10: labels.good", "white space alone"),
    ("reviews", '" good"', "5", "10: labels.good", "put it in quotes"),
    ("reviews", '  good: " good"\n', "", "8: labels", "at least 2"),
    ("reviews", "  good:", "  fine:", "train.jsonl:2: label", "label 'good' is not declared in labels"),
    ("reviews", "target: label", "target: lable", "5: data.fields.target", "did you mean label?"),
    ("reviews", "text: text,", "", "5: data.fields", "no field but the target"),
    ("reviews", ", target: label", "", "5: data.fields", "'target' is missing"),
    ("reviews", "text: text, target: label", "text: label, target: label", "13: prompt.template", "shows the answer"),
    ("reviews", "source", "sources", "7: data.context", "did you mean source"),
    ("reviews", "page", "paeg", "6: data.cluster", "did you mean page"),
    ("reviews", "test: test.jsonl", "test: tset.jsonl", "4: data.files.test", "there is no file"),
    ("reviews", "test: test.jsonl", "dev: test.jsonl", "4: data.files.dev", "'train', 'validation' or 'test'"),
    ("reviews", "  cluster:", "  where: 'false'\n  cluster:", "4: data.files.train", "has no rows"),
    ("reviews", "  cluster:", "  where: label ==\n  cluster:", "6: data.where", "no valid expression"),
    ("reviews", "  cluster:", "  where: stars > 3\n  cluster:", "6: data.where", "'stars' is undefined"),
    ("reviews", "  cluster:", "  derive: {page: text / 2}\n  cluster:", "6: data.derive.page", "can't be evaluated"),
    ("reviews", "  cluster:", "  format: xml\n  cluster:", "6: data.format", "'jsonl'"),
    ("reviews", "  cluster:", "  format: csv\n  cluster:", "5: data.fields.target", "has no column 'label'"),
    ("reviews", "  cluster:", "  splits: {test: 1}\n  cluster:", "6: data.splits", "are not cut"),
    ("reviews", "data:", "data:\n\tx: 1", "4", "spaces, not tabs"),
    ("reviews", "metrics:", "generation: {max_tokens: 5}\nmetrics:", "15: generation", "only a generation or question"),
    ("reviews", "metrics:", "unanswerable: none\nmetrics:", "15: unanswerable", "only a question-answering"),
    ("cut", "0.5, test: 0.5", "0.9, test: 0.5", "5: data.splits", "sum to 1.4"),
    ("cut", "  splits: {train: 0.5, test: 0.5}\n", "", "4: data.files", "needs `splits`"),
    ("cut", "  cluster", "  stratify: lable\n  cluster", "7: data.stratify", "did you mean label?"),
    ("quiz", "choices: options, ", "", "5: data.fields", "'choices' is missing"),
    ("quiz", "choices: options", "choices: option", "5: data.fields.choices", "did you mean options or"),
    ("quiz", "choices: options", "choices: question", "train.jsonl:1: question", "no list of two choices"),
    ("quiz", '" {{ choice }}"', '" {{ question }}"', "8: prompt.choice", "says different choices"),
    ("quiz", '" {{ choice }}"', '" {{ choise }}"', "8: prompt.choice", "did you mean choice or"),
    ("quiz", "metrics:", "labels: {a: a, b: b}\nmetrics:", "9: labels", "only a classification or pair"),
    ("sums", '" {{ target }}"', '" so much"', "8: prompt.answer", "says the same answer of every row"),
    ("sums", "  take: last", "  pattern: '(\\d+'", "14: extract.pattern", "no regular expression"),
    ("sums", "  take: last", "  take: middle", "14: extract.take", "'first' or 'last'"),
    ("sums", "  take: last", "  filter: strict-match", "14: extract.filter", "unknown key"),
    ("sums", "max_tokens: 8", "max_tokens: many", "10: generation.max_tokens", "valid integer"),
    ("sums", "max_tokens: 8", "n: 3", "10: generation.n", "at temperature 0"),
    ("sums", "target: answer", "target: question", "train.jsonl:1: question", "is no number"),
    ("sums", "kind: generation", "kind: code", "1: code", "says what program is run"),
    ("passages", ", question: question", "", "5: data.fields", "'question' is missing"),
    ("passages", "unanswerable: nowhere\n", "", "train.jsonl:1: answers", "set unanswerable"),
]  # fmt: skip


def refused(capsys, place, said, *options):
    """One line of output names the place and says so; the exit status is 2."""
    status = call(["check", "task.yaml", *options])
    out = capsys.readouterr().out
    file, _, rest = place.partition(".jsonl:")
    wanted = f"{file}.jsonl:{rest}" if rest else f"task.yaml:{place}"
    lines = [line for line in out.splitlines() if f"{wanted}: " in line and said in line]
    assert lines, f"no line with {wanted!r} and {said!r}:\n{out}"
    assert status == 2, out
    return lines


@pytest.mark.parametrize(("task", "old", "new", "place", "said"), FILES)
def test_a_broken_file_is_refused(task, old, new, place, said, tmp_path, capsys):
    assert SOUND[task].count(old) == 1, "the edit is made in one place"
    write(tmp_path, task, SOUND[task].replace(old, new))
    (line,) = refused(capsys, place, said)
    assert line.startswith("task.yaml: error: ")


DATA = [
    # task, rows of the test in the place of its own, line and column (or key), what is said
    ("reviews", [{"text": "x", "label": "ugly", "source": "a", "page": 1}], "test.jsonl:1: label", "'ugly' is not declared"),
    ("reviews", [{"text": "x", "label": "Bad", "source": "a", "page": 1}], "test.jsonl:1: label", "did you mean bad?"),
    ("reviews", [{"text": "x", "label": None, "source": "a", "page": 1}], "test.jsonl:1: label", "has no target"),
    ("reviews", [{"text": "x", "source": "a", "page": 1}], "5: data.fields.target", "no column 'label'"),
    ("reviews", ["{'text': 'x'}"], "test.jsonl:1", "is not JSON"),
    ("reviews", ["[1, 2]"], "test.jsonl:1", "is no object"),
    ("reviews", [" "], "4: data.files.test", "has no rows"),
    ("reviews", [{"text": " ", "label": "bad", "source": "a", "page": 1}], "5: data.fields.text", "empty in every row"),
    ("quiz", [{"question": "?", "options": ["a"], "answer": 0}], "test.jsonl:1: options", "no list of two choices"),
    ("quiz", [{"question": "?", "options": "a or b", "answer": 0}], "test.jsonl:1: options", "no list of two choices"),
    ("quiz", [{"question": "?", "options": ["a", None], "answer": 0}], "test.jsonl:1: options", "is null"),
    ("quiz", [{"question": "?", "options": ["a", "b"], "answer": 2}], "test.jsonl:1: answer", "neither the text"),
    ("quiz", [{"question": "?", "options": ["a", "b"], "answer": "A"}], "test.jsonl:1: answer", "neither the text"),
    ("quiz", [{"question": "?", "options": ["a", "b"], "answer": "b"}], "train.jsonl:1: answer", "is a number, but"),
    ("names", [{"words": ["a", "b"], "tags": ["O"]}], "test.jsonl:1: tags", "has 1 tags for 2 words"),
    ("names", [{"words": ["a"], "tags": "O"}], "test.jsonl:1: tags", "is no list of tags"),
    ("names", [{"words": ["a"], "tags": ["person"]}], "test.jsonl:1: tags", "'person' is no tag"),
    ("names", [{"words": ["a"], "tags": ["B-persn"]}], "test.jsonl:1: tags", "did you mean person?"),
    ("names", [{"words": "a b", "tags": ["O", "O"]}], "test.jsonl:1: words", "is no list of words"),
    ("names", [{"words": ["New York"], "tags": ["O"]}], "test.jsonl:1: words", "is no word"),
    ("sums", [{"question": "?", "answer": "four"}], "test.jsonl:1: answer", "'four' is no number"),
    ("passages", [{"passage": "x", "question": "?", "answers": [{"text": "x"}]}], "test.jsonl:1: answers", "is no text"),
    ("passages", [{"passage": "x", "question": "?", "answers": [None]}], "test.jsonl:1: answers", "is null"),
]  # fmt: skip


@pytest.mark.parametrize(("task", "rows", "place", "said"), DATA)
def test_broken_data_is_refused(task, rows, place, said, tmp_path, capsys):
    write(tmp_path, task, SOUND[task], rows)
    refused(capsys, place, said)


def each(task, **changed):
    """All rows of a task with other values in some columns."""
    return [row | changed for row in data_of(task)]


ODD = [
    # what --strict refuses: task, old, new, rows of the test, place, what is said
    ("reviews", "It is", "It is ", None, "13: prompt.template", "white space at the end of the template"),
    ("reviews", '" good"', '"good"', None, "13: prompt.template", "no white space between"),
    ("reviews", '" good"', '" bad not"', None, "9: labels.bad", "is how ' bad not' (good) begins"),
    ("reviews", '"\\n\\n"', '"#"', None, "14: prompt.separator", "no white space between demonstrations"),
    ("reviews", "accuracy, macro_f1", "accuracy, rouge1", None, "15: metrics[1]", "has no value"),
    ("sums", "[exact_match]", "[macro_f1]", None, "15: metrics[0]", "has no value"),
    ("reviews", "  good:", "  fair: ' fair'\n  good:", None, "10: labels.fair", "occurs in no row"),
    ("reviews", "", "", each("reviews", label="bad"), "5: data.fields.target", "every row of test has the target 'bad'"),
    ("reviews", "", "", each("reviews", source="a")[8:] + each("reviews", source=None)[:8], "7: data.context", "no context"),
    ("reviews", "", "", each("reviews", page=1), "6: data.cluster", "one cluster"),
    ("reviews", "", "", ROWS["reviews"], "4: data.files.test", "stand both in train and in test"),
    ("reviews", "", "", ROWS["reviews"][8:] * 2, "4: data.files.test", "repeat others of it"),
    ("reviews", "", "", ROWS["reviews"][8:] + each("reviews", label="bad")[8:], "4: data.files.test", "different targets"),
    ("reviews", "", "", ROWS["reviews"][8:] + each("reviews", text="")[:1], "5: data.fields.text", "is empty in 1 rows"),
    ("reviews", "", "", each("reviews", text="a long film. " * 2000), "13: prompt.template", "more than 20,000 characters"),
    ("reviews", "", "", [row | {"text": f"{row['text']} It is {row['label']}."} for row in ROWS["reviews"]] , "13: prompt.template", "the others do not"),
    ("reviews", "", "", [row | {"text": [row["text"]]} for row in ROWS["reviews"]], "13: prompt.template", "as code"),
    ("reviews", "test: test.jsonl", "validation: test.jsonl", None, "4: data.files", "there is no test split"),
    ("quiz", "", "", each("quiz", options=["red", "red"], answer=1), "5: data.fields.choices", "choices that are alike"),
    ("quiz", "", "", each("quiz", options=["red", ""], answer=1), "5: data.fields.choices", "have an empty choice"),
    ("quiz", "", "", each("quiz", options=["red", "sky"], answer=1), "5: data.fields.target", "its place gives it away"),
    ("quiz", "", "", [row | {"question": row["options"][row["answer"]]} for row in ROWS["quiz"]], "7: prompt.template", "the others do not"),
    ("sums", '["\\n"]', '["4"]', None, "11: generation.stop[0]", "it ends them too early"),
    ("sums", "  take: last", "  pattern: 'so (\\d+)'", None, "12: extract", "finds no right answer in"),
    ("passages", "max_tokens: 8", "max_tokens: 1", each("passages", answers=["two words"]), "9: generation.max_tokens", "too few"),
]  # fmt: skip


@pytest.mark.parametrize(("task", "old", "new", "rows", "place", "said"), ODD)
def test_what_is_odd_is_told_and_refused_where_somebody_is_strict(task, old, new, rows, place, said, tmp_path, capsys):
    assert not old or SOUND[task].count(old) == 1
    write(tmp_path, task, SOUND[task].replace(old, new) if old else SOUND[task], rows)
    for line in refused(capsys, place, said, "--strict"):
        assert line.startswith("  warning: ")
        assert line.endswith(")"), "there is advice"
    assert call(["check", "task.yaml"]) == 0


def test_all_faults_of_a_file_are_told_at_once(tmp_path, capsys):
    text = REVIEWS.replace("  template:", "  tempalte:").replace("  cluster:", "  clutser:").replace("[acc", "[1, acc")
    write(tmp_path, "reviews", text)
    assert call(["check", "task.yaml"]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[3] for line in lines] == ["data.clutser", "prompt.tempalte", "metrics[0]"]


def test_other_programs_are_told_as_json(tmp_path, capsys):
    write(tmp_path, "reviews", REVIEWS.replace("It is", "It is "))
    (tmp_path / "broken.yaml").write_text(REVIEWS.replace("kind", "kin"), encoding="utf-8")
    assert call(["check", "task.yaml", "broken.yaml", "--format", "json"]) == 2
    odd, broken = json.loads(capsys.readouterr().out)
    assert (odd["subject"], odd["status"]) == ("task.yaml", "warning")
    warning = next(one for one in odd["findings"] if one["level"] == "warning")
    assert (warning["file"], warning["line"], warning["key"]) == ("task.yaml", 13, "prompt.template")
    assert warning["advice"]
    assert (broken["subject"], broken["status"]) == ("broken.yaml", "error")
    assert broken["findings"] == [
        {
            "level": "error",
            "file": "broken.yaml",
            "line": 2,
            "key": "kin",
            "message": "unknown key 'kin'",
            "advice": "did you mean kind?",
        }
    ]


@pytest.mark.parametrize("number", [0, 9, 18])
def test_the_installed_command_says_the_same(number, tmp_path):
    task, old, new, place, said = FILES[number]
    write(tmp_path, task, SOUND[task].replace(old, new))
    done = subprocess.run(
        [sys.executable, "-m", "harness", "check", "task.yaml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert f"task.yaml:{place}: " in done.stdout
    assert said in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
