"""What stored trials' samples add to a metric: from the store to the report, computed once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness import contributed
from harness.catalogue import Catalogue
from harness.config import Choices, settle
from harness.contributed import StoredContributions
from harness.reporting import leaderboard_of
from harness.runner import run_experiment

TASK = """
name: films
kind: classification
data:
  files: {train: train.jsonl, test: test.jsonl}
  fields: {text: review, target: label}
labels: {bad: " bad", good: " good", neither: " neither"}
prompt: {template: "Review: {{ text }}\\nSentiment:"}
metrics: [macro_f1, accuracy]
"""


@pytest.fixture
def films(tmp_path):
    for split in ("train", "test"):
        labels = np.random.default_rng(0).choice(["bad", "good", "neither"], size=80, p=[0.5, 0.3, 0.2])
        rows = [f'{{"review": "{split} {n} {label[::-1]}", "label": "{label}"}}\n' for n, label in enumerate(labels)]
        (tmp_path / f"{split}.jsonl").write_text("".join(rows))
    (tmp_path / "films.yaml").write_text(TASK)
    return tmp_path / "films.yaml"


@pytest.fixture
def results(catalogue, store, films):
    choices = Choices(("tfidf-lr", "random", "majority"), (str(films),), ("zero-shot", "finetune"), latency=False)
    return [
        one for one in run_experiment(settle(choices, None, {}, catalogue).experiment, catalogue, store) if one.metrics
    ]


def test_a_report_tests_by_the_metric_that_ranks(catalogue, store, results):
    (table,) = leaderboard_of(results, store, catalogue).tables
    assert table.metrics[0] == "macro_f1"
    assert table.rows[0].model == "tfidf-lr"
    assert table.rows[0].ranks == (1, 1)
    assert all(row.p_value < 0.001 for row in table.rows[1:])
    of = StoredContributions(store, catalogue)
    for row in table.rows:
        assert of(row.keys[0], "macro_f1").values.mean() == pytest.approx(row.metrics["macro_f1"].value)


def test_they_are_computed_once_for_the_answers_that_are_stored(catalogue, store, results, monkeypatch):
    key = results[0].trial.key
    first = StoredContributions(store, catalogue)(key, "macro_f1")
    monkeypatch.setattr(contributed, "contributions", lambda *_: pytest.fail("computed again"))
    again = StoredContributions(store, Catalogue(catalogue.plugins, catalogue.assets))(key, "macro_f1")
    assert (again.samples, again.n, list(again.values)) == (first.samples, first.n, list(first.values))
    (kept,) = (catalogue.assets.root / "contributions").iterdir()
    kept.write_bytes(b"cut off")
    with pytest.raises(pytest.fail.Exception):
        StoredContributions(store, catalogue)(key, "macro_f1")
    monkeypatch.undo()
    assert list(StoredContributions(store, catalogue)(key, "macro_f1").values) == list(first.values)


def test_a_task_that_has_changed_or_gone_is_not_tested(catalogue, store, results, films):
    key = results[0].trial.key
    fresh = Catalogue(catalogue.plugins, catalogue.assets)
    films.write_text(TASK.replace('neither: " neither"', 'other: " other"'))
    assert StoredContributions(store, fresh)(key, "macro_f1") is None
    films.unlink()
    assert StoredContributions(store, Catalogue(catalogue.plugins, catalogue.assets))(key, "macro_f1") is None
    assert StoredContributions(store, fresh)(key, "bleu") is None
    assert StoredContributions(store, fresh)("0" * 64, "macro_f1") is None


def test_a_score_that_was_measured_otherwise_is_not_tested(catalogue, store, results, monkeypatch):
    stored = store.results

    def other(**chosen):
        found = stored(**chosen)
        return [
            replace(one, metrics={n: replace(e, value=e.value + 0.1) for n, e in one.metrics.items()}) for one in found
        ]

    monkeypatch.setattr(store, "results", other)
    assert StoredContributions(store, catalogue)(results[0].trial.key, "macro_f1") is None
