"""What a trial would ask, without asking it: adapts with a stand-in for the model that neither loads nor trains."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import TYPE_CHECKING, Any, get_args

from harness.bridging import adapt
from harness.bridging import refusal as refusal_of
from harness.components import parse_component
from harness.declared import reads
from harness.errors import ModelError, UsageError
from harness.interfaces import Chats, CountsTokens, Setting, Trained, TrainingJob
from harness.records import Classify, FillMask, Generate, LogLikelihood, RequestKind
from harness.requests import TEXTS, as_one
from harness.tokenized import Tokenizes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.catalogue import Catalogue
    from harness.interfaces import Adapted, Model, Pretrained, PretrainingJob, Strategy
    from harness.records import Prompt, Request, Response, Split
    from harness.taskdata import TaskData
    from harness.tokenized import Tokenized


TEMPLATED = ("message", "turns")
"""Values of `Prompt.chat` that ask for a chat template whatever the model is set to."""


@dataclass(frozen=True, slots=True)
class ShownRequest:
    """A request as people read it; token counts are None where no tokenizer was named.

    Attributes:
        kind: of the request.
        text: what is read, in the model's chat template where it is asked in it; in a cloze up to the blank.
        demonstrations: how many it has.
        tokens: of all that is read.
        answers: continuations, labels or fillings.
        answer_tokens: of each of them.
        after: what follows the blank of a cloze.
        arguments: of a generation.
        tokenized: token by token, where somebody asked for that.
    """

    kind: str
    text: str
    demonstrations: int = 0
    tokens: int | None = None
    answers: tuple[str, ...] = ()
    answer_tokens: tuple[int | None, ...] = ()
    after: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    tokenized: Tokenized | None = None


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
    tokens: bool = False,
) -> Preview:
    """Compile the first samples of a task to requests; with `tokens` also token by token, as the model's engine does.

    Raises:
        UsageError: when the strategy can't do the task with the model.
        HarnessError: for unknown names and wrong parameters.
    """
    data = catalogue.task(parse_component(task))
    real = catalogue.model(parse_component(model)) if model else None
    used = catalogue.strategy(parse_component(strategy))
    refusal = refusal_of(data.task, real or StandIn(None), used)
    if refusal:
        raise UsageError(f"{strategy} can't do {data.spec.name} with {model or 'any model'}: {refusal}")
    adapted = adapted_dry(catalogue, data, used, real, split=split, seed=seed)
    asked = [(sample, tuple(adapted.requests(sample))) for sample in data.scored(split, None)[:count]]
    reader = _Reader([request for _, requests in asked for request in requests], real)
    cut = (
        _tokenized(real, model, [request for _, requests in asked for request in requests]) if tokens else repeat(None)
    )
    samples = [
        ShownSample(
            sample.id,
            sample.target,
            sample.context,
            tuple(replace(reader.request(request), tokenized=next(cut)) for request in requests),
        )
        for sample, requests in asked
    ]
    notes = (*adapted.notes, *(adapted.trained.notes if adapted.trained else ()))
    return Preview(data.spec.name, strategy, model, notes, tuple(samples))


def _tokenized(real: Model | None, name: str | None, requests: Sequence[Request]) -> Iterator[Tokenized]:
    if real is None:
        raise UsageError("tokens are a model's", hint="name it by -m")
    if not isinstance(real, Tokenizes):
        raise UsageError(f"{name} shows no tokens: it reads texts as they are, or keeps them to itself")
    return iter(real.tokenized(requests))


def adapted_dry(
    catalogue: Catalogue, data: TaskData, strategy: Strategy, model: Model | None, *, split: Split, seed: int
) -> Adapted:
    """Adapt without loading or training anything; what would ask the model while it adapts is left out, with a note.

    Raises:
        HarnessError: where nothing can be shown without the model.
    """
    setting = Setting(seed, "cpu", catalogue.assets.root, dry=True)
    return adapt(data.task, strategy, StandIn(model), data.view(split, reads(strategy)), setting)


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
    def chats(self) -> bool:
        """Whether the real one has a chat template."""
        return self._real is None or (isinstance(self._real, Chats) and self._real.chats)

    def written(self, prompts: Sequence[Prompt]) -> list[str]:
        """As the real one writes them; without one, who says what stands before it in brackets."""
        if isinstance(self._real, Chats):
            return self._real.written(prompts)
        return [
            "\n".join(f"[{role}] {said}" for role, said in prompt.messages) if prompt.chat in TEMPLATED else prompt.text
            for prompt in prompts
        ]

    def cannot_pretrain(self) -> str | None:
        """What a real one can't has been refused."""
        return None

    def pretrain(self, job: PretrainingJob) -> Pretrained:
        """Never asked for."""
        raise ModelError(f"nothing is trained on {len(job.texts)} texts to show requests")

    @property
    def provenance(self) -> Mapping[str, str]:
        """Nothing runs."""
        return {}

    def run(self, requests: Sequence[Request]) -> Sequence[Response]:
        """Never asked for."""
        raise ModelError(f"{len(requests)} requests were to be shown, not answered")


class _Reader:
    """Knows what is read of requests and how many tokens that are; all texts are written and counted in one call each.

    Args:
        requests: all that will be shown.
        model: whose chat template and tokenizer these are; without one nothing is counted.
    """

    def __init__(self, requests: Sequence[Request], model: Model | None) -> None:
        prompts = list(dict.fromkeys(one.prompt for one in requests if not isinstance(one, TEXTS)))
        self._written = dict(zip(prompts, StandIn(model).written(prompts), strict=True))
        self._counts: dict[str, int] = {}
        if isinstance(model, CountsTokens):
            texts = list(dict.fromkeys(text for request in requests for text in self._texts(request)))
            self._counts = dict(zip(texts, model.count_tokens(texts), strict=True))

    def _texts(self, request: Request) -> tuple[str, ...]:
        if isinstance(request, TEXTS):
            return (as_one(request.text),)
        text = self._written[request.prompt]
        match request:
            case LogLikelihood():
                return (text, *request.continuations, "")
            case FillMask():
                return (text, text + request.after, *request.fillings, "")
            case Generate():
                return (text, "")

    def _tokens(self, prompt: Prompt) -> int | None:
        text = self._written[prompt]
        if text not in self._counts:
            return None
        return self._counts[text] - (self._counts[""] if text != prompt.text else 0)  # a template has its own

    def request(self, request: Request) -> ShownRequest:
        """What people see of it."""
        kind = type(request).__name__
        counts = self._counts
        if isinstance(request, TEXTS):
            answers = request.labels if isinstance(request, Classify) else ()
            whole = as_one(request.text)
            return ShownRequest(kind, whole, 0, counts.get(whole), answers, (None,) * len(answers))
        prompt = request.prompt
        text, shown, tokens = self._written[prompt], len(prompt.demonstrations), self._tokens(prompt)
        if isinstance(request, LogLikelihood):
            each = tuple(counts.get(answer) for answer in request.continuations)
            return ShownRequest(kind, text, shown, tokens, request.continuations, each)
        if isinstance(request, FillMask):
            special = counts.get("", 0)  # a filling has none of its own
            each = tuple(counts[filling] - special if counts else None for filling in request.fillings)
            read = counts.get(text + request.after)
            return ShownRequest(kind, text, shown, read, request.fillings, each, request.after)
        return ShownRequest(kind, text, shown, tokens, arguments=_drawn(request))


def _drawn(request: Generate) -> dict[str, Any]:
    return {
        "max_tokens": request.max_tokens,
        "stop": request.stop,
        "temperature": request.temperature,
        "seed": request.seed,
        **({"top_p": request.top_p} if request.top_p < 1 else {}),
        **({"n": request.n} if request.n > 1 else {}),
    }
