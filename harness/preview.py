"""What a trial would ask, without asking it: adapts with a stand-in for the model that neither loads nor trains."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

from harness.components import parse_component
from harness.errors import ModelError, UsageError
from harness.interfaces import CountsTokens, Setting, Trained, TrainingJob
from harness.planning import reads
from harness.records import Classify, Embed, FillMask, Generate, LogLikelihood, RequestKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.catalogue import Catalogue
    from harness.interfaces import Adapted, Model, Strategy
    from harness.records import Request, Response, Sample, Split
    from harness.taskdata import TaskData


@dataclass(frozen=True, slots=True)
class ShownRequest:
    """A request as people read it; token counts are None where no tokenizer was named.

    Attributes:
        kind: of the request.
        text: what is read, in a cloze up to the blank.
        demonstrations: how many it has.
        tokens: of all that is read.
        answers: continuations, labels or fillings.
        answer_tokens: of each of them.
        after: what follows the blank of a cloze.
        arguments: of a generation.
    """

    kind: str
    text: str
    demonstrations: int = 0
    tokens: int | None = None
    answers: tuple[str, ...] = ()
    answer_tokens: tuple[int | None, ...] = ()
    after: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ShownSample:
    """A sample and what would be asked of it."""

    id: str
    target: str
    context: str | None
    requests: tuple[ShownRequest, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """What `harness show` shows."""

    task: str
    strategy: str
    model: str | None
    notes: tuple[str, ...]
    samples: tuple[ShownSample, ...]


def preview(  # noqa: PLR0913 - the options of one command
    catalogue: Catalogue,
    task: str,
    *,
    strategy: str,
    model: str | None = None,
    count: int = 2,
    seed: int = 0,
    split: Split = "test",
) -> Preview:
    """Compile the first samples of a task to requests.

    Raises:
        UsageError: when the strategy can't do the task with the model.
        HarnessError: for unknown names and wrong parameters.
    """
    data = catalogue.task(parse_component(task))
    real = catalogue.model(parse_component(model)) if model else None
    used = catalogue.strategy(parse_component(strategy))
    refusal = used.refuses(real or StandIn(None), data.spec)
    if refusal:
        raise UsageError(f"{strategy} can't do {data.spec.name} with {model or 'any model'}: {refusal}")
    adapted = adapted_dry(catalogue, data, used, real, split=split, seed=seed)
    asked = [(sample, tuple(adapted.requests(sample))) for sample in data.scored(split, None)[:count]]
    counts = _counted([request for _, requests in asked for request in requests], real)
    samples = [_sample(sample, requests, counts) for sample, requests in asked]
    notes = (*adapted.notes, *(adapted.trained.notes if adapted.trained else ()))
    return Preview(data.spec.name, strategy, model, notes, tuple(samples))


def adapted_dry(
    catalogue: Catalogue, data: TaskData, strategy: Strategy, model: Model | None, *, split: Split, seed: int
) -> Adapted:
    """Adapt without loading or training anything; what would ask the model while it adapts is left out, with a note.

    Raises:
        HarnessError: where nothing can be shown without the model.
    """
    setting = Setting(seed, "cpu", catalogue.assets.root, dry=True)
    return strategy.adapt(StandIn(model), data.view(split, reads(strategy)), setting)


class _Everything(frozenset[str]):
    """What a model that nobody named can be trained by."""

    def __contains__(self, method: object) -> bool:
        return True


class StandIn:
    """Says of itself what the real model says, but answers nothing; without a real model it claims all requests."""

    def __init__(self, real: Model | None) -> None:
        self._real = real
        self.answers: frozenset[RequestKind] = real.answers if real else frozenset(get_args(RequestKind))
        self.hyperparameters: frozenset[str] = getattr(real, "hyperparameters", frozenset())
        self.methods: frozenset[str] = _Everything()  # what a real one can't has been refused

    def fingerprint(self) -> str:
        """Nothing is kept under it."""
        return "stand-in"

    def load(self, device: str) -> StandIn:
        """Never asked for."""
        raise ModelError(f"nothing is loaded (on {device}) to show requests")

    def train(self, job: TrainingJob) -> Trained:
        """Train nothing."""
        return Trained(
            self, 0.0, (f"would be trained on {len(job.examples)} rows, {len(job.validation)} for validation",)
        )

    @property
    def provenance(self) -> Mapping[str, str]:
        """Nothing runs."""
        return {}

    def run(self, requests: Sequence[Request]) -> Sequence[Response]:
        """Never asked for."""
        raise ModelError(f"{len(requests)} requests were to be shown, not answered")


def _counted(requests: Sequence[Request], model: Model | None) -> dict[str, int]:
    """Text -> its tokens, for all texts of the requests, in one call of the model that can count them."""
    if not isinstance(model, CountsTokens):
        return {}
    texts = list(dict.fromkeys(text for request in requests for text in _texts(request)))
    return dict(zip(texts, model.count_tokens(texts), strict=True))


def _texts(request: Request) -> tuple[str, ...]:
    match request:
        case Classify() | Embed():
            return (request.text,)
        case LogLikelihood():
            return (request.prompt.text, *request.continuations)
        case FillMask():
            return (request.prompt.text, request.prompt.text + request.after, *request.fillings, "")
        case Generate():
            return (request.prompt.text,)


def _sample(sample: Sample, requests: Sequence[Request], counts: Mapping[str, int]) -> ShownSample:
    return ShownSample(
        sample.id, sample.target, sample.context, tuple(_request(request, counts) for request in requests)
    )


def _request(request: Request, counts: Mapping[str, int]) -> ShownRequest:
    kind = type(request).__name__
    if isinstance(request, Classify | Embed):
        answers = request.labels if isinstance(request, Classify) else ()
        return ShownRequest(kind, request.text, 0, counts.get(request.text), answers, (None,) * len(answers))
    prompt = request.prompt
    shown, tokens = len(prompt.demonstrations), counts.get(prompt.text)
    if isinstance(request, LogLikelihood):
        each = tuple(counts.get(answer) for answer in request.continuations)
        return ShownRequest(kind, prompt.text, shown, tokens, request.continuations, each)
    if isinstance(request, FillMask):
        special = counts.get("", 0)  # a filling has none of its own
        each = tuple(counts[filling] - special if counts else None for filling in request.fillings)
        read = counts.get(prompt.text + request.after)
        return ShownRequest(kind, prompt.text, shown, read, request.fillings, each, request.after)
    assert isinstance(request, Generate)  # noqa: S101 - the only kind left
    arguments = {
        "max_tokens": request.max_tokens,
        "stop": request.stop,
        "temperature": request.temperature,
        "seed": request.seed,
        **({"top_p": request.top_p} if request.top_p < 1 else {}),
        **({"n": request.n} if request.n > 1 else {}),
    }
    return ShownRequest(kind, prompt.text, shown, tokens, arguments=arguments)
