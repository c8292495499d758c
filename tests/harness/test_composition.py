"""Strategies that change others: any registered one, never themselves; and what of them stands in keys."""

from dataclasses import replace

import pytest

from harness.assets import Assets
from harness.catalogue import Catalogue
from harness.components import parse_component
from harness.errors import ParameterError, UnknownNameError, UsageError
from harness.planning import plan
from harness.plugins import PluginChoice, Plugins
from harness.records import Component

PLUGIN = '''
from functools import partial

from harness import Adapted, Prompt, ask, decide, hookimpl, render_query
from harness.composition import Strategies


@hookimpl
def register_strategies(register):
    for name in ("Polite", "Loud", "Round"):
        register(name.lower(), f"composing:{name}", summary="a third party's")


class Polite:
    """Asks with a word before; no dataclass."""

    reads = frozenset({"prompt"})

    def __init__(self, word: str = "Please."):
        self.word = word

    def refuses(self, model, spec):
        return None

    def adapt(self, model, task, setting):
        def requests(sample):
            return [ask(task.spec, sample, Prompt(render_query(task.spec, sample), instruction=self.word))]

        return Adapted(requests, partial(decide, task.spec))


class Loud:
    """Changes another one; no dataclass."""

    def __init__(self, strategies: Strategies, of: str = "polite", times: int = 1, **parameters):
        self.changed = strategies.changed(of, parameters)
        self.reads = self.changed.reads

    def refuses(self, model, spec):
        return self.changed.strategy.refuses(model, spec)

    def adapt(self, model, task, setting):
        return self.changed.strategy.adapt(model, task, setting)


class Round:
    """Changes itself unless told."""

    def __init__(self, strategies: Strategies, of: str = "round"):
        self.changed = strategies.changed(of, {})
'''


@pytest.fixture(scope="module")
def third_party(tmp_path_factory):
    """A plugin file, which is imported once."""
    file = tmp_path_factory.mktemp("plugin") / "composing.py"
    file.write_text(PLUGIN)
    return file


@pytest.fixture
def made(tmp_path, faulty_parts, third_party):
    """`made("context,of=lora")`: the strategy; `made.catalogue`: the one that makes it, with a third party's plugin."""
    plugins = Plugins(PluginChoice(files=(faulty_parts, str(third_party)), strict=True))
    catalogue = Catalogue(plugins, Assets(plugins.registry("source"), root=tmp_path / "cache"))

    def make(text):
        return catalogue.strategy(parse_component(text))

    make.catalogue = catalogue
    return make


def key(made, toy_experiment, strategy):
    (job,) = plan(replace(toy_experiment, strategies=(parse_component(strategy),)), made.catalogue)
    return job.trial


def test_a_third_partys_strategy_is_given_contexts(made):
    strategy = made("context,of=polite,word=Now")
    assert strategy.changed.component == Component("polite", None, {"word": "Now"})
    assert strategy.reads == {"prompt"}


def test_its_parameters_and_its_plugin_stand_in_the_key(made, toy_experiment):
    plain, other = (key(made, toy_experiment, f"context,of=polite,word={word}") for word in ("Now", "Then"))
    assert plain.key != other.key
    assert plain.key == key(made, toy_experiment, "context,word=Now,of=polite").key
    assert (
        key(made, toy_experiment, "context,of=polite").key
        == key(made, toy_experiment, "context,of=polite,word=Please.").key
    )
    assert "composing" in plain.plugins
    assert "composing" not in key(made, toy_experiment, "context,of=zero-shot").plugins


def test_a_third_party_may_change_strategies_itself_and_be_changed(made, toy_experiment):
    assert made("loud").changed.strategy.word == "Please."
    chain = made("context,of=loud+polite,word=Hey,times=2")
    assert chain.changed.of == "loud+polite"
    assert chain.changed.parameters == {"word": "Hey", "times": "2"}
    assert chain.changed.strategy.changed.strategy.word == "Hey"
    keys = {key(made, toy_experiment, f"context,of=loud+polite,{one}").key for one in ("word=a", "word=b", "times=2")}
    assert len(keys) == 3


def test_a_strategy_that_would_stand_under_itself_is_refused(made):
    with pytest.raises(UsageError, match="a strategy can't change itself: context of context"):
        made("context,of=context")
    with pytest.raises(UsageError, match="itself: context of loud of context"):
        made("context,of=loud+context")
    with pytest.raises(UsageError, match="itself: round of round"):
        made("round")


def test_what_is_not_there_is_said(made):
    with pytest.raises(UnknownNameError, match="few-shot"):
        made("context,of=fewshot")
    with pytest.raises(ParameterError, match="strategy 'lora' has no parameter 'of'"):
        made("context,of=lora+finetune")
    with pytest.raises(ParameterError, match="has no parameter 'strategies'"):
        made("context,strategies=x")
