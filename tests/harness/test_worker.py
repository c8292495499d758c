"""A worker keeps what it will need again, and no more: one model to adapt, one beside it."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest

from harness.components import parse_component
from harness.interfaces import Adapted, Trained
from harness.messages import Job, TrialEnded, TrialStarted
from harness.records import Component, Trial
from harness.taskdata import TaskData
from harness.testing import ToyModel, ToyTask
from harness.worker import TrialWorker
from harness_strategies.prompting import FewShot, ZeroShot

LOADED: list[str] = []


@dataclass
class Named(ToyModel):
    """Tells when it is loaded."""

    name: str
    answers = frozenset({"LogLikelihood", "Embed"})

    def load(self, device):
        LOADED.append(self.name)
        return super().load(device)


@dataclass(frozen=True)
class Wraps:
    """Answers with an engine of its own, that stands on the model's, as a probe does."""

    asks: bool = True
    reads = frozenset({"prompt"})

    def refuses(self, model, spec):
        return None

    def adapt(self, model, task, setting):
        plain = ZeroShot().adapt(model, task, setting)
        engine = setting.engine(model) if self.asks else ToyModel()
        return replace(plain, trained=Trained(engine, 0.5))


@pytest.fixture
def worker(tmp_path):
    """A worker whose catalogue makes `Named` models, and a function that runs a job and gives its messages."""
    LOADED.clear()
    task = TaskData(ToyTask())
    catalogue = SimpleNamespace(
        model=lambda component: Named(str(component)),
        task=lambda component: task,
        strategy=lambda component: component.params["made"],
        made=tmp_path,
    )
    made = TrialWorker(catalogue)

    def run(model, strategy):
        component = Component(type(strategy).__name__, None, {"made": strategy})
        trial = Trial("key", Component(model), Component("toy"), component, 0, "test", None, "digest", 12, {})
        messages = list(made.run(Job(trial, Component("toy"), "cpu")))
        assert not messages[-1].failed, messages[-1].reason
        assert isinstance(messages[-1], TrialEnded)
        return next(one for one in messages if isinstance(one, TrialStarted))

    return SimpleNamespace(run=run, worker=made)


def near(encoder=None):
    return FewShot(k=2, select="knn", encoder=encoder)


def test_a_named_encoder_is_loaded_once_for_jobs_in_a_row_and_for_several_models(worker):
    for model in ("a", "a", "b"):
        worker.run(model, near("encoder"))
    assert LOADED == ["encoder", "a", "b"]


def test_another_encoder_or_a_job_without_takes_its_place(worker):
    worker.run("a", near("one"))
    worker.run("a", near("two"))
    worker.run("a", near("one"))
    assert LOADED == ["one", "a", "two", "one"]
    LOADED.clear()
    worker.run("a", ZeroShot())
    assert worker.worker._beside is None
    worker.run("a", near("one"))
    assert LOADED == ["one"]


def test_the_adapted_model_is_no_second_one_where_it_is_named_as_the_encoder(worker):
    worker.run("a", near("a"))
    worker.run("a", near())
    assert LOADED == ["a"]


def test_all_are_let_go_of_when_the_worker_is_released(worker):
    worker.run("a", near("encoder"))
    worker.worker.release()
    worker.run("a", near("encoder"))
    assert LOADED == ["encoder", "a"] * 2


def test_loading_has_its_seconds_wherever_the_models_own_engine_is_asked(worker):
    first, second = worker.run("a", Wraps()), worker.run("a", Wraps())
    assert first.costs.load_s is not None
    assert second.costs.load_s == first.costs.load_s, "what it took when it took place"
    assert worker.run("a", Wraps(asks=False)).costs.load_s is None
    assert worker.run("a", ZeroShot(calibrate="batch")).costs.load_s == first.costs.load_s
    assert LOADED == ["a"]


# --- what is computed together ---------------------------------------------------------------------


class Counting(Named):
    """Counts the calls that embed."""

    def run(self, requests):
        self.calls = [*getattr(self, "calls", []), len(requests)]
        return super().run(requests)


def test_the_questions_of_a_chunk_are_embedded_in_one_call(worker):
    encoder = Counting("encoder")
    worker.worker._catalogue.model = lambda component: encoder if component.name == "encoder" else Named("a")
    worker.run("a", near("encoder"))
    assert encoder.calls == [12, 12], "the pool, and the 12 questions of the one chunk"


def test_a_sample_that_is_answered_alone_is_embedded_each_time(tmp_path):
    from harness.interfaces import Setting

    model, task = Counting("a"), TaskData(ToyTask())
    made = near().adapt(model, task.view("test", FewShot.reads), Setting(0, "cpu", tmp_path))
    assert isinstance(made, Adapted)
    assert made.prepare is not None
    row = ToyTask().samples("test")[0]
    before = len(model.calls)
    asked = []
    for _ in range(2):
        made.prepare([row])
        asked.append(made.requests(row))
    assert model.calls[before:] == [1, 1]
    made.prepare([])
    assert made.requests(row) == asked[0] == asked[1], "what was prepared changes nothing"
    assert model.calls[before:] == [1, 1, 1]


@pytest.mark.parametrize("shuffle", ["yes", "no"])
def test_questions_for_passages_are_embedded_in_one_call_for_each_collection(worker, catalogue, shuffle):
    model = Counting("a")
    strategy = parse_component(f"context,source=retrieved,retriever=embeddings,shuffle={shuffle}")
    worker.worker._catalogue.model = lambda component: model
    worker.run("a", catalogue.strategy(strategy))
    pools, questions, asked = model.calls[:-1:2], model.calls[1:-1:2], model.calls[-1]
    assert asked == 12
    assert sum(pools) == 12, "the passages of both contexts"
    assert len(questions) == 2, "a call for each context"
