"""What stands behind a leaderboard: predictions, and requests made again only if they are those that were asked."""

import pytest

from harness.api import DEFAULT_STRATEGIES
from harness.asked import place
from harness.config import Choices, settle
from harness.errors import HarnessError
from harness.evidence import StoredEvidence
from harness.interfaces import Report
from harness.preview import preview
from harness.reporting import leaderboard_of, rendered
from harness.runner import run_experiment

TASK = """
name: films
kind: classification
data:
  files: {train: train.jsonl, test: test.jsonl}
  fields: {text: review, target: label}
labels: {bad: " bad", good: " good"}
prompt: {template: "Review: {{ text }}\\nSentiment:"}
"""


@pytest.fixture
def films(tmp_path):
    """A task file of its own."""
    for split in ("train", "test"):
        rows = [f'{{"review": "{split} {n} {"ab"[n % 2] * 4}", "label": "{["bad", "good"][n % 2]}"}}' for n in range(6)]
        (tmp_path / f"{split}.jsonl").write_text("\n".join(rows))
    (tmp_path / "films.yaml").write_text(TASK)
    return tmp_path / "films.yaml"


def run(catalogue, store, task, strategies=DEFAULT_STRATEGIES, model="toy"):
    experiment = settle(Choices((model,), (str(task),), strategies, latency=False), None, {}, catalogue).experiment
    return run_experiment(experiment, catalogue, store)


def test_requests_are_those_that_harness_show_shows(catalogue, store, films):
    (result,) = run(catalogue, store, films, ("few-shot,k=2",))
    evidence = StoredEvidence(store, catalogue)
    asked = evidence.asked(result.trial)
    shown = preview(catalogue, str(films), strategy="few-shot,k=2", model="toy", count=6)
    assert [sample for sample, _ in asked.samples] == [sample.id for sample in shown.samples]
    texts = [requests[0].prompt.text for _, requests in asked.samples]
    assert texts == [sample.requests[0].text for sample in shown.samples]
    assert asked.labels == ("bad", "good")
    assert [one.sample_id for one in evidence.predictions(result.trial.key)] == [sample for sample, _ in asked.samples]


def test_what_was_asked_is_made_once_and_kept(catalogue, store, films):
    (result,) = run(catalogue, store, films)
    first = StoredEvidence(store, catalogue).asked(result.trial)
    assert place(catalogue.assets.root, result.trial.key).is_file()
    films.unlink()  # it is not read again
    assert list(StoredEvidence(store, catalogue).asked(result.trial).samples) == list(first.samples)


def test_a_prompt_that_would_now_be_another_is_not_told(catalogue, store, films, tmp_path):
    from harness.catalogue import Catalogue

    (result,) = run(catalogue, store, films)
    films.write_text(TASK.replace("Sentiment", "Verdict"))
    anew = Catalogue(catalogue.plugins, catalogue.assets)  # as a later process sees it
    with pytest.raises(HarnessError, match="has changed since it ran"):
        StoredEvidence(store, anew).asked(result.trial)


def test_a_task_that_is_gone_costs_the_prompts_alone(catalogue, store, films):
    from harness.catalogue import Catalogue

    (result,) = run(catalogue, store, films)
    films.unlink()
    evidence = StoredEvidence(store, Catalogue(catalogue.plugins, catalogue.assets))
    with pytest.raises(HarnessError, match="there is no task file"):
        evidence.asked(result.trial)
    assert len(evidence.predictions(result.trial.key)) == 6


def test_a_strategy_that_cant_do_without_its_model_costs_its_prompts_alone(catalogue, store, films, monkeypatch):
    from harness import evidence as module

    (result,) = run(catalogue, store, films)

    def broken(*_, **__):
        raise AttributeError("tokenizer")

    monkeypatch.setattr(module, "adapted_dry", broken)
    with pytest.raises(HarnessError, match="without its model: AttributeError: tokenizer"):
        StoredEvidence(store, catalogue).asked(result.trial)


def test_nothing_is_fetched_for_it(catalogue, store, films, monkeypatch):
    (result,) = run(catalogue, store, films)
    seen = []
    real = catalogue.model
    monkeypatch.setattr(catalogue, "model", lambda component: seen.append(catalogue.assets.offline) or real(component))
    StoredEvidence(store, catalogue).asked(result.trial)
    assert seen
    assert all(seen)
    assert not catalogue.assets.offline


def test_reporters_that_show_answers_are_given_them_and_others_are_not(catalogue, store, films):
    results = run(catalogue, store, films)
    board = leaderboard_of(results, store, catalogue)
    evidence = StoredEvidence(store, catalogue)

    class Plain:
        def render(self, board):
            return Report({}, "plain")

    class Showing(Plain):
        def render_with(self, board, evidence):
            return Report({}, str(len(evidence.predictions(board.results[0].trial.key))))

    assert rendered(board, Plain(), evidence).text == "plain"
    assert rendered(board, Showing(), evidence).text == "6"
