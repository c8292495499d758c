from itertools import combinations
from pathlib import Path

import pytest

import harness_tasks
from harness.assets import Assets
from harness.checking import check_task
from harness.plugins import Plugins
from harness.records import SPLITS
from harness.sampling import duplicate_key
from harness.taskfile import load_task

FOLDER = Path(harness_tasks.__file__).parent
NAMES = sorted(folder.name for folder in FOLDER.iterdir() if (folder / "task.yaml").is_file())


@pytest.fixture(scope="module")
def plugins():
    return Plugins()


@pytest.fixture(scope="module")
def load(plugins):
    assets = Assets(plugins.registry("source"))
    tasks = {}

    def load(name):
        """A task, kept for the other tests: its rows are read once."""
        return tasks.setdefault(name, load_task(FOLDER / name / "task.yaml", assets))

    return load


def test_the_index_the_folders_and_the_files_agree(plugins, load):
    entries = {entry.name: entry for entry in plugins.registry("task") if entry.plugin == "tasks"}
    assert len(entries) == len(NAMES) == 9
    for name in NAMES:
        spec = load(name).spec
        assert entries[spec.name].resource == ("harness_tasks", f"{name}/task.yaml")
        assert entries[spec.name].summary == spec.description


@pytest.mark.parametrize("name", NAMES)
def test_each_file_says_where_its_data_is_from_and_under_which_licence(load, name):
    spec = load(name).spec
    assert spec.licence
    assert spec.citation
    text = (FOLDER / name / "task.yaml").read_text(encoding="utf-8")
    assert "sha256: " in text, "what is fetched is verified"


# --- on the real data ----------------------------------------------------------------------------

ROWS = {
    "bbc_articles": {"train": 0, "validation": 0, "test": 223},
    "bbc_news": {"train": 1335, "validation": 222, "test": 668},
    "gsm8k_100": {"train": 10, "validation": 0, "test": 90},
    "humaneval": {"train": 0, "validation": 0, "test": 164},
    "sentiment_domains": {"train": 13992, "validation": 2332, "test": 6996},
    "sms_spam": {"train": 2917, "validation": 486, "test": 1459},
}
TARGETS = {
    "bbc_news": {"business": 510, "entertainment": 386, "politics": 417, "sports": 511, "tech": 401},
    "sms_spam": {"ham": 4220, "spam": 642},
}


@pytest.mark.network
@pytest.mark.parametrize("name", NAMES)
def test_every_template_renders_on_every_row_and_no_input_stands_in_two_splits(load, name):
    findings = check_task(load(name))
    assert not [line for line in findings if "white space" in line or "stand both" in line or "in no row" in line]
    assert not [line for line in findings if "described" in line or "no context" in line]


@pytest.mark.network
@pytest.mark.parametrize("name", NAMES)
def test_the_splits_hold_all_rows_once(load, name):
    rows = {split: load(name).samples(split) for split in SPLITS}
    assert {split: len(found) for split, found in rows.items()} == ROWS[name]
    ids = [sample.id for found in rows.values() for sample in found]
    assert len(set(ids)) == len(ids)
    keys = {split: {duplicate_key(sample) for sample in found} for split, found in rows.items()}
    assert all(keys[one].isdisjoint(keys[other]) for one, other in combinations(SPLITS, 2))


@pytest.mark.network
@pytest.mark.parametrize("name", sorted(TARGETS))
def test_the_labels_are_as_frequent_as_the_source_says_and_in_each_split_alike(load, name):
    rows = {split: load(name).samples(split) for split in SPLITS}
    for label, count in TARGETS[name].items():
        found = {split: sum(sample.target == label for sample in samples) for split, samples in rows.items()}
        assert sum(found.values()) == count
        assert found["test"] == pytest.approx(0.3 * count, abs=3)


@pytest.mark.network
def test_sentiment_has_four_domains_and_no_row_without_a_sign(load):
    samples = [sample for split in SPLITS for sample in load("sentiment_domains").samples(split)]
    # All rows of the source but those that were rated exactly 0.
    assert len(samples) == 4200 + 3708 + 10605 + 5190 - 383
    assert {sample.context for sample in samples} == {"tweets", "products", "films", "editorials"}
    assert not [sample for sample in samples if "\t" in sample.fields["text"] or "\r" in sample.fields["text"]]


@pytest.mark.network
def test_worked_solutions_are_shown_without_calculator_marks(load):
    from harness.templates import render_answer

    task = load("gsm8k_100")
    for sample in task.samples("train"):
        said = render_answer(task.spec, sample)
        assert said.endswith(f"#### {sample.target}")
        assert "<<" not in said
        assert ">>" not in said
