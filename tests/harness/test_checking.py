import pytest

from harness.assets import Assets
from harness.checking import check_task, render_all
from harness.errors import DataError, TemplateError
from harness.plugins import Plugins
from harness.records import PromptSpec, Sample, TaskSpec
from harness.taskfile import load_task

TASK = """\
name: reviews
kind: classification
data:
  files: {train: train.csv, test: test.csv}
  fields: {text: text, target: label}
  context: source
contexts: {web: The web, print: Newspapers}
labels: {bad: " bad", good: " good", mixed: " mixed"}
prompt:
  template: "{{ text }}:"
  context: "({{ context }}) "
"""
TRAIN = "text,label,source\nFine,good,web\nDull,bad,web\nfine!,bad,radio\n"
TEST = "text,label,source\nFINE,good,web\nShort,good,\n"


@pytest.fixture
def load(tmp_path):
    def load(text=TASK, train=TRAIN, test=TEST):
        for name, content in (("task.yaml", text), ("train.csv", train), ("test.csv", test)):
            (tmp_path / name).write_text(content, encoding="utf-8")
        return load_task(tmp_path / "task.yaml", Assets(Plugins().registry("source"), root=tmp_path / "cache"))

    return load


def told(findings):
    """Level, key and message of each finding."""
    plain = [finding.plain() for finding in findings]
    return [(one["level"], one["key"], one["message"]) for one in plain if one["level"] != "content"]


def contents(findings):
    return [str(finding) for finding in findings if finding.level == "content"]


def test_findings_of_a_task_with_oddities(load, tmp_path):
    findings = check_task(load())
    assert contents(findings) == ["train: 3 rows (bad 2, good 1, mixed 0)", "test: 2 rows (bad 0, good 2, mixed 0)"]
    assert told(findings) == [
        ("warning", "labels.bad", "label 'bad' occurs in no row of test"),
        ("warning", "labels.mixed", "label 'mixed' occurs in no row"),
        ("warning", "data.fields.target", "every row of test has the target 'good': what always says so is right"),
        ("warning", "data.context", "1 rows have no context"),
        ("warning", "contexts", "context 'radio' is not described"),
        ("warning", "contexts.print", "context 'print' occurs in no row"),
        ("warning", "data.files.train", "1 rows (such as train:4) of train repeat others of it"),
        ("warning", "data.files.train", "1 inputs of train (such as train:4) stand there with different targets"),
        ("warning", "data.files.test", "1 inputs (such as train:2 = test:2) stand both in train and in test"),
    ]
    assert all(finding.advice for finding in findings if finding.level == "warning")
    one = next(finding for finding in findings if finding.plain()["key"] == "labels.mixed")
    assert str(one).startswith(f"warning: {tmp_path / 'task.yaml'}:8: labels.mixed: label 'mixed' occurs in no row (")
    assert (one.plain()["file"], one.plain()["line"]) == (str(tmp_path / "task.yaml"), 8)


def test_a_task_without_oddities(load):
    text = TASK.replace(", print: Newspapers", "").replace(', mixed: " mixed"', "").replace("  context: source\n", "")
    text = text.replace("contexts: {web: The web}\n", "").replace('  context: "({{ context }}) "\n', "")
    task = load(text, "text,label,source\na,good,web\nb,bad,web\n", "text,label,source\nc,good,web\nd,bad,web\n")
    assert list(map(str, check_task(task))) == ["train: 2 rows (bad 1, good 1)", "test: 2 rows (bad 1, good 1)"]


@pytest.mark.parametrize(
    ("template", "label", "said"),
    [
        ('"{{ text }}:"', '"bad"', "no white space between the template and the answer 'bad' (bad)"),
        (
            '"{{ text }}: "',
            '" bad"',
            "white space at the end of the template and at the start of the answer ' bad' (bad)",
        ),
    ],
)
def test_white_space_before_the_answer(load, template, label, said):
    findings = check_task(load(TASK.replace('"{{ text }}:"', template).replace('" bad"', label)))
    assert ("warning", "prompt.template", said) in told(findings)


def test_a_template_that_does_not_render_on_one_row(load, tmp_path):
    text = TASK.replace("{{ text }}:", "{{ 6 // (text | length - 5) }}")
    with pytest.raises(TemplateError) as caught:
        check_task(load(text))
    assert caught.value.where == f"{tmp_path / 'task.yaml'}:10: prompt.template"
    assert "sample 'train:4'" in caught.value.message
    text = TASK.replace("{{ context }}", "{{ context | int(default='') / 1 }}")
    with pytest.raises(TemplateError) as caught:
        check_task(load(text))
    assert caught.value.where == f"{tmp_path / 'task.yaml'}:11: prompt.context"


class Capitals:
    """A task that no file defines."""

    spec = TaskSpec("capitals", "multiple-choice", PromptSpec("{{ q }}", choice=" {{ choice }}"))

    def __init__(self, *samples):
        self.rows = samples

    def samples(self, split):
        return self.rows if split == "test" else ()


def test_a_task_that_no_file_defines():
    sample = Sample("1", {"q": "Of France?"}, "0", choices=("Paris", "Rome"))
    assert list(map(str, check_task(Capitals(sample)))) == [
        "test: 1 rows",
        "note: there is no train split, so nothing can be adapted to examples",
    ]
    with pytest.raises(DataError, match="has no rows"):
        check_task(Capitals())
    with pytest.raises(TemplateError) as caught:
        render_all(Capitals(sample), [Sample("2", {}, "0", choices=("a", "b"))])
    assert caught.value.where == "prompt.template"
