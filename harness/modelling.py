"""What a model and its engine have to offer; reached through `harness.interfaces` too."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness.requests import Prompt, Request, RequestKind, Response, Text
    from harness.taskspec import Learnt


class Engine(Protocol):
    """A model in memory. It alone knows of batches, devices and caches."""

    @property
    def provenance(self) -> Mapping[str, str]:
        """Device, dtype, threads, library versions: what stands beside its results."""

    def run(self, requests: Sequence[Request]) -> Sequence[Response]:
        """Answer each request, in the order given.

        Raises:
            ModelError: when an answer makes no sense.
        """


@runtime_checkable
class CountsWork(Protocol):
    """An engine that counts what it does: tokens forwarded, reused, padded; or whatever its work is made of."""

    @property
    def counters(self) -> Mapping[str, int]:
        """Sums since it was loaded."""


@runtime_checkable
class UsesDeviceMemory(Protocol):
    """An engine on a device that may have memory of its own, such as a GPU."""

    def peak_device_bytes(self) -> int | None:
        """The most that it held there since this was asked last, or it was loaded; None where it holds nothing there.

        The next call begins anew.
        """


class Model(Protocol):
    """A model as it lies on disk or behind an address. It knows what it is without loading its weights."""

    @property
    def answers(self) -> frozenset[RequestKind]:
        """The kinds of requests that its engine answers as it is, without training."""

    def fingerprint(self) -> str:
        """A digest of weights, tokenizer and all settings that can change an answer. May fetch, never loads."""

    def load(self, device: str) -> Engine:
        """Bring it into memory on `auto`, `cpu`, `cuda`, `cuda:1` or `mps`."""


@runtime_checkable
class ExplainsItself(Protocol):
    """A model that can tell why it does not answer a kind of request, where that is worth knowing."""

    def lacks(self, kind: RequestKind) -> str | None:
        """Why not, in words for the table; None where it answers the kind, or there is nothing to say."""


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """Everything a model needs to be trained as a classifier.

    Attributes:
        examples: text and label.
        validation: the same, for choosing the best epoch; may be empty.
        hyperparameters: those of the strategy that the model declares in `hyperparameters`.
        folder: where the result is kept; content-addressed, so what stands there complete may be used as it is.
        method: what is trained and how; one of the model's `methods`. `head`: all weights, and a new head.
        answers: label -> how it is said after a prompt, where the examples' texts are questions of prompts.
        instruction: what stands before each question, its separator included.
        ordinary: bare text and label, for methods that learn from prompts and such examples together.
        learnt: what the engine is to say of a text. For `labels` and `number` the examples' labels are written as
            `harness.values` writes them, and a job that learns numbers has no `labels`. For `tags` they are entities as
            `harness.entities` writes them, by the places of the text's words, which have a space between each two. For
            `span` texts are questions with passages, and targets places as `harness.spans` writes them.
    """

    examples: Sequence[tuple[Text, str]]
    validation: Sequence[tuple[Text, str]]
    labels: tuple[str, ...]
    seed: int
    device: str
    hyperparameters: Mapping[str, Any]
    folder: Path
    method: str = "head"
    answers: Mapping[str, str] = field(default_factory=dict)
    instruction: str = ""
    ordinary: Sequence[tuple[Text, str]] = ()
    learnt: Learnt = "label"


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained engine, the seconds its training took (when it took place) and what is worth saying of it."""

    engine: Engine
    train_s: float
    notes: tuple[str, ...] = ()


@runtime_checkable
class Trainable(Protocol):
    """A model that can be trained; its trained engine answers `Classify`, or what it has learnt to."""

    @property
    def hyperparameters(self) -> frozenset[str]:
        """The names of the training parameters that it understands; others are not passed on, and that is said."""

    def train(self, job: TrainingJob) -> Trained:
        """Train a classifier, or take it from the job's folder.

        Raises:
            TrainingError: when there is nothing to learn from, or the loss is not finite.
        """


@runtime_checkable
class TrainableInWays(Trainable, Protocol):
    """A model that can be trained by several methods; other `Trainable` ones by `head` alone.

    What a trained engine answers follows from the method: after `head` it answers `Classify`, after `prompt` (examples
    are prompts, see `TrainingJob.answers`) whatever the model is prompted with, after `contrastive` (rows of a label
    come to lie close) `Embed`. Hyperparameters of the last two belong to the method and are all passed on.
    """

    @property
    def methods(self) -> frozenset[str]:
        """The values of `TrainingJob.method` that it understands."""


@runtime_checkable
class LearnsMore(Protocol):
    """A model that can be trained to say other things of a text than which label it has."""

    @property
    def learns(self) -> frozenset[Learnt]:
        """The values of `TrainingJob.learnt` that it understands; those that say nothing understand `label` alone."""


@runtime_checkable
class ExplainsTraining(Protocol):
    """A model that can tell why it can't be trained by a method."""

    def cannot(self, method: str) -> str | None:
        """Why not, in words for the table; None where it can. May fetch, never loads."""


def cannot_train(model: Model, method: str) -> str | None:
    """Why a model can't be trained by a method; None where it can. It asks about that method alone."""
    if not isinstance(model, Trainable):
        return "the model can't be trained"
    if isinstance(model, ExplainsTraining):
        return model.cannot(method)
    methods = model.methods if isinstance(model, TrainableInWays) else {"head"}
    return None if method in methods else f"the model can't be trained by {method}"


def cannot_learn(model: Model, learnt: Learnt) -> str | None:
    """Why a model can't be trained to say such a thing of a text; None where it can."""
    known = model.learns if isinstance(model, LearnsMore) else {"label"}
    said = {
        "label": "one label of several",
        "labels": "any number of labels",
        "number": "numbers",
        "tags": "tags of words",
        "span": "answers in passages",
    }
    return None if learnt in known else f"the model can't be trained to give {said[learnt]}"


@dataclass(frozen=True, slots=True)
class PretrainingJob:
    """Everything a model needs for its pre-training to go on.

    Attributes:
        texts: to train on.
        held_out: others, to measure perplexity on; at least one.
        hyperparameters: those of the strategy.
        folder: where the result is kept; content-addressed, so what stands there complete may be used as it is.
    """

    texts: Sequence[str]
    held_out: Sequence[str]
    seed: int
    device: str
    hyperparameters: Mapping[str, Any]
    folder: Path


@dataclass(frozen=True, slots=True)
class Pretrained:
    """A model whose pre-training went on.

    Attributes:
        model: of the same kind as before: answers and can be trained like it.
        train_s: seconds of training, when it took place.
        before: perplexity of the held-out texts before.
        after: the same, afterwards.
        measure: what perplexity is here: of which tokens, given what.
        tokens: how many tokens it was measured on.
        notes: what is worth saying of it.
    """

    model: Model
    train_s: float
    before: float
    after: float
    measure: str
    tokens: int
    notes: tuple[str, ...] = ()


@runtime_checkable
class Pretrainable(Protocol):
    """A language model whose pre-training can go on with further texts (Gururangan et al. 2020)."""

    def cannot_pretrain(self) -> str | None:
        """Why it can't, in words for the table; None where it can. May fetch, never loads."""

    def pretrain(self, job: PretrainingJob) -> Pretrained:
        """Train it on texts, or take what stands in the job's folder.

        Raises:
            TrainingError: when there is nothing to learn from, or a number is not finite.
        """


def cannot_pretrain(model: Model) -> str | None:
    """Why a model's pre-training can't go on; None where it can."""
    if not isinstance(model, Pretrainable):
        return "the model's pre-training can't go on"
    return model.cannot_pretrain()


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens that are read, and for a million that are written."""

    read: float
    written: float

    def of(self, prompt_tokens: int, output_tokens: int) -> float:
        """US dollars for so many tokens."""
        return (self.read * prompt_tokens + self.written * output_tokens) / 1e6

    def __str__(self) -> str:
        return f"${self.read:g} for a million tokens read, ${self.written:g} for a million written"


@runtime_checkable
class Priced(Protocol):
    """A model whose answers cost money, such as one behind an API.

    Prices are parameters of the model, so they are part of its trials' keys: what stands in a table was asked for at
    the price that stands there.
    """

    @property
    def price(self) -> Price | None:
        """What tokens cost; None where that is not known."""


@runtime_checkable
class CountsTokens(Protocol):
    """A model that can tell how many tokens texts have, without loading its weights."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The number of tokens of each text."""


@runtime_checkable
class Chats(Protocol):
    """A model that may have a chat template: where `Prompt.chat` asks for it, it can be asked in it."""

    @property
    def chats(self) -> bool:
        """Whether it has one. May fetch, never loads."""

    def written(self, prompts: Sequence[Prompt]) -> list[str]:
        """What is read of each prompt, in the chat template where it is asked in it. Loads no weights.

        Raises:
            ModelError: when it has none, and a prompt asks for it.
        """


@runtime_checkable
class Fetchable(Protocol):
    """A model or task made of files: what `harness fetch` brings into the cache."""

    def fetch(self) -> Path:
        """Bring and verify its files; the file or folder that other tools can load.

        Raises:
            AssetError, OfflineError: when they can't be had.
        """
