"""Previews: the exact requests of a trial, without loading or training."""

import pytest

from harness.catalogue import Catalogue
from harness.declared import reads
from harness.errors import ModelError, UsageError
from harness.interfaces import Setting
from harness.planning import task_identity
from harness.preview import StandIn, preview
from harness.records import Component
from harness.testing import ToyModel


def test_a_preview_shows_what_a_trial_asks(catalogue):
    shown = preview(catalogue, "toy", strategy="few-shot,k=3", seed=5, count=2)
    data, strategy = catalogue.task(Component("toy")), catalogue.strategy(Component("few-shot", None, {"k": "3"}))
    view = data.view("test", reads(strategy))
    adapted = strategy.adapt(ToyModel(), view, Setting(5, "cpu", catalogue.assets.root))
    asked = [adapted.requests(sample)[0] for sample in data.scored("test", None)[:2]]
    assert [sample.requests[0].text for sample in shown.samples] == [request.prompt.text for request in asked]
    assert shown.samples[0].requests[0].demonstrations == 3
    assert shown.samples[0].requests[0].answers == (" warm", " cold")


def test_how_answers_are_drawn_is_shown_where_it_is_set(catalogue, tmp_path):
    (tmp_path / "sums.jsonl").write_text('{"q": "1 + 1", "a": 2}\n{"q": "2 + 2", "a": 4}\n')
    written = (
        "name: sums\nkind: generation\ndata: {files: {test: sums.jsonl}, fields: {q: q, target: a}}\n"
        "prompt: {template: '{{ q }} ='}\ngeneration: {max_tokens: 9}\n"
    )
    greedily, by_chance = tmp_path / "greedily.yaml", tmp_path / "by_chance.yaml"
    greedily.write_text(written)
    by_chance.write_text(written.replace("9}", "9, temperature: 0.5, top_p: 0.9, n: 3}"))
    (greedy,) = preview(catalogue, str(greedily), strategy="zero-shot", seed=5, count=1).samples[0].requests
    assert greedy.arguments == {"max_tokens": 9, "stop": (), "temperature": 0.0, "seed": 5}
    first, second = preview(catalogue, str(by_chance), strategy="zero-shot", seed=5, count=2).samples
    drawn = first.requests[0].arguments
    assert (drawn["temperature"], drawn["top_p"], drawn["n"]) == (0.5, 0.9, 3)
    assert drawn["seed"] != second.requests[0].arguments["seed"]


def test_background_and_keywords_are_shown_and_belong_to_what_keys_hold(catalogue, tmp_path):
    (tmp_path / "sums.jsonl").write_text('{"q": "1 + 1", "a": 2}\n')
    written = (
        "name: sums\nkind: generation\ndata: {files: {test: sums.jsonl}, fields: {q: q, target: a}}\n"
        "prompt: {template: '{{ q }} =', instruction: Add., EXTRA}\n"
    )
    identities = []
    for extra in ("separator: ' '", "separator: ' ', background: Sums.", "separator: ' ', keywords: 'plus, add'"):
        path = tmp_path / "sums.yaml"
        path.write_text(written.replace("EXTRA", extra))
        catalogue = Catalogue(catalogue.plugins, catalogue.assets)
        identities.append(task_identity(catalogue.task(Component(str(path))).spec, frozenset({"prompt"})))
        (asked,) = preview(catalogue, str(path), strategy="zero-shot").samples[0].requests
        head = ["Sums."] * ("background" in extra) + ["Add."] + ["plus, add"] * ("keywords" in extra)
        assert asked.text == " ".join([*head, "1 + 1 ="])
    assert identities[0] != identities[1] != identities[2] != identities[0]


def test_a_model_that_cannot_is_refused_with_the_reason(catalogue):
    with pytest.raises(UsageError, match="can't do toy with majority: the model can't be prompted"):
        preview(catalogue, "toy", strategy="zero-shot", model="majority")


def test_the_stand_in_answers_nothing():
    with pytest.raises(ModelError):
        StandIn(None).run([])
    with pytest.raises(ModelError):
        StandIn(None).load("cpu")


@pytest.mark.model
def test_tokens_are_counted_by_the_models_own_tokenizer():
    from harness.assets import Assets
    from harness.plugins import Plugins

    plugins = Plugins()
    shared = Catalogue(plugins, Assets(plugins.registry("source")))
    shown = preview(shared, "bbc-news", strategy="zero-shot", model="smollm2-135m", count=1)
    (request,) = shown.samples[0].requests
    assert request.answer_tokens == (1, 1, 1, 1, 1)
    assert 60 <= request.tokens <= 140  # sixty words
