"""Reports: what they say, that they fit, and that no name can break out of its cell."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from xml.etree import ElementTree

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.cells import cell_len

from harness.board import SuiteRow, SuiteTable
from harness.components import parse_component
from harness.export import tables_json, trials_json
from harness.leaderboard import build
from harness.plugins import Plugins
from harness.records import (
    Component,
    ContextScore,
    Costs,
    Coverage,
    Estimate,
    LabelBudget,
    Outcome,
    Trial,
    TrialResult,
)
from harness_reporters import cells
from harness_reporters.boarddata import board_data
from harness_reporters.chart import chart
from harness_reporters.csvfile import Csv
from harness_reporters.curves import Curves
from harness_reporters.html import Html
from harness_reporters.jsonfile import Json
from harness_reporters.latex import Latex
from harness_reporters.markdown import Markdown
from harness_reporters.modelindex import ModelIndex
from harness_reporters.png import Png
from harness_reporters.svg import Svg
from harness_reporters.terminal import Terminal

N = 40
HOSTILE = "a|b*c_d_<script>alert(1)</script>[x](javascript:1)&amp;`~~\"'{{ 7 * 7 }}"
TABLE = {"table", "thead", "tbody", "tr", "th", "td"}


def a_result(model="tfidf-lr", strategy="finetune", seed=0, score=0.5, **changes):
    key = f"{model}/{strategy}/{seed}"
    model, strategy = (part if isinstance(part, Component) else parse_component(part) for part in (model, strategy))
    trial = Trial(key, model, Component("bbc-news"), strategy, seed, "test", None, "rows", N, {})
    named = {name: changes.pop(name) for name in list(changes) if name in Trial.__dataclass_fields__}
    result = TrialResult(
        replace(trial, **named),
        "finished",
        coverage=Coverage(answered=N),
        metrics={"accuracy": Estimate(score, score - 0.032, score + 0.024), "macro_f1": Estimate(score, 0.1, 0.9)},
        latency={
            "single-stream": {"p50_ms": 12.34 / score, "p95_ms": 20.0, "p99_ms": 1234.5, "thin_from": 99.0},
            "offline": {"samples_per_s": 8123.4, "tokens_per_s": None, "peak_mb": 210.0},
        },
        costs=Costs(load_s=0.41),
        provenance={"device": "cpu"},
    )
    return replace(result, **changes)


def a_board(*results, right=None, title="Quickstart"):
    right = right or {}
    return build(
        results,
        lambda key: [(f"row-{i}", i < right.get(key, 0)) for i in range(N)],
        title=title,
    )


def a_rich_board():
    """Every sort of row: ranked, tied, several seeds, contexts, gain, partial, failed, not applicable."""

    def contexts(films, tweets):
        return {
            name: ContextScore(20, {"accuracy": Estimate(value, value - 0.1, value + 0.1)})
            for name, value in [("films", films), ("tweets", tweets)]
        }

    results = [
        a_result("minilm-l6", "finetune", score=0.912, costs=Costs(0.4, 184.0), contexts=contexts(0.95, 0.85)),
        a_result(
            "minilm-l6",
            "context",
            score=0.95,
            baselines={"finetune": "minilm-l6/finetune/0"},
            contexts=contexts(0.93, 0.97),
        ),
        a_result("smollm2-135m", "few-shot,k=8", seed=0, score=0.6, notes=("7 rows left out",)),
        a_result("smollm2-135m", "few-shot,k=8", seed=1, score=0.7, notes=("7 rows left out",)),
        a_result(
            "partial", status="partial", reason="3 of 40 samples failed", coverage=Coverage(answered=37, failed=3)
        ),
        a_result("broken", status="failed", reason="out of memory", metrics={}, latency={}),
        a_result("refused", "zero-shot", status="not-applicable", reason="it has no language-model head", metrics={}),
    ]
    return a_board(*results, right={"minilm-l6/finetune/0": 36, "minilm-l6/context/0": 38})


@pytest.fixture
def narrow(monkeypatch):
    def resize(columns):
        monkeypatch.setenv("COLUMNS", str(columns))

    return resize


# --- all of them -----------------------------------------------------------------------------------------


def test_the_plugin_registers_its_reporters():
    registry = Plugins().registry("reporter")
    ours = {entry.name: entry.load() for entry in registry if entry.plugin == "reporters"}
    names = ["csv", "curves", "html", "json", "latex", "markdown", "model-index", "png", "svg", "table"]
    targets = [Csv, Curves, Html, Json, Latex, Markdown, ModelIndex, Png, Svg, Terminal]
    assert ours == dict(zip(names, targets, strict=True))


@pytest.mark.parametrize(
    ("reporter", "file"),
    [
        (Terminal, "leaderboard.txt"),
        (Markdown, "leaderboard.md"),
        (Csv, "leaderboard.csv"),
        (Json, "results.json"),
        (Html, "leaderboard.html"),
        (Latex, "leaderboard.tex"),
    ],
)
@pytest.mark.parametrize(
    "board",
    [
        a_board(),
        a_board(a_result(status="failed", reason="out of memory", metrics={}, latency={})),
        a_board(a_result(status="planned", metrics={}, latency={})),
        a_board(a_result(metrics={"cross_entropy": Estimate(0.5, 0.4, float("inf"))}, latency={})),
        a_board(a_result(metrics={"accuracy": Estimate(float("nan"), float("nan"), float("nan"))})),
        a_rich_board(),
    ],
    ids=["empty", "failed", "planned", "infinite", "undefined", "rich"],
)
def test_every_board_can_be_reported(reporter, file, board):
    report = reporter().render(board)
    assert list(report.files) == [file]
    assert report.files[file].decode()
    assert report.text.endswith("\n")
    assert reporter().render(board) == report  # nothing of the clock or of chance in it


@pytest.mark.parametrize("reporter", [Terminal, Markdown, Html])
def test_reports_for_people_say_what_matters(reporter):
    text = reporter().render(a_rich_board()).text
    shown = " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())
    for said in (
        "Quickstart",
        "bbc-news · test · 40 samples",
        "Best: minilm-l6 · context with accuracy 0.950 [0.918, 0.974].",
        "1 other row can't be told from it",
        "2=",
        "out of memory",
        "it has no language-model head",
        "3 of 40 samples failed",
        "7 rows left out",
        "±0.071",
        "device",
    ):
        assert said in shown, said


# --- numbers ---------------------------------------------------------------------------------------------


def test_scores_have_three_decimals_and_their_interval():
    assert cells.estimate(Estimate(0.912, 0.88, 0.936)) == "0.912 [0.880, 0.936]"
    assert cells.estimate(Estimate(2.0, 1.0, float("inf"))) == "2.000 [1.000, —]"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "—"),
        (float("nan"), "—"),
        (0.0, "0.000"),
        (0.0004, "<0.001"),
        (0.7823, "0.782"),
        (1.926, "1.93"),
        (14.21, "14.2"),
        (1404.4, "1,404"),
    ],
)
def test_quantities_have_three_digits(value, text):
    assert cells.quantity(value) == text


def test_thin_percentiles_and_ties_are_marked():
    (table,) = a_rich_board().tables
    columns = {column.heading: column.text for column in cells.columns(table)}
    best, tied = table.rows[:2]
    assert (columns["rank"](best), columns["rank"](tied)) == ("1", "2=")
    assert (columns["p95 ms"](best), columns["p99 ms"](best)) == ("20.0", "1,234~")
    assert columns["gain"](best) == cells.gain(best)
    assert columns["gain"](best).startswith("+0.050 [")


def of_classes(count):
    """Outcomes of which the first ones are right; three quarters of the samples are of one class."""
    return [Outcome(f"row-{i}", i < count, "ham" if 4 * i < 3 * N else "spam") for i in range(N)]


def a_board_with_a_tie_and_a_weak_row():
    right = {"good/zero-shot/0": 39, "near/zero-shot/0": 38, "weak/zero-shot/0": 28}
    results = [a_result(key.partition("/")[0], "zero-shot", score=count / N) for key, count in right.items()]
    return build(results, lambda key: of_classes(right[key]))


def test_ranks_have_intervals_and_a_tie_its_number_of_samples():
    (table,) = a_board_with_a_tie_and_a_weak_row().tables
    columns = {column.heading: column.text for column in cells.columns(table)}
    assert [columns["ranks"](row) for row in table.rows] == ["1-2", "1-2", "3"]
    assert (
        f"About {table.settling:,} samples would settle whether it is better than near · zero-shot."
        in cells.headline(table)
    )


@pytest.mark.parametrize("reporter", [Terminal, Markdown])
def test_rows_that_are_no_better_than_the_majority_are_warned_of(reporter):
    text = reporter().render(a_board_with_a_tie_and_a_weak_row()).text
    assert "No better than the majority's answer (0.750): weak · zero-shot." in " ".join(text.split())
    assert "No better than" not in reporter().render(a_rich_board()).text


def test_csv_and_json_have_ranks_and_tests():
    board = a_board_with_a_tie_and_a_weak_row()
    frame = pd.read_csv(io.StringIO(Csv().render(board).text))
    assert list(zip(frame["rank_low"], frame["rank_high"], strict=True)) == [(1, 2), (1, 2), (3, 3)]
    assert list(frame["p_majority"] < 0.05) == [True, True, False]
    (table,) = json.loads(Json().render(board).text)["tables"]
    assert table["majority"] == 0.75
    assert [row["ranks"] for row in table["rows"]] == [[1, 2], [1, 2], [3, 3]]
    assert table["settling"] == board.tables[0].settling


def test_columns_of_which_nothing_is_known_are_left_out():
    (table,) = a_board(a_result(latency={}, costs=Costs())).tables
    assert [column.heading for column in cells.columns(table)] == [
        "rank",
        "model",
        "strategy",
        "accuracy",
        "macro_f1",
        "answered",
    ]


def test_what_adapting_took_is_shown_where_a_strategy_asked_models(narrow):
    asked = a_result("m", "few-shot", costs=Costs(0.4, None, 2.5, 1300, 90_000))
    silent = a_result("m", "zero-shot", costs=Costs(0.4, None, 0.0, 0, 0))
    (table,) = a_board(silent).tables
    assert "adapt s" not in [column.heading for column in cells.columns(table)]
    board = a_board(asked, silent)
    columns = {column.heading: column.text for column in cells.columns(board.tables[0])}
    row = next(row for row in board.tables[0].rows if row.strategy == "few-shot")
    assert (columns["adapt s"](row), columns["model calls"](row)) == ("2.50", "1,300")
    assert "adapt s, model calls" in dict(board.footnotes)
    narrow(250)
    for reporter in (Terminal, Markdown):
        assert "adapt s" in reporter().render(board).text
    assert "1,300 model calls" in Html().render(board).text
    (line,) = [row for row in csv.DictReader(Csv().render(board).text.splitlines()) if row["strategy"] == "few-shot"]
    assert (line["adapt_s"], line["model_calls"], line["adapt_tokens"]) == ("2.5", "1300.0", "90000.0")
    (told,) = [one for one in json.loads(Json().render(board).text)["trials"] if one["params"] == {} and one["adapt_s"]]
    assert (told["adapt_s"], told["model_calls"], told["adapt_tokens"]) == (2.5, 1300, 90_000)


def test_a_metric_may_have_a_columns_name():
    (table,) = a_board(a_result(metrics={"p": Estimate(0.5, 0.4, 0.6), "gain": Estimate(0.1, 0.0, 0.2)})).tables
    assert [column.heading for column in cells.columns(table)][3:5] == ["p (score)", "gain (score)"]


def test_coverage_counts_by_cause():
    partly = Coverage(answered=30, truncated=4, unparsed=5, failed=1, shortened=2)
    (table,) = a_board(a_result(coverage=partly)).tables
    assert cells.coverage(table.rows[0]) == "85%, 5 unparsed, 1 failed, 4 truncated, 2 shortened"


def test_every_report_shows_labels_further_gains_and_controls_and_warns_of_different_labels():
    """A context row with two baselines, of which one is a control with the best score of all."""
    given = {"zero-shot": "m/zero-shot/0", "context,shuffle=yes": "m/context,shuffle=yes/0"}
    board = a_board(
        a_result("m", "zero-shot", score=0.5, budget=LabelBudget()),
        a_result("m", "context,shuffle=yes", score=0.9, control=True, budget=LabelBudget(8)),
        a_result("m", "context", score=0.75, baselines=given, budget=LabelBudget(8, 2)),
        right={"m/zero-shot/0": 20, "m/context,shuffle=yes/0": 36, "m/context/0": 30},
    )
    (table,) = board.tables
    first, _, control = table.rows
    columns = {column.heading: column.text for column in cells.columns(table)}
    assert columns["labels"](first) == "8 train + 2 validation"
    assert columns["gain"](first).startswith("+0.250 [")
    assert columns["further gains"](first).startswith("-0.150 [")
    assert columns["further gains"](first).endswith("] over context,shuffle=yes")
    assert (columns["rank"](first), columns["rank"](control)) == ("1", "control")
    warning = "Ranked rows were given different labels (0; 8 train + 2 validation)."
    assert cells.headline(table).endswith(warning)
    for report in (Markdown().render(board), Html().render(board), Terminal().render(board)):
        text = " ".join(" ".join(content.decode() for content in report.files.values()).split())
        assert warning in text
        assert "a control: others are measured by it" in text
    assert warning in " ".join(Terminal().render(board).text.split())
    frame = pd.read_csv(io.StringIO(Csv().render(board).text))
    assert tuple(frame.loc[0, ["labels_train", "labels_validation", "unlabelled", "transductive"]]) == (8, 2, 0, False)
    assert frame.loc[0, "gain_2_over"] == "context,shuffle=yes"
    assert frame.loc[0, ["gain", "gain_2"]].tolist() == pytest.approx([0.25, -0.15])
    assert frame["control"].tolist() == [False, False, True]
    shown = {trial["strategy"]: trial for trial in json.loads(Json().render(board).text)["trials"]}
    assert shown["context"]["budget"] == {"train": 8, "validation": 2, "unlabelled": 0, "transductive": False}


def test_labels_have_no_column_where_nobody_used_any():
    (table,) = a_board(a_result(budget=LabelBudget())).tables
    assert "labels" not in [column.heading for column in cells.columns(table)]


# --- terminal --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [40, 60, 80, 100, 120, 160, 220])
def test_the_table_fits_the_terminal(columns, narrow):
    narrow(columns)
    text = Terminal().render(a_rich_board()).text
    assert max(map(cell_len, text.splitlines())) <= columns
    assert "0.950" in text


def test_a_narrow_terminal_keeps_what_matters_most(narrow):
    def headings(columns):
        narrow(columns)
        text = Terminal().render(a_rich_board()).text
        line = next(line for line in text.splitlines() if line.startswith("rank"))
        return [
            name for name in ("accuracy", "macro_f1", "p50 ms", "gain", "train s", "load s", "cached") if name in line
        ]

    assert headings(80) == ["accuracy", "p50 ms"]
    assert headings(110) == ["accuracy", "macro_f1", "p50 ms", "gain"]
    assert headings(250) == ["accuracy", "macro_f1", "p50 ms", "gain", "train s", "load s"]
    narrow(80)
    assert "No room for: seeds, macro_f1," in Terminal().render(a_rich_board()).text


@pytest.mark.parametrize("columns", [60, 80, 160, 400])
def test_means_of_many_kinds_are_cut_into_grids_that_fit_and_nothing_is_lost(columns, narrow):
    kinds = {f"kind-{number}-of-tasks": Estimate(number / 100, 0.0, 1.0) for number in range(12)}
    one = {"kind-3-of-tasks": Estimate(0.99, 0.9, 1.0)}
    rows = (
        SuiteRow(1, "smollm2-135m", "context,of=few-shot,k=4", Estimate(0.5, 0.4, 0.6), 12, kinds),
        SuiteRow(None, "majority", "finetune", Estimate(0.25, 0.2, 0.3), 11, one),
    )
    suite = SuiteTable("all", ("one", "two"), tuple(kinds), rows)
    narrow(columns)
    said = Terminal().render(replace(a_board(), suites=(suite,))).text
    assert max(map(cell_len, said.splitlines())) <= columns
    assert all(re.findall(r"kind-\d+-of-tasks|mean", said).count(kind) == 1 for kind in kinds)
    assert [f"{number / 100:.3f}" in said.split() for number in range(12)] == [True] * 12
    assert {"0.990", "12"} <= set(said.split())
    assert said.count("majority") == said.count("strategy") == (1 if columns == 400 else said.count("smollm2-135m"))


def test_colours_only_where_standard_output_is_a_terminal(monkeypatch):
    class FakeTerminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b" not in Terminal().render(a_rich_board()).text
    monkeypatch.setattr("sys.stdout", FakeTerminal())
    report = Terminal().render(a_rich_board())
    assert "\x1b[1m" in report.text
    assert b"\x1b" not in report.files["leaderboard.txt"]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in Terminal().render(a_rich_board()).text


def test_names_command_no_terminal():
    board = a_board(
        a_result("evil\x1b[31m\x07[bold]red[/]\u202e", reason="two\nlines", status="partial"), title="a\x1b]0;b"
    )
    text = Terminal().render(board).text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", text)
    assert "[bold]red[/]" in text
    assert "two lines" in text


# --- Markdown --------------------------------------------------------------------------------------------


def test_markdown_is_a_table_for_github():
    text = Markdown().render(a_rich_board()).text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert [cell.strip() for cell in rows[0].split("|")[1:5]] == ["rank", "model", "strategy", "seeds"]
    assert re.fullmatch(r"\|(:?-+:?\|)+", rows[1])
    assert "0.912 [0.880, 0.936]" in text
    assert "macro_f1" in text


@given(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
    | st.sampled_from([HOSTILE, "1. a", "__init__", "- # >"])
)
def test_markdown_shows_names_as_they_are(name):
    component = Component(name)
    board = a_board(
        a_result(component, component, reason=name, status="partial", notes=(name,), task=component), title=name
    )
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(Markdown().render(board).text)
    assert {token.type.partition("_")[0] for token in tokens} <= {"heading", "inline", "paragraph", *TABLE}
    inline = [token.children for token in tokens if token.type == "inline"]
    assert {child.type for children in inline for child in children} <= {"text", "text_special"}
    shown = [" ".join("".join(child.content for child in children).split()) for children in inline]
    expected = " ".join(cells.visible(name).split())
    assert shown[0] == (expected or "Leaderboard")
    assert shown.count(expected) >= 5  # the title, model and strategy twice each, the note


# --- CSV and JSON ------------------------------------------------------------------------------------------


def test_csv_has_full_precision_and_units():
    board = a_rich_board()
    frame = pd.read_csv(io.StringIO(Csv().render(board).text))
    (table,) = board.tables
    assert len(frame) == len(table.rows)
    best = frame.iloc[0]
    assert (best["model"], best["strategy"], best["rank"], best["n"]) == ("minilm-l6", "context", 1, N)
    assert best["accuracy"] == 0.95
    assert best["accuracy_low"] == table.rows[0].metrics["accuracy"].low
    assert best["gain"] == pytest.approx(0.05)
    assert (best["gain_over"], best["worst_context"], best["thin"]) == ("finetune", "films", "p99_ms")
    assert {"p50_ms", "p95_ms", "p99_ms", "samples_per_s", "tokens_per_s", "peak_mb", "train_s", "load_s"} <= set(frame)
    assert best["p50_ms"] == table.rows[0].speed.p50_ms
    few_shot = frame[frame["strategy"] == "few-shot,k=8"].iloc[0]
    assert few_shot["accuracy_seed_sd"] == pytest.approx(pd.Series([0.6, 0.7]).std())
    assert few_shot["seeds"] == "0 1"
    assert list(frame["status"])[-3:] == ["partial", "failed", "not-applicable"]
    assert frame["rank"].isna().sum() == 3


def test_csv_of_an_empty_board_is_a_header():
    empty = pd.read_csv(io.StringIO(Csv().render(a_board()).text))
    full = pd.read_csv(io.StringIO(Csv().render(a_board(a_result())).text))
    assert len(empty) == 0
    assert [name for name in full if not name.startswith(("accuracy", "macro_f1"))] == list(empty)


def test_csv_is_no_formula():
    board = a_board(a_result("=HYPERLINK(1)", "+1,k=-2", notes=("@sum",)), a_result(Component('say "a,b"'), score=0.1))
    frame = pd.read_csv(io.StringIO(Csv().render(board).text))
    assert list(frame["model"]) == ["'=HYPERLINK(1)", 'say "a,b"']
    assert frame.loc[0, "strategy"] == "'+1,k=-2"
    assert frame.loc[0, "notes"] == "'@sum"


def test_json_is_the_contract():
    board = a_rich_board()
    report = Json().render(board)
    assert json.loads(report.text) == trials_json(board.results) | {
        "tables": json.loads(json.dumps(tables_json(board.tables)))
    }
    assert json.loads(report.files["results.json"]) == json.loads(report.text)
    gains = {trial["key"]: trial["gains"] for trial in json.loads(report.text)["trials"] if trial["gains"]}
    assert gains["minilm-l6/context/0"]["accuracy"]["value"] == pytest.approx(0.05)


def test_json_holds_any_text():
    report = Json().render(a_board(a_result(reason="half a pair \ud83d, “quotes”")))
    assert json.loads(report.files["results.json"])["trials"][0]["reason"] == "half a pair \ud83d, “quotes”"


# --- HTML --------------------------------------------------------------------------------------------------

VOID = {"link", "meta", "wbr", "line", "circle", "polyline", "br"}


class Page(HTMLParser):
    """Collects a page's elements and checks that they are nested."""

    def __init__(self, html):
        super().__init__()
        self.open, self.elements, self.words = [], [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in {"style", "script"}:
            self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def policy_of(html):
    metas = Page(html).all("meta")
    (policy,) = [meta["content"] for meta in metas if meta.get("http-equiv") == "Content-Security-Policy"]
    return policy


def test_the_page_needs_nothing_else():
    html = Html().render(a_rich_board()).text
    page = Page(html)
    for _, attributes in page.elements:
        assert not {"src", "srcset", "data", "action"} & attributes.keys()
        assert attributes.get("href", "#").startswith(("#", "data:"))
    assert "@import" not in html
    assert "url(" not in html
    policy = policy_of(html)
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "connect-src" not in policy


def test_only_our_script_and_style_may_take_effect():
    html = Html().render(a_rich_board()).text
    for element, directive in (("script", "script-src"), ("style", "style-src")):
        (content,) = re.findall(rf"<{element}>(.*?)</{element}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}';" in policy_of(html)


def test_a_live_page_may_ask_its_server():
    html = Html(live="a1").render(a_rich_board()).text
    assert "connect-src 'self';" in policy_of(html)
    assert 'data-live="a1"' in html


def test_names_stay_text():
    results = [
        a_result(Component(HOSTILE), Component(HOSTILE), task=Component(HOSTILE), notes=(HOSTILE,), seed=1),
        a_result(Component(HOSTILE), reason=HOSTILE, status="failed", task=Component(HOSTILE), metrics={}),
    ]
    contexts = {name: ContextScore(1, {"accuracy": Estimate(0.5, 0, 1)}) for name in (HOSTILE, "other")}
    results[0] = replace(results[0], contexts=contexts, provenance={HOSTILE: HOSTILE})
    html = Html().render(a_board(*results, title=HOSTILE)).text
    assert html.count("<script") == Html().render(a_rich_board()).text.count("<script") == 2  # data and program
    assert "49" not in Page(html).text  # no template is rendered twice
    assert Page(html).text.count(HOSTILE) >= 10
    (told,) = re.findall(r'<script type="application/json" id="board">(.*?)</script>', html, re.DOTALL)
    assert not set("<>&\u2028\u2029") & set(told)
    assert json.loads(told)["title"] == HOSTILE


def test_those_without_scripts_have_the_tables():
    page = Page(Html().render(a_rich_board()).text)
    assert len(page.all("noscript")) == 1
    assert len(page.all("table")) == 2  # the leaderboard and its contexts
    assert page.all("html") == [{"lang": "en"}]
    for want in ("How to read this", "films", "n=20", "0.950", "[0.918, 0.974]", "1,234~", "92%", "3 failed"):
        assert want in page.text


def test_the_board_of_the_page_has_what_scripts_sort_and_draw():
    (table,) = board_data(a_rich_board())["tables"]
    first, second = table["rows"][:2]
    cell = {column["name"]: value for column, value in zip(table["columns"], first["cells"], strict=True)}
    assert cell["accuracy"] == {"text": "0.950", "small": "[0.918, 0.974]", "sort": 0.95}
    assert cell["p50 ms"]["small"] == "p95 20.0\np99 1,234~"
    assert cell["model"]["sort"] == "minilm-l6"
    assert first["scores"]["accuracy"] == pytest.approx([0.95, 0.918, 0.974])
    assert first["measures"]["p50 latency, ms"] == pytest.approx(12.34 / 0.95)
    assert (second["rank"], second["tied"]) == (2, True)
    assert table["contexts"] == [["films", 20], ["tweets", 20]]
    assert table["in_contexts"]["minilm-l6\ncontext"]["tweets"][0] == 0.97


# --- LaTeX and pictures ----------------------------------------------------------------------------------


def test_latex_has_a_booktabs_table_for_scores_and_one_for_contexts():
    text = Latex().render(a_rich_board()).text
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == text.count(r"\bottomrule") == 2
    assert r"macro\_f1" in text
    assert r"0.650 $\pm$0.071 {[}0.618, 0.674]" in text
    for tabular in re.findall(r"\\begin{tabular}{(\w+)}(.*?)\\end{tabular}", text, re.DOTALL):
        lines = [line for line in tabular[1].splitlines() if line.endswith(r"\\")]
        assert {line.count(" & ") + 1 for line in lines} == {len(tabular[0])}


def test_latex_sets_names_as_they_are():
    text = Latex().render(a_board(a_result(Component(r"a_b%c&d#e$f{g}~^h\x")))).text
    assert r"a\_b\%c\&d\#e\$f\{g\}\textasciitilde{}\textasciicircum{}h\textbackslash{}x" in text


def test_pictures_are_well_formed_and_hold_names_as_text():
    contexts = {name: ContextScore(1, {"accuracy": Estimate(0.5, 0, 1)}) for name in (HOSTILE, "other")}
    results = [a_result(Component(HOSTILE), contexts=contexts), a_result("b", contexts=contexts)]
    report = Svg().render(a_board(*results))
    assert list(report.files) == ["bbc-news-latency.svg", "bbc-news-contexts.svg"]
    assert report.text == "2 pictures; -o DIR writes them: bbc-news-latency.svg, bbc-news-contexts.svg\n"
    assert Svg().render(a_board(a_result(), a_result("b"))).text.startswith("<svg")
    for content in report.files.values():
        picture = ElementTree.fromstring(content)
        assert picture.tag == "{http://www.w3.org/2000/svg}svg"
        assert not list(picture.iter("{http://www.w3.org/2000/svg}script"))
        assert any(HOSTILE in text for text in picture.itertext())
    assert Svg().render(a_board()).files == {}


def test_the_front_of_the_chart_holds_what_nothing_beats():
    def point(model, score, p50):
        latency = {"single-stream": {"p50_ms": p50}}
        return a_result(model, score=score, latency=latency)

    board = a_board(
        point("slow-good", 0.9, 100.0),
        point("fast-bad", 0.5, 1.0),
        point("slow-bad", 0.4, 50.0),
        point("mid", 0.7, 10.0),
    )
    (table,) = board.tables
    drawn = chart(table)
    by_rank = {point["rank"]: f"{point['x']},{point['y']}" for point in drawn["points"]}
    assert drawn["front"].split()[::2] == [by_rank[3], by_rank[2], by_rank[1]]  # fast-bad, mid, slow-good
    corner = f"{by_rank[2].partition(',')[0]},{by_rank[3].partition(',')[2]}"
    assert drawn["front"].split()[1] == corner  # until mid's latency fast-bad is the best
    assert chart(a_board(point("alone", 0.9, 1.0)).tables[0]) is None
    assert chart(a_board(a_result(latency={}), a_result("b", latency={})).tables[0]) is None
