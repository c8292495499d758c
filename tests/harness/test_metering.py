"""What adapting took: counted once, whoever adapts; loading and training apart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import pytest

from harness.answers import ask, decide
from harness.embeddings import FrozenEmbedder
from harness.interfaces import Adapted, CountsWork, Setting, Trained
from harness.messages import ChunkScored, Job, TrialStarted
from harness.metering import Meter
from harness.records import Component, Embed, LogLikelihood, Prompt, Trial
from harness.runner import run_experiment
from harness.taskdata import TaskData
from harness.templates import render_query
from harness.testing import ToyModel, ToyTask
from harness.trial import Parts, run_trial

ASKED = LogLikelihood(Prompt("one two three"), (" a", " b"))
TOKENS = 3 + 2
"""That the toy model counts for it."""


class Clock:
    """Seconds that pass when somebody says so."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    for module in ("metering", "trial", "embeddings"):
        monkeypatch.setattr(f"harness.{module}.perf_counter", found)
    return found


@dataclass
class SlowToLoad(ToyModel):
    """Takes five seconds to come into memory, and counts its work."""

    clock: Clock
    counters: ClassVar = {"forwarded": 7}

    def load(self, device):
        self.clock.now += 5
        return super().load(device)


@dataclass(frozen=True)
class Asks:
    """Asks its model before it answers; for the rest it is zero-shot."""

    times: int = 0
    train_s: float | None = None
    reads = frozenset({"prompt", "train"})

    def refuses(self, model, spec):
        return None

    def adapt(self, model, task, setting):
        rows = task.samples("train")
        engine = setting.engine(model) if self.times else None
        for _ in range(self.times):
            engine.run([ASKED, ASKED])
        trained = None if self.train_s is None else Trained(engine or model, self.train_s)
        spec = task.spec
        requests = lambda sample: (ask(spec, sample, Prompt(render_query(spec, sample))),)  # noqa: E731
        return Adapted(requests, partial(decide, spec), trained, details={"rows": len(rows)})


def messages(strategy, model, tmp_path):
    """Of a trial on the toy task, in a worker's way."""
    data = TaskData(ToyTask())
    names = (Component("toy"), Component("toy"), Component("asks"))
    trial = Trial("k" * 64, *names, 0, "test", None, "rows", 12, {})
    setting = Setting(0, "cpu", tmp_path)
    parts = Parts(model, data, strategy, {}, setting, lambda: (model.load("cpu"), 0.5))
    return list(run_trial(Job(trial, Component("toy"), "cpu"), parts))


def costs(*told):
    (started,) = [one for one in messages(*told) if isinstance(one, TrialStarted)]
    return started.costs


def test_requests_and_tokens_of_adapting_are_counted_and_those_of_answering_are_not(tmp_path):
    found = messages(Asks(times=3), ToyModel(), tmp_path)
    (started,) = [one for one in found if isinstance(one, TrialStarted)]
    assert (started.costs.model_calls, started.costs.adapt_tokens) == (6, 6 * TOKENS)
    assert started.details == {"rows": 12}
    assert sum(len(one.predictions) for one in found if isinstance(one, ChunkScored)) == 12


def test_a_strategy_that_asks_nothing_took_no_calls(tmp_path):
    spent = costs(Asks(), ToyModel(), tmp_path)
    assert (spent.model_calls, spent.adapt_tokens, spent.train_s, spent.load_s) == (0, 0, None, 0.5)
    assert spent.adapt_s >= 0


@dataclass(frozen=True)
class Slow(Asks):
    """Takes three seconds beside loading."""

    clock: Clock = None

    def adapt(self, model, task, setting):
        self.clock.now += 3
        return super().adapt(model, task, setting)


def test_loading_is_no_part_of_adapting(tmp_path, clock):
    assert costs(Slow(times=1, clock=clock), SlowToLoad(clock), tmp_path).adapt_s == 3


def test_seconds_of_training_are_not_counted_twice(tmp_path, clock):
    spent = costs(Slow(times=1, train_s=2.0, clock=clock), SlowToLoad(clock), tmp_path)
    assert (spent.train_s, spent.adapt_s) == (2, 1)


def test_training_that_was_kept_says_what_it_took_and_leaves_no_time_over(tmp_path):
    """It took a minute once, and reading it again takes next to nothing."""
    spent = costs(Asks(train_s=60.0), ToyModel(), tmp_path)
    assert (spent.train_s, spent.adapt_s) == (60.0, 0.0)


def test_a_counted_engine_tells_what_the_engine_tells():
    meter = Meter()
    engine = meter.counted(lambda: SlowToLoad(Clock()))
    assert isinstance(engine, CountsWork)
    assert engine.counters == {"forwarded": 7}
    assert engine.provenance == {"device": "none"}
    assert meter.counted(ToyModel).counters == {}


def test_after_adapting_nothing_is_counted():
    meter = Meter()
    engine = meter.counted(ToyModel)
    (response,) = engine.run([ASKED])
    meter.running = False
    assert engine.run([ASKED]) == [response]
    assert (meter.requests, meter.tokens) == (1, TOKENS)


def test_embeddings_that_were_kept_cost_what_they_took(tmp_path, clock):
    class Embeds(ToyModel):
        answers = frozenset({"Embed"})

        def run(self, requests):
            clock.now += len(requests)
            assert all(isinstance(one, Embed) for one in requests)
            return super().run(requests)

    texts = ["one", "one two", "one"]
    first, again = Setting(0, "cpu", tmp_path), Setting(0, "cpu", tmp_path)
    FrozenEmbedder(Embeds(), first).embed(texts)
    assert (first.meter.requests, first.meter.tokens, first.meter.kept_s) == (2, 1 + 2, 0.0)
    FrozenEmbedder(Embeds(), again).embed(texts)
    assert (again.meter.requests, again.meter.tokens) == (2, 1 + 2)
    assert again.meter.kept_s == 2


def test_a_run_stores_what_adapting_took(catalogue, store, toy_experiment):
    experiment = replace(toy_experiment, strategies=(Component("zero-shot", None, {"calibrate": "batch"}),))
    (result,) = run_experiment(experiment, catalogue, store)
    assert result.costs.model_calls == 12  # a text of each training row
    assert result.costs.adapt_tokens > 12
    assert result.costs.train_s is None
    assert result.costs.load_s is not None
