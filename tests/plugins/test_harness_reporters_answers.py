"""What the report page is told of single answers: packed without loss, counted as the reference libraries count."""

from __future__ import annotations

import base64
import gzip
import json
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.metrics import confusion_matrix

from harness.cli import call
from harness.differences import paired_accuracy
from harness.errors import UsageError
from harness.interfaces import Asked
from harness.leaderboard import build
from harness.records import (
    Classify,
    Component,
    Coverage,
    Embed,
    Estimate,
    FillMask,
    Generate,
    LogLikelihood,
    Prediction,
    Prompt,
    Trial,
    TrialResult,
    Usage,
)
from harness_reporters import answers as module
from harness_reporters import drawing
from harness_reporters import page as page_module
from harness_reporters.answers import LEFT_OUT, Texts, answers
from harness_reporters.diagnosis import Diagnosis, top_share
from harness_reporters.drawing import ALL, Draw, draws
from harness_reporters.html import Html
from harness_reporters.page import packed
from harness_reporters.pairs import Right, compared

LABELS = ["tech", "sports", "arts"]


class FakeEvidence:
    """Predictions and requests that a test writes down."""

    def __init__(self, predictions, asked):
        self.said, self.told = predictions, asked

    def predictions(self, key):
        return self.said

    def asked(self, trial):
        if isinstance(self.told, Exception):
            raise self.told
        return self.told


def a_result(notes=()):
    trial = Trial("k", Component("m"), Component("t"), Component("s"), 0, "test", None, "rows", 2, {})
    return TrialResult(trial, "finished", notes=notes)


def diagnosed(predictions):
    diagnosis = Diagnosis()
    for one in predictions:
        diagnosis.add(one)
    return diagnosis


# --- confusion and reliability -----------------------------------------------------------------------------


def test_the_confusion_matrix_is_scikit_learns():
    rng = np.random.default_rng(0)
    targets, said = (rng.choice(LABELS, 200) for _ in range(2))
    pairs = enumerate(zip(targets, said, strict=True))
    found = diagnosed(Prediction(str(n), str(a), str(b)) for n, (a, b) in pairs).confusion(LABELS)
    assert found["labels"] == LABELS
    assert np.array_equal(np.array(found["counts"])[:, :-1], confusion_matrix(targets, said, labels=LABELS))
    assert not any(row[-1] for row in found["counts"])


def test_no_answer_has_a_column_of_its_own_and_failed_ones_are_not_counted():
    predictions = [
        Prediction("1", "a", None, "unparsed"),
        Prediction("2", "a", "a"),
        Prediction("3", "b", "a"),
        Prediction("4", "b", "b"),
        Prediction("5", "b", None, "failed", reason="out of memory"),
    ]
    assert diagnosed(predictions).confusion() == {"labels": ["a", "b"], "counts": [[1, 0, 1], [1, 1, 0]]}


def test_choices_stand_in_the_order_of_their_numbers():
    predictions = [Prediction(str(n), str(n % 11), str(n % 11)) for n in range(44)]
    assert diagnosed(predictions).confusion()["labels"] == [str(n) for n in range(11)]


def test_free_answers_have_no_confusion_matrix():
    assert diagnosed(Prediction(str(n), f"answer {n}", "x") for n in range(20)).confusion() is None
    assert diagnosed([]).confusion() is None


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=6))
def test_the_confidence_is_the_largest_share_of_scipys_softmax(scores):
    assert top_share(scores) == pytest.approx(float(softmax(scores).max()), rel=1e-9)


@pytest.mark.parametrize("scores", [(), (1.0,), (math.nan, 1.0), (1.0, math.nan), (-math.inf, -math.inf)])
def test_scores_that_say_nothing_give_no_confidence(scores):
    assert top_share(scores) is None


def test_the_calibration_error_is_that_of_the_definition():
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(500, 3))
    right = rng.random(500) < 0.6
    predictions = [
        Prediction(str(n), "a", "a" if hit else "b", scores=tuple(row))
        for n, (row, hit) in enumerate(zip(scores, right, strict=True))
    ]
    found = diagnosed(predictions).reliability()
    confidence = softmax(scores, axis=1).max(axis=1)
    places = np.minimum((confidence * 10).astype(int), 9)
    error = sum(
        (places == place).mean() * abs(confidence[places == place].mean() - right[places == place].mean())
        for place in set(places)
    )
    assert found["n"] == 500
    assert found["error"] == pytest.approx(error, abs=1e-9)
    assert [n for n, _, _ in found["bins"]] == np.bincount(places, minlength=10).tolist()
    assert diagnosed([Prediction("1", "a", "a")]).reliability() is None


# --- pairs ---------------------------------------------------------------------------------------------------


def right(said, ids=(0, 1, 2, 3), status="answered"):
    found = Right()
    for name, correct in zip(ids, said, strict=True):
        found.add(Prediction(f"row/{name}", "x", "x" if correct else "y", status))
    return found


def test_pairs_are_compared_as_the_harness_compares_them():
    trials = {
        "a": right([True, True, True, False]),
        "b": right([True, False, False, False]),
        "elsewhere": right([True] * 4, ids=(4, 5, 6, 7)),
    }
    ((first, second, *numbers),) = compared(trials, "accuracy", FakeEvidence([], None))
    paired = paired_accuracy([True, True, True, False], [True, False, False, False])
    difference = paired.difference
    assert (first, second) == ("a", "b")
    assert numbers == [difference.value, difference.low, difference.high, paired.p_value]


def test_a_trial_with_failed_samples_is_not_compared():
    trials = {"a": right([True], ids=[0]), "b": right([True], ids=[0], status="failed")}
    assert compared(trials, "accuracy", FakeEvidence([], None)) == []


def test_evidence_that_measures_trials_compares_them_by_the_metric_that_ranks():
    class FakeMeasures(FakeEvidence):
        def alone(self, key, metric):
            return None

        def paired(self, a, b, metric):
            return paired_accuracy([True, True], [True, False]) if metric == "bleu" else None

    trials = {name: right([False, False], ids=(0, 1)) for name in "ab"}
    ((_, _, value, *_),) = compared(trials, "bleu", FakeMeasures([], None))
    assert value == 0.5
    assert compared(trials, "chrf", FakeMeasures([], None)) == []
    assert compared(trials, "bleu", FakeEvidence([], None)) == []


# --- drawn samples -------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(1, 5000), st.integers(1, 6)), max_size=8), st.integers(1, 20_000))
def test_draws_fill_the_page_and_leave_small_tables_whole(tables, most):
    found = draws(tables, most)
    shown = [samples * draw.share for (samples, _), draw in zip(tables, found, strict=True)]
    answers_ = sum(count * n for (_, count), n in zip(tables, shown, strict=True))
    assert answers_ == pytest.approx(min(most, sum(samples * count for samples, count in tables)))
    parts = [n for n, draw in zip(shown, found, strict=True) if draw.is_part]
    wholes = [n for n, draw in zip(shown, found, strict=True) if not draw.is_part]
    assert parts == pytest.approx(parts[:1] * len(parts)), "large ones are equally long"
    assert max(wholes, default=0) <= min(parts, default=math.inf) * (1 + 1e-9)


def test_a_draw_is_the_same_samples_whatever_else_there_is():
    names = [f"test:{n}" for n in range(20_000)]
    third = [name for name in names if Draw(1 / 3).has(name)]
    assert 0.32 < len(third) / len(names) < 0.35
    assert set(third) < {name for name in names if Draw(0.5).has(name)}
    assert all(map(ALL.has, names))


def test_of_drawn_samples_all_is_told_and_all_others_are_counted():
    labels = ("x", "y")
    said = [Prediction(f"row/{n}", labels[n % 2], "x", scores=(n, -n), latency_ms=n) for n in range(400)]
    asked = Asked([(one.sample_id, (Classify(f"text {one.sample_id}", labels),)) for one in said], labels)
    draw, texts, counted = Draw(0.25), Texts(), Right()
    drawn = [one for one in said if draw.has(one.sample_id)]
    diagnosis = Diagnosis()
    found = answers(a_result(), FakeEvidence(said, asked), texts, diagnosis, draw=draw, right=counted)
    alone = answers(a_result(), FakeEvidence(drawn, asked), Texts(), Diagnosis())
    assert 50 < len(drawn) < 150
    assert found == alone | {"of": 400}
    assert [one[0][2] for one in read(found, texts)] == [f"text {one.sample_id}" for one in drawn]
    assert diagnosis.confusion()["counts"] == [[200, 0, 0], [200, 0, 0]]
    assert diagnosis.reliability()["n"] == 400
    assert counted.each() == [one.correct for one in said]


@pytest.mark.parametrize("most", [400, 60])
def test_a_page_of_too_many_answers_holds_the_same_samples_of_each_trial(monkeypatch, most):
    class FakeBoth(FakeEvidence):
        def predictions(self, key):
            return [Prediction(f"row/{n}", "x", "xy"[n % 2 if key == "a" else n % 3 > 0]) for n in range(150)]

    evidence = FakeBoth([], UsageError("the data has changed"))
    results = []
    for key in "ab":
        trial = Trial(key, Component(f"m-{key}"), Component("t"), Component("s"), 0, "test", None, "rows", 150, {})
        value = sum(one.correct for one in evidence.predictions(key)) / 150
        metrics = {"accuracy": Estimate(value, value, value)}
        results.append(TrialResult(trial, "finished", coverage=Coverage(answered=150), metrics=metrics))
    board = build(results, lambda key: [(one.sample_id, one.correct) for one in evidence.predictions(key)])
    monkeypatch.setattr(drawing, "MOST", most)
    page = Html().render_with(board, evidence).text
    data = json.loads(re.search(r'id="board">(.*?)</script>', page)[1])["tables"][0]
    blocks = {
        name: json.loads(gzip.decompress(base64.b64decode(one)))
        for name, one in re.findall(r'<script type="application/gzip" id="([^"]*)">([^<]*)<', page)
    }
    a, b = blocks["trial-a"], blocks["trial-b"]
    assert a["ids"] == b["ids"]
    ((_, _, difference, *_),) = data["pairs"]
    assert difference == pytest.approx(abs(75 - 50) / 150), "of all"
    if most == 400:
        assert (len(a["ids"]), "of" in a, "drawn" in data) == (150, False, False)
    else:
        assert (10 < len(a["ids"]) < 60, a["of"], data["drawn"]) == (True, 150, True)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), json_values | st.lists(json_values, max_size=12), max_size=5))
def test_packed_piece_by_piece_it_is_the_json_of_all(data):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(page_module, "PORTION", 3)
        text = gzip.decompress(base64.b64decode(packed(data))).decode()
    assert text == json.dumps(data, separators=(",", ":"))
    assert packed(data) == packed(data)


# --- answers -----------------------------------------------------------------------------------------------


def read(found, texts):
    """The requests of each sample as the page's script reads them."""
    table = texts.data()

    def text(number):
        return None if number < 0 else table["texts"][number]

    def several(number):
        return None if number < 0 else [text(one) for one in table["lists"][number]]

    return [[(kind, several(b), text(q), several(a), text(c)) for kind, b, q, a, c in one] for one in found["asked"]]


def test_what_was_asked_is_told_to_the_letter():
    prompt = Prompt("Q:", ("demo 1\n", "demo 2\n"), "Do it.\n")
    requests = [
        LogLikelihood(prompt, (" yes", " no")),
        Generate(prompt),
        Classify("a text", ("x", "y")),
        Embed("a text"),
        FillMask(Prompt("It was "), (" good", " bad"), "."),
    ]
    said = [Prediction(str(n), "yes", "no", scores=(-1.25, -0.5), usage=Usage(10, 1)) for n in range(len(requests))]
    asked = Asked([(str(n), (request,)) for n, request in enumerate(requests)], ("yes", "no"))
    texts = Texts()
    found = answers(a_result(), FakeEvidence(said, asked), texts, Diagnosis())
    before = ["Do it.\n", "demo 1\n", "demo 2\n"]
    assert read(found, texts) == [
        [("LogLikelihood", before, "Q:", [" yes", " no"], None)],
        [("Generate", before, "Q:", None, None)],
        [("Classify", None, "a text", ["x", "y"], None)],
        [("Embed", None, "a text", None, None)],
        [("FillMask", [""], "It was ", [" good", " bad"], ".")],
    ]
    assert found["scores"][0] == [-1.25, -0.5]
    assert found["usage"][0] == [10, 1, 0, 0]


def test_samples_keep_the_order_of_their_answers_and_only_answered_ones_are_told():
    asked = Asked([(name, (Embed(name),)) for name in ("a", "b", "c")])
    texts = Texts()
    found = answers(
        a_result(),
        FakeEvidence([Prediction("c", "x", "x"), Prediction("a", "x", None, "empty")], asked),
        texts,
        Diagnosis(),
    )
    assert found["ids"] == ["c", "a"]
    assert [one[0][2] for one in read(found, texts)] == ["c", "a"]
    assert (found["status"], found["answers"][1]) == (["", "e"], -1)


def test_what_cant_be_told_is_told_with_its_reason():
    said = [Prediction("a", "x", "x", scores=(math.nan, -math.inf), reason="", latency_ms=1.23456789)]
    found = answers(a_result(), FakeEvidence(said, UsageError("the data has changed")), Texts(), Diagnosis())
    assert found["untold"] == "the data has changed"
    assert found["scores"] == [[None, None]]
    assert found["ms"] == {0: 1.2346}
    assert answers(a_result(), FakeEvidence([], UsageError("")), Texts(), Diagnosis()) is None


def test_notes_that_were_not_given_at_the_run_are_caveats():
    asked = Asked([("a", (Embed("a"),))], notes=("8 rows left out", "demonstrations are the first rows"))
    evidence = FakeEvidence([Prediction("a", "x", "x")], asked)
    found = answers(a_result(notes=("8 rows left out",)), evidence, Texts(), Diagnosis())
    assert found["caveats"] == ["demonstrations are the first rows"]


def test_more_texts_than_can_be_sent_are_left_out(monkeypatch):
    monkeypatch.setattr(module, "ENOUGH", 100)
    asked = Asked([(str(n), (Embed(f"{n} " * 30),)) for n in range(9)])
    said = [Prediction(str(n), "x", "x") for n in range(9)]
    texts = Texts()
    assert answers(a_result(), FakeEvidence(said, asked), texts, Diagnosis())["untold"] == LEFT_OUT
    assert texts.size < 300


def test_a_page_without_texts_holds_none_and_says_so(tmp_path, capsys):
    rows = [{"text": f"secret words {number}", "label": "ab"[number % 2]} for number in range(6)]
    for split in ("train", "test"):
        text = "".join(json.dumps(row | {"text": f"{row['text']} {split}"}) + "\n" for row in rows)
        (tmp_path / f"{split}.jsonl").write_text(text)
    (tmp_path / "task.yaml").write_text(
        "name: kept\nkind: classification\ndata:\n  files: {train: train.jsonl, test: test.jsonl}\n"
        "  fields: {text: text, target: label}\nlabels: {a: ' a', b: ' b'}\nprompt: {template: '{{ text }}'}\n"
    )
    store = ["--store", str(tmp_path / "s.db")]
    task = str(tmp_path / "task.yaml")
    assert call(["run", "-m", "majority", "-t", task, "-s", "finetune", "--no-latency", *store]) == 0
    pages = {}
    for name, form in (("with", "html"), ("without", "html,texts=no")):
        assert call(["report", *store, "--format", f"{form},", "-o", str(tmp_path / name)]) == 0
        page = (tmp_path / name / "leaderboard.html").read_text()
        packed = re.findall(r'<script type="application/gzip"[^>]*>([^<]*)</script>', page)
        pages[name] = page + "".join(gzip.decompress(base64.b64decode(one)).decode() for one in packed)
    capsys.readouterr()
    assert "secret words" in pages["with"]
    assert "secret words" not in pages["without"]
    assert "are left out of this file" in pages["without"]
