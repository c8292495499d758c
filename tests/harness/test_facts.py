"""Facts about rows are kept as long as all that they follow from stays as it is."""

import json

import pytest

from harness import facts
from harness.assets import Assets
from harness.catalogue import Catalogue
from harness.errors import TemplateError
from harness.facts import Facts, Memory
from harness.planning import plan
from harness.plugins import Plugins
from harness.records import Component, Experiment
from harness.rows import read_rows

TASK = """
name: weather
kind: classification
data:
  files: {train: train.jsonl, test: test.jsonl}
  fields: {text: text, target: label}
labels: {warm: " warm", cold: " cold"}
prompt: {template: "{{ text }}:"}
metrics: [accuracy]
licence: none
citation: none
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "task.yaml").write_text(TASK)
    for split in ("train", "test"):
        rows = [{"text": f"{split} {number}", "label": ["warm", "cold"][number % 2]} for number in range(6)]
        (tmp_path / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path


@pytest.fixture
def reads(monkeypatch):
    """Counts how often files of data are read as rows."""
    count = []

    def counted(*args, **options):
        count.append(args)
        return read_rows(*args, **options)

    monkeypatch.setattr("harness.taskfile.read_rows", counted)
    return count


def keys(folder):
    plugins = Plugins()
    catalogue = Catalogue(plugins, Assets(plugins.registry("source"), root=folder / "cache"))
    models, strategies = (Component("majority"),), (Component("finetune"), Component("zero-shot"))
    jobs = plan(Experiment(models, (Component(str(folder / "task.yaml")),), strategies), catalogue)
    return [(job.trial.key, job.trial.n, job.trial.samples, job.trial.refusal) for job in jobs]


def test_what_was_planned_once_is_planned_again_without_reading_rows(folder, reads):
    first = keys(folder)
    assert len(reads) == 2
    assert keys(folder) == first
    assert len(reads) == 2


@pytest.mark.parametrize(
    "change",
    [
        ("test.jsonl", "test 3", "test 3!"),
        ("train.jsonl", "train 3", "train 3!"),
        ("task.yaml", '{warm: " warm", cold: " cold"}', '{cold: " cold", warm: " warm"}'),
        ("task.yaml", "{train: train.jsonl, test: test.jsonl}", "{train: test.jsonl, test: train.jsonl}"),
    ],
)
def test_rows_are_read_again_when_anything_changed_and_keys_change_with_them(folder, reads, change):
    first = keys(folder)
    name, old, new = change
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))
    changed = keys(folder)
    assert len(reads) == 4
    assert changed[0][0] != first[0][0]
    (folder / name).write_text(text)
    assert keys(folder) == first
    assert len(reads) == 4  # as it was before, it is known


def test_a_template_that_does_not_render_is_told_though_the_data_is_known(folder):
    keys(folder)
    (folder / "task.yaml").write_text(TASK.replace("{{ text }}:", "{{ text.missing }}:"))
    for _ in range(2):
        with pytest.raises(TemplateError, match="does not render"):
            keys(folder)


def test_rows_are_read_again_by_other_code(folder, reads, monkeypatch):
    first = keys(folder)
    monkeypatch.setattr(facts, "code_digest", lambda: "other code")
    assert keys(folder) == first
    assert len(reads) == 4


def test_what_is_damaged_or_can_not_be_kept_is_found_again(folder, reads):
    first = keys(folder)
    for file in (folder / "cache" / "facts").iterdir():
        file.write_text("{")
    assert keys(folder) == first
    assert len(reads) == 4
    blocked = folder / "cache" / "facts"
    for file in blocked.iterdir():
        file.unlink()
    blocked.rmdir()
    blocked.write_text("a file where the folder should be")
    assert keys(folder) == first


def test_without_a_folder_facts_live_as_long_as_the_memory():
    found = []
    memory = Memory()
    for _ in range(2):
        assert memory.facts(("scored",), lambda: found.append(1) or Facts(1, "x")) == Facts(1, "x")
    assert Memory().facts(("scored",), lambda: Facts(2, "y")) == Facts(2, "y")
    assert found == [1]
