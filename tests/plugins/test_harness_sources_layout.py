"""Which files are a split of a configuration: against the `datasets` library, on folders as data sets are laid out."""

from pathlib import Path

import pytest

from harness.errors import AssetError
from harness_sources.layout import Part, chosen, means, patterns, to_fetch

README = """\
---
license: mit
configs:
- config_name: main
  default: true
  data_files:
  - split: train
    path: main/train-*
  - split: test
    path: [main/test-00000-of-00001.csv]
- config_name: socratic
  data_dir: socratic
  data_files:
  - split: train
    path: "**/*.csv"
- config_name: flat
  data_files: main/test*.csv
---
# A data set
"""
CONFIGURED = [
    "README.md",
    "main/train-00000-of-00002.csv",
    "main/train-00001-of-00002.csv",
    "main/test-00000-of-00001.csv",
    "socratic/deep/a.csv",
    "socratic/b.csv",
]
LAYOUTS = {
    "names": ["train.csv", "validation.csv", "test.csv"],
    "shards": ["data/train-00000-of-00002.csv", "data/train-00001-of-00002.csv", "data/test-00000-of-00001.csv"],
    "folders": ["train/a.csv", "train/b.csv", "dev/a.csv", "test/a.csv"],
    "words": ["films_train.csv", "films_val.csv", "films.eval.csv"],
    "one": ["films.csv"],
}


def lay_out(folder, names, readme=""):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(readme if name == "README.md" else "text,label\nx,y\n")
    return folder


def reference(folder, config, split):
    """What `datasets` finds, as names below the folder."""
    datasets = pytest.importorskip("datasets")
    found = datasets.load_dataset_builder(str(folder), config).config.data_files
    return sorted(Path(path).relative_to(folder).as_posix() for path in found.get(split, []))


def ours(names, readme, part):
    return chosen(names, patterns(readme, part, "hf://x"), part, "hf://x")


@pytest.mark.parametrize(
    ("config", "split"),
    [("main", "train"), ("main", "test"), (None, "test"), ("socratic", "train"), ("flat", "train")],
)
def test_configurations_of_a_readme(config, split, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    folder = lay_out(tmp_path / "set", CONFIGURED, README)
    found = ours(CONFIGURED, README, Part(config, split))
    assert found == reference(folder, config, split)
    assert found


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_layouts_that_no_readme_describes(layout, split, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    names = LAYOUTS[layout]
    expected = reference(lay_out(tmp_path / "set", names), None, split)
    if not expected:
        with pytest.raises(AssetError, match="no files are that"):
            ours(names, "", Part(None, split))
        return
    assert ours(names, "", Part(None, split)) == expected


@pytest.mark.parametrize("part", [Part("main", "train"), Part("socratic", None), Part(None, "test")])
def test_no_more_and_no_less_than_is_needed_is_fetched(part):
    hub = pytest.importorskip("huggingface_hub.utils")
    for names, readme in ((CONFIGURED, README), (CONFIGURED[1:], "")):
        asked = to_fetch(patterns(readme, part, "x"), part)
        fetched = set(hub.filter_repo_objects(names, allow_patterns=asked))
        assert set(ours(names, readme, part)) <= fetched < set(names)


def test_a_configuration_is_a_folder_where_the_readme_is_silent():
    assert ours(CONFIGURED, "# no head", Part("main", "test")) == ["main/test-00000-of-00001.csv"]
    assert ours(CONFIGURED, "---\nlicense: mit\n---\n", Part("main", None)) == sorted(CONFIGURED[1:4])


@pytest.mark.parametrize(
    ("readme", "part", "said"),
    [
        (README, Part("mian", "train"), r"no configuration 'mian' \(did you mean main"),
        (README, Part("main", "tset"), r"no split 'tset' \(did you mean test"),
        (README.replace("default: true", "x: 1"), Part(None, "train"), "several configurations"),
        ("---\nconfigs: [\n---\n", Part(None, "train"), "is not YAML"),
        ("", Part("nothing", "train"), "no files are that"),
    ],
)
def test_what_is_not_there_is_said(readme, part, said):
    with pytest.raises(AssetError, match=said):
        ours(CONFIGURED, readme, part)


def test_words_stand_by_themselves():
    assert means("data/train-0.csv", Part(None, "train"))
    assert not means("data/latest.csv", Part(None, "test"))
    assert means("data/train_sft-0.parquet", Part(None, "train_sft"))
