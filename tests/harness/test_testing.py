"""The contract checks for plugin authors: they pass what keeps the contract and name what breaks it."""

import dataclasses
import itertools

import pytest

from harness.plugins import Plugins
from harness.records import Classified, Component, Estimate, Filled, LogLikelihoods, Prediction
from harness.testing import ToyModel, ToyTask, check_metric, check_model, check_strategy, check_task
from harness_metrics.proportion import Accuracy


class Filling(ToyModel):
    answers = frozenset({"FillMask", "Embed", "EmbedTokens"})


def test_the_toys_keep_the_contract():
    check_model(ToyModel())
    check_model(Filling())
    check_task(ToyTask())


@pytest.mark.parametrize("name", [entry.name for entry in Plugins().registry("metric")])
def test_every_registered_metric_keeps_the_contract(name):
    check_metric(Plugins().registry("metric").get(name).load()(*(["some-model"] if name.startswith("judge") else [])))


@pytest.mark.parametrize("name", ["majority", "random", "tfidf-lr"])
def test_every_baseline_keeps_the_contract(name):
    check_model(Plugins().registry("model").get(name).load()())


@pytest.mark.parametrize("name", [entry.name for entry in Plugins().registry("strategy")])
def test_every_registered_strategy_keeps_the_contract(name, catalogue):
    check_strategy(catalogue.strategy(Component(name)))


class Backwards(ToyModel):
    def run(self, requests):
        return super().run(requests[::-1])


class Positive(ToyModel):
    answers = frozenset({"LogLikelihood"})

    def run(self, requests):
        return [LogLikelihoods((1.0, 1.0)) for _ in requests]


class Overconfident(ToyModel):
    answers = frozenset({"Classify"})

    def run(self, requests):
        return [Classified(tuple(0.0 for _ in request.labels)) for request in requests]


class Curt(ToyModel):
    answers = frozenset({"Generate"})

    def run(self, requests):
        return [dataclasses.replace(response, more=()) for response in super().run(requests)]


class Eager(Filling):
    answers = frozenset({"FillMask"})

    def run(self, requests):
        return [Filled((-1.0,)) for _ in requests]


class Restless(ToyModel):
    calls = itertools.count()

    def fingerprint(self):
        return str(next(self.calls))


@pytest.mark.parametrize(
    ("model", "promise"),
    [
        (Backwards(), "order"),
        (Positive(), "not above 0"),
        (Overconfident(), "sum to 1"),
        (Curt(), "1 where 3 were asked"),
        (Eager(), "one log-probability a filling"),
        (Restless(), "same each time"),
    ],
)
def test_a_model_that_breaks_a_promise_is_told_which(model, promise):
    with pytest.raises(AssertionError, match=promise):
        check_model(model)


def test_a_task_with_an_undeclared_target_is_told():
    class Undeclared(ToyTask):
        def _sample(self, split, number):
            sample = super()._sample(split, number)
            return type(sample)(sample.id, sample.fields, "tepid", sample.context)

    with pytest.raises(AssertionError, match="target 'tepid' is not declared"):
        check_task(Undeclared())


def test_a_strategy_that_forgets_the_context_is_told():
    from harness.answers import ask
    from harness.interfaces import Adapted
    from harness.records import Prompt

    class Forgetful:
        def refuses(self, model, spec):
            return None

        def adapt(self, model, task, setting):
            return Adapted(
                lambda sample: [ask(task.spec, sample, Prompt("?"))],
                lambda sample, responses: Prediction(sample.id, sample.target, None),
            )

    with pytest.raises(AssertionError, match="carries its sample's context"):
        check_strategy(Forgetful())


def test_a_metric_that_compares_one_way_alone_is_told():
    class Lopsided(Accuracy):
        def compare(self, a, b, spec, level=0.95):
            found = super().compare(a, b, spec, level)
            return dataclasses.replace(found, difference=Estimate(0.5, 0.4, 0.6))

    with pytest.raises(AssertionError, match="b minus a"):
        check_metric(Lopsided())


def test_a_metric_outside_its_interval_is_told():
    class Outside:
        higher_is_better = True

        def compute(self, predictions, spec):
            return Estimate(2.0, 0.0, 1.0)

    with pytest.raises(AssertionError, match="lies in"):
        check_metric(Outside())
