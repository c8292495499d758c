"""What commands print as JSON has exactly the keys that the reference names."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from harness.cli import group

PAGE = (Path(__file__).parents[2] / "docs" / "reference.md").read_text(encoding="utf-8")
A, B = "tfidf-lr/finetune/reviews/0", "majority/finetune/reviews/0"


def told(command: str) -> set[str]:
    """What stands in backticks behind `json` in a command's option `--format`."""
    section = PAGE.split(f"\n### harness {command}\n")[1].split("\n### ")[0]
    (row,) = re.findall(r"^\| `--format .*$", section, re.MULTILINE)
    return set(re.findall(r"`([^`]+)`", row.rpartition("`json` ")[2]))


def printed(capsys, *arguments: str) -> object:
    capsys.readouterr()
    assert group.main([*arguments, "--store", "harness.db", "--format", "json"], standalone_mode=False) in (0, 1, None)
    return json.loads(capsys.readouterr().out)


def keys(*found: dict) -> set[str]:
    return {key for one in found for key in one}


@pytest.fixture(scope="module")
def key(made) -> str:
    """Of a trial."""
    from harness.store import Store

    with Store(str(made / "harness.db")) as store:
        return next(found.trial.key for found in store.results(models=["tfidf-lr"]) if found.status == "finished")


def test_compare(stored, capsys):
    found = printed(capsys, "compare", A, B)
    assert {one["right"] for one in found["flips"]} == {"a"}
    assert found["contexts"][0].keys() == found["metrics"][0].keys()
    parts = [found["a"], found["metrics"][0], *found["flips"], found["flips"][0]["a"]]
    assert keys(found, *parts) == told("compare")


def test_gate(stored, tmp_path, capsys):
    path = str(tmp_path / "base.json")
    assert group.main(["gate", "--write", path, "--store", "harness.db"], standalone_mode=False) in (0, None)
    found = printed(capsys, "gate", path)
    assert found["passed"]
    values = {"passed", "failed", "not compared", "one sample at a time", "all at once", "trial"}
    assert keys(found, *found["checks"]) == told("gate") - (values - {"passed", "trial"})
    assert {one["what"] for one in found["checks"]} <= values | {"accuracy", "macro_f1"}


def test_replay(stored, key, capsys):
    found = printed(capsys, "replay", key)
    assert found["reproduced"]
    assert keys(found) == told("replay") - {"field", "before", "now", "metric"}


def test_rescore(stored, capsys):
    found = printed(capsys, "rescore", "--metrics", "mcc")
    values = {"extraction", "refused"}
    scored = [one for one in found if one["done"] == "metrics"]
    assert scored
    assert {one["done"] for one in found} <= values | {"metrics"}
    assert keys(*found, scored[0]["metrics"]["mcc"]) == told("rescore") - values


def test_report_of_a_suite(stored, capsys):
    Path("both.yaml").write_text("name: both\ntasks: [task.yaml]\n")
    found = printed(capsys, "report", "--suite", "both.yaml")
    (suite,) = found["suites"]
    text = re.search(r"^With `--suite` there is `suites`.*?`control`", PAGE, re.MULTILINE | re.DOTALL).group()
    said = set(re.findall(r"`(\w+)`", text)) - {"rows", "suites"}
    assert keys(suite, suite["rows"][0]) - {"rows"} == said
