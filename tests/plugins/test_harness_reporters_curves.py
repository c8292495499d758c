"""Learning curves in every report: what stands where, that it fits, and that no name breaks out."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET

import pytest
from rich.cells import cell_len

from harness.components import parse_component
from harness.leaderboard import build
from harness.records import Component, Estimate, LabelBudget, Trial, TrialResult
from harness_reporters.boarddata import board_data
from harness_reporters.curves import COLUMNS, NOTHING, Curves
from harness_reporters.html import Html
from harness_reporters.jsonfile import Json
from harness_reporters.markdown import Markdown
from harness_reporters.terminal import Terminal

N = 50
HOSTILE = "a|b<script>alert(1)</script>&\"']]>\x1b[31m"
SVG = "{http://www.w3.org/2000/svg}"


def a_trial(strategy, right, labels, *, seed=0, model="m", task="bbc-news", **changes):
    component = parse_component(strategy) if isinstance(strategy, str) else strategy
    swept = Component(component.name) if "n" in component.params else None
    named = (f"{model}/{strategy}/{seed}/{right}", Component(model), Component(task), component, seed)
    curve, prompts = str(swept) if swept else "", component.name == "zero-shot"
    trial = Trial(*named, "test", None, "rows", N, {}, curve=curve, prompts=prompts)
    score = Estimate(right / N, right / N - 0.1, right / N + 0.1)
    settled = {"metrics": {"accuracy": score}, "budget": LabelBudget(labels), **changes}
    return TrialResult(trial, settled.pop("status", "finished"), **settled)


def a_board(*results, title=""):
    return build(results, lambda key: [(f"row-{at}", at < int(key.rpartition("/")[2])) for at in range(N)], title=title)


def curved(model="m", task="bbc-news"):
    sizes = {4: (10, 14), 16: (30, 32), 64: (45, 46)}
    return [
        *(
            a_trial(f"probe,n={size}", right, size, seed=seed, model=model, task=task)
            for size, rights in sizes.items()
            for seed, right in enumerate(rights)
        ),
        a_trial("zero-shot", 25, 0, model=model, task=task),
    ]


def test_the_table_has_a_column_for_each_number_of_labels():
    lines = Curves().render(a_board(*curved(), title="Mine")).text.splitlines()
    heading = next(line for line in lines if line.startswith("model"))
    assert heading.split() == ["model", "strategy", "0", "4", "16", "64"]
    row = next(line for line in lines if "probe" in line)
    assert row.split() == ["m", "probe", "—", "0.240", "±0.057", "0.620", "±0.028", "0.910", "±0.014"]
    assert any(line.startswith("m · probe beats m · zero-shot from about 10 labels on") for line in lines)
    assert lines[0] == "Mine"


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_the_table_fits_the_terminal(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    board = a_board(*curved(model="a-model-with-quite-a-long-name"))
    for text in (Curves().render(board).text, Terminal().render(board).text):
        assert max(map(cell_len, text.splitlines())) <= columns
        assert "0.910" in text


def test_files_hold_the_same_numbers():
    board = a_board(*curved())
    files = Curves().render(board).files
    assert list(files) == ["curves.md", "curves.csv", "curves.json", "curves-bbc-news.svg"]
    rows = list(csv.DictReader(io.StringIO(files["curves.csv"].decode())))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 3 * 3 + 2
    found = json.loads(files["curves.json"])["curves"][0]
    point = found["curves"][0]["points"][1]
    mean = next(row for row in rows if row["labels"] == "16" and not row["seed"])
    assert float(mean["value"]) == point["value"] == pytest.approx(0.62)
    assert float(mean["high"]) == point["high"]
    assert f"- {found['contests'][0]['said']}" in files["curves.md"].decode().replace("\\", "")


def test_the_picture_has_a_dot_a_point_and_a_flat_line_across():
    root = ET.fromstring(Curves().render(a_board(*curved())).files["curves-bbc-news.svg"].decode())
    assert len(root.findall(f".//{SVG}circle")) == 3
    heights = [float(dot.get("cy")) for dot in root.findall(f".//{SVG}circle")]
    assert heights == sorted(heights, reverse=True)
    texts = [text.text for text in root.findall(f".//{SVG}text")]
    assert {"m · probe", "m · zero-shot (0 labels)", "4", "16", "64"} <= set(texts)
    flat = [
        line for line in root.findall(f".//{SVG}line") if line.get("stroke-width") and line.get("y1") == line.get("y2")
    ]
    assert any(float(line.get("x2")) - float(line.get("x1")) > 600 for line in flat)


def test_names_break_out_of_nothing():
    board = a_board(*curved(model=HOSTILE, task=HOSTILE), title=HOSTILE)
    report = Curves().render(board)
    (picture,) = (content.decode() for name, content in report.files.items() if name.endswith(".svg"))
    assert ET.fromstring(picture).findall(f".//{SVG}script") == []
    assert all(name.replace("-", "").replace(".", "").isalnum() for name in report.files)
    assert "\x1b[31m" not in report.text + report.files["curves.md"].decode()
    assert "<script>" not in report.files["curves.md"].decode().replace("\\<", "")


def test_every_report_of_a_board_with_curves_has_them():
    board = a_board(*curved())
    said = "probe beats m · zero-shot from about 10 labels on"
    assert said in " ".join(Terminal().render(board).text.split())
    assert "**accuracy by number of labelled examples**" in Markdown().render(board).text
    assert said in Markdown().render(board).text.replace("\\", "")
    assert f"<li>m · {said}" in Html().render(board).text
    assert said in board_data(board)["tables"][0]["curves"]["said"][0]
    assert said in json.loads(Json().render(board).text)["curves"][0]["contests"][0]["said"]


def test_a_board_without_curves_says_so_and_other_reports_do_not():
    board = a_board(a_trial("zero-shot", 25, 0))
    report = Curves().render(board)
    assert NOTHING in report.text
    assert NOTHING in report.files["curves.md"].decode()
    assert json.loads(report.files["curves.json"]) == {"curves": []}
    assert list(report.files) == ["curves.md", "curves.csv", "curves.json"]
    assert "curves" not in json.loads(Json().render(board).text)
    assert Curves().render(a_board()).files["curves.csv"].decode() == ",".join(COLUMNS) + "\n"


def test_gaps_and_pairs_that_cant_work_are_said():
    broken = a_trial("probe,n=8", 0, 8, status="failed", reason="loss is NaN", metrics={})
    refused = a_trial("probe,n=4", 0, 4, model="mute", status="not-applicable", reason="no vectors", metrics={})
    text = Curves().render(a_board(*curved(), broken, refused)).text
    assert "note: m · probe,n=8 has a gap: failed: loss is NaN" in text
    assert "not applicable: mute · probe" in text
    nothing = [a_trial(f"probe,n={n}", 0, n, status="failed", reason="no", metrics={}) for n in (4, 8)]
    report = Curves().render(a_board(*nothing))
    assert "has a gap: failed: no" in report.text
    assert not any(name.endswith(".svg") for name in report.files)


def test_tasks_of_like_names_have_a_picture_each():
    board = a_board(*curved(task="a b"), *curved(task="a-b"))
    assert {"curves-a-b.svg", "curves-a-b-2.svg"} <= set(Curves().render(board).files)
