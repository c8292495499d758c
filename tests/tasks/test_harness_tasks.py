from collections import Counter
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
from harness.values import labels_of

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
    assert len(entries) == len(NAMES) == 19
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
    "bbc_cloze": {"train": 183, "validation": 0, "test": 183},
    "bbc_headlines": {"train": 1335, "validation": 222, "test": 222},
    "bbc_news": {"train": 1335, "validation": 222, "test": 668},
    "chatterbot_en": {"train": 317, "validation": 57, "test": 157},
    "chatterbot_trivia": {"train": 52, "validation": 0, "test": 208},
    "gsm8k_100": {"train": 10, "validation": 0, "test": 90},
    "hellaswag_100": {"train": 10, "validation": 0, "test": 90},
    "humaneval": {"train": 0, "validation": 0, "test": 164},
    "loan_mentions": {"train": 582, "validation": 116, "test": 466},
    "sentiment_domains": {"train": 13992, "validation": 2332, "test": 6996},
    "sms_spam": {"train": 2917, "validation": 486, "test": 1459},
    "tweet_entities": {"train": 1437, "validation": 239, "test": 718},
    "trial_populations": {"train": 248, "validation": 50, "test": 199},
    "truthfulqa_mc1_100": {"train": 10, "validation": 0, "test": 90},
    "udhr_en_fr": {"train": 10, "validation": 0, "test": 40},
    "product_matching": {"train": 173, "validation": 43, "test": 217},
    "sentiment_ratings": {"train": 2520, "validation": 420, "test": 1260},
    "simlex999": {"train": 400, "validation": 100, "test": 499},
}
PAGE = Path(__file__).parents[2] / "docs" / "tasks.md"
TARGETS = {
    "bbc_news": {"business": 510, "entertainment": 386, "politics": 417, "sports": 511, "tech": 401},
    "sms_spam": {"ham": 4220, "spam": 642},
}


@pytest.mark.network
@pytest.mark.parametrize("name", NAMES)
def test_every_template_renders_on_every_row_and_no_input_stands_in_two_splits(load, name):
    findings = [finding.message for finding in check_task(load(name))]
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
def test_tweets_have_as_many_entities_of_each_type_as_the_source(load):
    task = load("tweet_entities")
    found = Counter(label for split in SPLITS for row in task.samples(split) for label in labels_of(task.spec, row))
    assert found == Counter(
        {"person": 449, "geo-loc": 276, "other": 225, "company": 171, "facility": 104, "product": 97, "musicartist": 55}
    ) + Counter({"sportsteam": 51, "movie": 34, "tvshow": 34})


@pytest.mark.network
def test_sentences_of_agreements_name_what_the_source_lists(load):
    task = load("loan_mentions")
    found = Counter(tuple(labels_of(task.spec, row)) for split in SPLITS for row in task.samples(split))
    assert found == {
        (): 651,
        ("person",): 296,
        ("person", "organization"): 68,
        ("organization",): 67,
        ("place",): 45,
        ("person", "place"): 17,
        ("person", "organization", "place"): 11,
        ("organization", "place"): 9,
    }


@pytest.mark.network
def test_every_answer_stands_in_its_abstract(load):
    rows = [row for split in SPLITS for row in load("trial_populations").samples(split)]
    right = {row.id: row.references or (row.target,) for row in rows}
    assert all(answer in row.fields["passage"] for row in rows for answer in right[row.id])
    assert Counter(map(len, right.values())) == {1: 357, 2: 96, 3: 37, 4: 5, 5: 2}
    assert not [row.id for row in rows if "&lt;" in row.fields["passage"]]


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


@pytest.mark.network
def test_the_true_answer_stands_in_every_place_of_truthfulqa(load):
    rows = [sample for split in SPLITS for sample in load("truthfulqa_mc1_100").samples(split)]
    assert {sample.target for sample in rows} >= set("0123")
    assert sum(sample.target == "0" for sample in rows) < 40


@pytest.mark.network
def test_headlines_are_lines_that_their_articles_do_not_begin_with(load):
    for sample in load("bbc_headlines").samples("test"):
        assert 3 <= len(sample.target.split()) <= 9
        assert not sample.fields["article"].startswith(sample.target)


@pytest.mark.network
def test_paragraphs_of_the_declaration_are_each_others_translation(load):
    rows = {sample.id: sample for split in SPLITS for sample in load("udhr_en_fr").samples(split)}
    assert rows["5-1"].fields["english"] == "Everyone has the right to life, liberty and the security of person."
    assert (
        rows["5-1"].target
        == "Tout individu a droit \u00e0 la vie, \u00e0 la libert\u00e9 et \u00e0 la s\u00fbret\u00e9 de sa personne."
    )
    assert len({name.partition("-")[0] for name in rows}) == 30, "articles"
    lengths = [len(row.target) / len(row.fields["english"]) for row in rows.values()]
    assert min(lengths) > 0.7
    assert max(lengths) < 2


@pytest.mark.network
def test_the_word_left_out_fits_and_is_not_shown_in_the_blank(load):
    for sample in load("bbc_cloze").samples("test"):
        assert len(set(sample.choices)) == 4
        assert sample.fields["passage"].count("____") == 1


# --- the page of data sheets ---------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_task_has_its_line_on_the_page_with_its_rows(load, name):
    (line,) = [
        line for line in PAGE.read_text("utf-8").splitlines() if line.startswith(f"| `{load(name).spec.name}` |")
    ]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[1] == load(name).spec.kind
    assert cells[4] == " / ".join(f"{ROWS[name][split]:,}" for split in SPLITS)
    assert all(cells)
