"""`harness curve` through the installed command line."""

import csv
import io
import json
import xml.etree.ElementTree as ET

import pytest

TASK = """\
name: weather
kind: classification
data:
  files: {train: train.jsonl, test: test.jsonl}
  fields: {text: text, target: label}
labels: {warm: " warm", cold: " cold"}
prompt:
  template: "{{ text }}:"
"""


@pytest.fixture
def weather(tmp_path):
    """A task whose labels words tell, after enough rows."""
    words = {"warm": ("sun", "beach", "heat"), "cold": ("snow", "ice", "frost")}
    (tmp_path / "task.yaml").write_text(TASK)
    for split, count in (("train", 60), ("test", 40)):
        rows = []
        for at in range(count):
            label = ("warm", "cold")[at % 2]
            rows.append({"text": f"{split} {at} {words[label][at // 2 % 3]}", "label": label})
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(tmp_path / "task.yaml")


def test_curves_of_baselines_are_run_drawn_and_kept(cli, weather, tmp_path):
    call = ("curve", "-m", "tfidf-lr", "-m", "majority", "-t", weather, "-s", "finetune", "--seeds", "0-2")
    done = cli(*call, "--sizes", "2,30,30,500,900", "-o", "out", "--format", "json")
    assert done.status == 0, done.err
    assert "train_size=500 takes all rows there are" in done.err
    assert "18 trials: 18 to run" in done.err
    (found,) = done.json["curves"]
    tfidf, majority = found["curves"]
    assert [point["labels"] for point in tfidf["points"]] == [2, 30, 60]
    assert [seed["seed"] for seed in tfidf["points"][0]["seeds"]] == [0, 1, 2]
    assert tfidf["points"][-1]["value"] == 1.0
    assert {point["value"] for point in majority["points"]} == {0.5}
    (contest,) = found["contests"]
    assert (contest["curve"]["model"], contest["over"]["model"]) == ("tfidf-lr", "majority")
    assert contest["verdict"] in {"from-first", "crosses"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "curves.md", "curves.csv", "curves.json", "curves-weather.svg"
    }  # fmt: skip
    assert json.loads((tmp_path / "out" / "curves.json").read_text()) == done.json
    picture = ET.fromstring((tmp_path / "out" / "curves-weather.svg").read_text())
    assert len(picture.findall(".//{*}circle")) == 6

    table = cli(*call, "--sizes", "2,30,500")
    assert "18 trials: 0 to run, 18 finished before" in table.err
    assert contest["said"] in " ".join(table.out.split())
    rows = list(csv.DictReader(io.StringIO(cli(*call, "--sizes", "2,30", "--format", "csv").out)))
    assert len(rows) == 2 * 2 * (3 + 1)
    assert {(row["seed"], row["labels"]) for row in rows[:2]} == {("", "2"), ("0", "2")}

    report = cli("report", "--format", "json")
    assert report.json["curves"] == done.json["curves"]
    assert contest["said"] in " ".join(cli("report").out.split())
    assert "- tfidf-lr · finetune beats majority" in cli("report", "--format", "markdown").out


def test_what_cant_be_prompted_says_so_and_one_seed_is_named(cli):
    done = cli("curve", "-m", "tfidf-lr", "-t", "toy", "-s", "finetune", "-s", "zero-shot", "--sizes", "2,4")
    assert done.status == 0
    assert "not applicable: tfidf-lr · zero-shot: the model can't be prompted" in done.out
    assert "one seed: the intervals have the error of sampling alone" in " ".join(done.out.split())


def test_a_failed_trial_is_a_gap_and_the_rest_stands(cli, weather):
    """No word stands in three of two texts: there is nothing to learn from."""
    call = ("curve", "-m", "tfidf-lr,min_df=3", "-t", weather, "-s", "finetune", "--sizes", "2,20,40", "--seeds", "0,1")
    done = cli(*call, "--format", "json")
    assert done.status == 1
    (found,) = done.json["curves"]
    assert [point["labels"] for point in found["curves"][0]["points"]] == [20, 40]
    assert any("finetune,train_size=2 has a gap: failed: no words to learn from" in note for note in found["notes"])


def test_an_experiment_file_may_have_sizes(cli, tmp_path):
    (tmp_path / "curves.yaml").write_text(
        "models: [tfidf-lr]\ntasks: [toy]\nstrategies: [finetune]\nsizes: [1, 2]\nper_label: true\n"
    )
    assert "2 trials, 2 of which can run" in cli("check", "curves.yaml").out
    run = cli("run", "curves.yaml", "--no-latency", "--format", "json")
    assert [trial["params"] for trial in run.json["trials"]] == [{"shots": 1}, {"shots": 2}]
    curve = cli("curve", "curves.yaml", "--format", "json")
    assert "2 finished before" in curve.err
    assert curve.json["curves"] == run.json["curves"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "a curve needs several sizes"),
        (("--sizes", "4"), "a curve needs several sizes"),
        (("--sizes", "4,4"), "a curve needs several sizes"),
        (("--sizes", "0,4"), "do not all lie between 1 and"),
        (("--sizes", "4,x"), "'4,x' are not whole numbers"),
        (("--sizes", "4,,8"), "are not whole numbers"),
        (("--sizes", "2,4", "-s", "finetune,train_size=3"), "has its own train_size"),
        (("--sizes", "2,4", "--seeds", "3-1"), "'3-1' are not whole numbers"),
    ],
)
def test_what_is_asked_wrongly_is_one_line_and_status_2(cli, arguments, said):
    done = cli("curve", "-m", "tfidf-lr", "-t", "toy", "-s", "finetune", *arguments)
    assert done.status == 2
    assert done.out == ""
    (line,) = done.err.splitlines()
    assert line.startswith("error: ")
    assert said in line


def test_without_a_strategy_that_learns_there_is_no_curve(cli):
    done = cli("curve", "-m", "toy", "-t", "toy", "-s", "zero-shot", "--sizes", "2,4")
    assert done.status == 2
    assert "no strategy here learns from a number of labelled rows: zero-shot" in done.err


@pytest.mark.model
def test_a_probe_of_an_encoder_passes_a_prompt(cli):
    """The question itself, on real models: at 20 labels the probe is far above the zero-shot prompt."""
    call = ("curve", "-m", "smollm2-135m", "-m", "minilm-l6", "-t", "bbc-news", "-s", "zero-shot", "-s", "linear-probe")
    done = cli(*call, "--sizes", "5,20", "--seeds", "0-1", "--limit", "40", "--format", "json")
    assert done.status == 0, done.err
    (found,) = done.json["curves"]
    prompt, probe = found["curves"]
    assert (prompt["flat"], prompt["points"][0]["labels"]) == (True, 0)
    assert [one["labels"] for one in probe["points"]] == [10, 40]
    (contest,) = found["contests"]
    assert contest["verdict"] in {"from-first", "crosses"}
    assert contest["difference"]["low"] > 0
