"""For authors of plugins: a toy model and task, and a contract check for each kind of part.

    from harness.testing import check_model
    from harness_echo.model import Echo

    def test_contract():
        check_model(Echo())

Each check raises an AssertionError that says which promise of `harness.interfaces` was broken.
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from harness import partchecks
from harness.assets import Assets
from harness.declared import reads
from harness.interfaces import ComparesPairs, Setting, Trainable, TrainingJob, WeighsSamples
from harness.plugins import Plugins
from harness.records import (
    SPLITS,
    Classified,
    Classify,
    Embed,
    Embedded,
    EmbeddedTokens,
    EmbedTokens,
    Estimate,
    Filled,
    FillMask,
    FindSpan,
    FoundSpan,
    Generate,
    Generated,
    LogLikelihood,
    LogLikelihoods,
    Prediction,
    Prompt,
    Regress,
    Regressed,
    RequestKind,
    RollingLogLikelihood,
    Tag,
    Tagged,
    TaskSpec,
    Usage,
)
from harness.taskdata import PARTS, TaskData
from harness.taskfile import load_task as read_task
from harness.templates import render_answer, render_choices, render_input, render_query
from harness.toys import ToyModel, ToyTask

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.interfaces import Engine, Metric, Model, Strategy, Task
    from harness.promptparts import Calibrator, Order, Scorer, Selector
    from harness.records import Request, Response

ANSWERS: Mapping[str, type[Any]] = {
    "LogLikelihood": LogLikelihoods,
    "RollingLogLikelihood": LogLikelihoods,
    "Generate": Generated,
    "Classify": Classified,
    "Regress": Regressed,
    "Tag": Tagged,
    "FindSpan": FoundSpan,
    "Embed": Embedded,
    "EmbedTokens": EmbeddedTokens,
    "FillMask": Filled,
}

# --- task files ------------------------------------------------------------------------------------


def load_task(path: Path) -> Task:
    """The task that a file defines, for `check_task`; its data comes through the sources of the installed plugins.

    Raises:
        ConfigError: when the file is wrong, with file, line and key.
    """
    return read_task(path, Assets(Plugins().registry("source")))


# --- contracts -------------------------------------------------------------------------------------


def check_model(model: Model, *, device: str = "cpu") -> None:
    """A model tells what it answers, has a stable fingerprint, and answers each kind it names, in order."""
    unknown = set(model.answers) - set(get_args(RequestKind))
    assert not unknown, f"answers names unknown kinds of requests: {sorted(unknown)}"
    fingerprint = model.fingerprint()
    assert isinstance(fingerprint, str), "fingerprint() is a string"
    assert fingerprint == model.fingerprint(), "fingerprint() is the same each time"
    assert model.answers or isinstance(model, Trainable), "a model answers something, or can be trained to"
    if model.answers:
        engine = model.load(device)
        for kind in sorted(model.answers):
            _check_engine(engine, kind)
        if "Generate" in model.answers:
            _check_several(engine)
    if isinstance(model, Trainable) and "head" in getattr(model, "methods", {"head"}):
        _check_training(model, device)


def _check_engine(engine: Engine, kind: RequestKind) -> None:
    requests = _requests(kind)
    responses = list(engine.run(requests))
    assert len(responses) == len(requests), f"{kind}: one response a request"
    for request, response in zip(requests, responses, strict=True):
        assert isinstance(response, ANSWERS[kind]), f"{kind} is answered by {ANSWERS[kind].__name__}, not {response!r}"
        _check_response(request, response)
    alone = [engine.run([request])[0] for request in requests]
    assert list(map(_rounded, alone)) == list(map(_rounded, responses)), f"{kind}: responses stand in requests' order"
    assert list(engine.run([])) == [], "no requests, no responses"
    assert all(isinstance(value, str) for value in engine.provenance.values()), "provenance holds strings"


def _check_several(engine: Engine) -> None:
    """Drawn answers need not be the same again, as where a service draws them; there are always as many as asked."""
    one = Generate(Prompt("The sun shines."), max_tokens=4, temperature=0.8, seed=1, top_p=0.9)
    requests = [replace(one, n=3), one, replace(one, n=2)]
    for request, response in zip(requests, engine.run(requests), strict=True):
        _check_response(request, response)


def _requests(kind: RequestKind) -> list[Request]:
    texts = ("The sun shines.", "Snow falls on the mountains all day long.", "")
    if kind == "LogLikelihood":
        return [LogLikelihood(Prompt(text), (" warm", " cold and grey")) for text in texts]
    if kind == "RollingLogLikelihood":
        return [RollingLogLikelihood(text) for text in texts[:2]]
    if kind == "Generate":
        return [Generate(Prompt(text), max_tokens=4) for text in texts[:2]]
    if kind == "Classify":
        return [Classify(text, ("warm", "cold")) for text in texts]
    if kind == "FillMask":
        return [
            FillMask(Prompt(text), (" warm", " cold and grey"), after)
            for text, after in zip(texts, (".", "", "!"), strict=True)
        ]
    return [_about(kind, text) for text in texts[:2]]


def _about(kind: RequestKind, text: str) -> Request:
    if kind == "FindSpan":
        return FindSpan((text, f"{text} So it is."))
    if kind == "Tag":
        return Tag(text, ("warm", "cold"))
    if kind == "EmbedTokens":
        return EmbedTokens(text)
    return Regress(text) if kind == "Regress" else Embed(text)


def _check_response(request: Request, response: Response) -> None:
    if isinstance(request, LogLikelihood) and isinstance(response, LogLikelihoods):
        assert len(response.values) == len(request.continuations), "one log-likelihood a continuation"
        assert all(value <= 0 for value in response.values), "log-likelihoods are not above 0"
    if isinstance(request, Generate) and isinstance(response, Generated):
        assert 1 + len(response.more) == request.n, f"n answers: {1 + len(response.more)} where {request.n} were asked"
    if isinstance(request, FillMask) and isinstance(response, Filled):
        assert len(response.values) == len(request.fillings), "one log-probability a filling"
        assert all(value <= 0 for value in response.values), "log-probabilities are not above 0"
    if isinstance(request, Classify) and isinstance(response, Classified):
        assert len(response.log_probs) == len(request.labels), "one log-probability a label"
        total = math.fsum(math.exp(value) for value in response.log_probs)
        assert abs(total - 1) < 1e-3, f"the labels' probabilities sum to 1, not {total}"
    if isinstance(request, Tag) and isinstance(response, Tagged):
        assert len(response.tags) == len(request.text.split(" ")), "one tag a word"
    if isinstance(request, FindSpan) and isinstance(response, FoundSpan):
        assert request.text[1].startswith(response.answer, max(response.start, 0)), "the answer stands in the passage"
    if isinstance(response, EmbeddedTokens):
        number = len(response.tokens)
        assert len(response.special) == number, "each token is special or not"
        assert response.vectors.shape[:-1] == (number,), "one vector a token"
    assert response.usage.prompt_tokens >= 0, "token counts are not negative"


def _rounded(response: Response) -> object:
    """Batches change the last digits."""
    if isinstance(response, LogLikelihoods | Filled):
        return [round(value, 3) for value in response.values]
    if isinstance(response, Classified):
        return [round(value, 3) for value in response.log_probs]
    if isinstance(response, Regressed):
        return round(response.value, 3)
    if isinstance(response, Tagged | FoundSpan):
        return replace(response, usage=Usage())
    if isinstance(response, EmbeddedTokens):
        return response.tokens, response.vectors.round(3).tolist()
    return [round(value, 3) for value in response.vector] if isinstance(response, Embedded) else response.text


def _check_training(model: Trainable, device: str) -> None:
    task = ToyTask()
    examples = {split: [(sample.fields["text"], sample.target) for sample in task.samples(split)] for split in SPLITS}
    with tempfile.TemporaryDirectory() as folder:
        labels = tuple(task.spec.labels)
        job = TrainingJob(examples["train"], examples["validation"], labels, 0, device, {}, Path(folder) / "trained")
        trained = model.train(job)
        assert trained.train_s >= 0, "train_s is in seconds"
        _check_engine(trained.engine, "Classify")


def check_strategy(strategy: Strategy, *, model: Model | None = None, task: Task | None = None) -> None:
    """A strategy refuses in words or adapts; the same seed gives the same requests, which are pure."""
    model, task = model or ToyModel(), task or ToyTask()
    refusal = strategy.refuses(model, task.spec)
    assert refusal is None or refusal, "refuses() gives a reason or None"
    assert reads(strategy) <= PARTS, f"`reads` is a subset of {sorted(PARTS)}"
    if refusal is not None:
        return
    data = TaskData(task)
    samples = data.scored("test", None)
    with tempfile.TemporaryDirectory() as folder:
        view, setting = data.view("test", reads(strategy)), Setting(0, "cpu", Path(folder))
        first, second = strategy.adapt(model, view, setting), strategy.adapt(model, view, setting)
        engine = first.trained.engine if first.trained else model.load("cpu")
        if first.prepare is not None:
            first.prepare(samples)
        for sample in samples:
            requests = list(first.requests(sample))
            assert requests, "there is at least one request a sample"
            assert requests == list(first.requests(sample)), "requests() is pure"
            assert requests == list(second.requests(sample)), "the same seed gives the same requests"
            prediction = first.decide(sample, engine.run(requests))
            assert prediction.sample_id == sample.id, "decide() speaks of the sample it was given"
            assert prediction.context == sample.context, "a prediction carries its sample's context"


def check_task(task: Task) -> None:
    """A task has unique samples, the same each time, whose targets are declared and whose templates render."""
    spec = task.spec
    seen: set[str] = set()
    for split in SPLITS:
        samples = list(task.samples(split))
        assert samples == list(task.samples(split)), f"samples({split!r}) is the same each time"
        for sample in samples:
            assert sample.id not in seen, f"sample id {sample.id!r} stands twice"
            seen.add(sample.id)
            choices = spec.labels if spec.labelled else [str(i) for i in range(len(sample.choices))]
            assert spec.generates or spec.reads or sample.target in choices, f"target {sample.target!r} is not declared"
            for render in (render_query, render_answer, render_choices, render_input):
                render(spec, sample)
    assert seen, "a task has samples"


def check_metric(metric: Metric) -> None:
    """A metric gives None or a value within its interval, also for one sample, all right and all wrong."""
    spec = ToyTask.spec
    right = [Prediction(str(n), "warm", "warm", scores=(-0.1, -2.4)) for n in range(20)]
    wrong = [Prediction(str(n), "warm", "cold", scores=(-2.4, -0.1)) for n in range(20)]
    mixed = [*right[:13], *wrong[13:], Prediction("20", "cold", None, "unparsed", scores=(-1.0, -1.0))]
    for predictions in (right, wrong, mixed, right[:1]):
        found = metric.compute(predictions, spec)
        if isinstance(metric, WeighsSamples):
            _check_weights(metric, metric, predictions, spec)
        if found is not None:
            assert isinstance(found, Estimate), f"a metric gives an Estimate, not {found!r}"
            assert found.low <= found.value <= found.high, f"{found.value} lies in [{found.low}, {found.high}]"
    assert isinstance(metric.higher_is_better, bool), "higher_is_better says which way is up"
    if isinstance(metric, ComparesPairs):
        _check_pairs(metric, (right, wrong, mixed[:20]), spec)


def _check_weights(metric: Metric, weighing: WeighsSamples, predictions: Sequence[Prediction], spec: TaskSpec) -> None:
    """Weights of 1 give the score, those of 0 the score without these samples."""
    score = weighing.weighted(predictions, spec)
    if score is None:
        return
    for number in {len(predictions), (len(predictions) + 1) // 2}:
        found = metric.compute(predictions[:number], spec)
        weighed = float(score(np.array([[float(at < number) for at in range(len(predictions))]]))[0])
        assert found is None or math.isclose(weighed, found.value, rel_tol=1e-9, abs_tol=1e-9), (
            f"{number} of {len(predictions)} samples have a score of {found.value}, by weights {weighed}"
        )


def _check_pairs(metric: ComparesPairs, answers: Sequence[Sequence[Prediction]], spec: TaskSpec) -> None:
    """Two trials differ by as much as their scores do, whichever comes first; none differs from itself."""
    for a in answers:
        for b in answers:
            there, back = metric.compare(a, b, spec), metric.compare(b, a, spec)
            if there is None or back is None:
                continue
            assert there.difference.value == -back.difference.value, "a minus b is b minus a with the other sign"
            assert there.difference.low <= there.difference.value <= there.difference.high, "it lies in its interval"
            assert 0 <= there.p_value <= 1, f"{there.p_value} is no p-value"
            if a is b:
                assert there.difference.value == 0, "a trial does not differ from itself"


# --- the parts of prompt strategies ----------------------------------------------------------------


def check_selector(selector: Selector, *, task: Task | None = None) -> None:
    """It gives numbers of different rows, the same for the same seed; a search never the row that is asked for."""
    partchecks.check_selector(selector, task or ToyTask())


def check_order(order: Order) -> None:
    """It gives the rows that were picked, each once, and the same order each time."""
    partchecks.check_order(order)


def check_scorer(scorer: Scorer, *, model: Model | None = None, task: Task | None = None) -> None:
    """It refuses in words, or asks what the model answers and gives a score a choice; requests are pure."""
    partchecks.check_scorer(scorer, task or ToyTask(), model or ToyModel())


def check_calibrator(calibrator: Calibrator, *, task: Task | None = None) -> None:
    """It refuses in words, or looks at samples drawn by the seed and corrects scores, one for one."""
    partchecks.check_calibrator(calibrator, task or ToyTask())
