"""What the parts of a prompt strategy have to offer, which plugins bring: selectors, orders, scorers and calibrators.

Parts hold nothing between calls: one object serves all trials. A strategy whose signature has `parts` is given a
`FindsParts`, and names what it is made of in `uses`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from harness.answers import ask
from harness.records import Prompt
from harness.templates import render_answer, render_query

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from harness.records import Chat, Request, RequestKind, Response, Sample, TaskSpec

PART_KINDS = ("selector", "order", "scorer", "calibrator")


@runtime_checkable
class FindsParts(Protocol):
    """Finds registered parts by their names."""

    def part(self, kind: str, name: str) -> Any:  # noqa: ANN401 - a Selector, an Order ...
        """The part of a kind of `PART_KINDS`.

        Raises:
            UnknownNameError: with the nearest names.
        """


# --- demonstrations --------------------------------------------------------------------------------


class TextEncoder(Protocol):
    """Embeds texts."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, D) vectors of training texts; each is computed once and kept."""

    def queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, D) vectors of texts that are asked, computed now, so that their time counts."""


@dataclass(frozen=True, slots=True)
class Pool:
    """The training rows that demonstrations are chosen from.

    Attributes:
        texts: what embeddings and BM25 read: `prompt.input` of each row.
        rng: seeded by the trial; the only source of chance.
        encoder: embeds, for a selector that says that it `embeds`.
    """

    spec: TaskSpec
    samples: Sequence[Sample]
    texts: Callable[[], list[str]]
    rng: random.Random
    encoder: TextEncoder | None = None

    def embedder(self) -> TextEncoder:
        """The encoder.

        Raises:
            ValueError: when there is none, since the selector does not say that it embeds.
        """
        if self.encoder is None:
            raise ValueError("this selector needs an encoder: let its `embeds` be True")
        return self.encoder

    def vectors(self) -> NDArray[np.float32]:
        """(n, D) vectors of the texts.

        Raises:
            ValueError: see `embedder`.
        """
        return self.embedder().embed(self.texts())


class Search(Protocol):
    """Finds rows for one sample."""

    def nearest(self, sample: Sample, text: str, k: int) -> list[int]:
        """Numbers of at most k rows, the most similar first; never the sample itself or a row that repeats it.

        Args:
            sample: that is asked.
            text: its `prompt.input`.
            k: how many.
        """


@runtime_checkable
class SearchesTogether(Protocol):
    """A search that is faster when it is told beforehand which samples it will be asked for, all at once."""

    def prepare(self, texts: Sequence[str]) -> None:
        """Get ready for these texts; what it was ready for before is forgotten."""


class Selector(Protocol):
    """Chooses demonstrations."""

    @property
    def embeds(self) -> bool:
        """Whether it needs an encoder."""

    @property
    def searches(self) -> bool:
        """Whether it makes a search, that chooses for each sample and so knows of every training label."""

    def select(self, pool: Pool, k: int) -> list[int] | Search:
        """Numbers of at most k rows in the order in which they are to stand, or a search."""


class Order(Protocol):
    """Puts chosen demonstrations into an order."""

    @property
    def by_similarity(self) -> bool:
        """Whether it makes sense of what a search found alone."""

    def order(self, picked: Sequence[int], *, similar: bool, seed: int, name: str) -> list[int]:
        """The same numbers in the order in which they are to stand.

        Args:
            picked: numbers of rows, as they were selected; where `similar`, the most similar one first.
            similar: whether a search found them.
            seed: of the trial.
            name: of the sample; empty where all samples share the demonstrations.
        """


# --- scores ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Question:
    """A sample behind its demonstrations.

    Attributes:
        head: background, instruction and keywords with their separators.
        shown: the demonstrations, in their order.
        answers: the kinds of requests that the model answers.
        seed: of sampling.
        chat: how a chat template is used, see `harness.records.Prompt`.
    """

    spec: TaskSpec
    sample: Sample
    head: str
    shown: tuple[Sample, ...]
    answers: frozenset[RequestKind]
    seed: int
    chat: Chat = "auto"

    @property
    def prompt(self) -> Prompt:
        """D_1 sep ... D_k sep P(x); in turns of a chat D_i is a question and its answer, or a dialogue."""
        spec = self.spec
        pairs = [(render_query(spec, one), render_answer(spec, one)) for one in self.shown]
        demonstrations = tuple(question + answer + spec.prompt.separator for question, answer in pairs)
        query = render_query(spec, self.sample)
        if spec.kind == "dialogue" and self.chat != "message":
            told = tuple((*one.fields["turns"], one.target) for one in self.shown)
            own = self.sample.fields
            return Prompt(query, demonstrations, self.head, self.chat, told, own["turns"], own.get("system", ""))
        turns = tuple((question, answer.strip()) for question, answer in pairs) if self.chat == "turns" else ()
        return Prompt(query, demonstrations, self.head, self.chat, turns)

    @property
    def request(self) -> Request:
        """What the prompt asks: each choice's likelihood, or an answer."""
        return ask(self.spec, self.sample, self.prompt, seed=self.seed, answers=self.answers)


class Scorer(Protocol):
    """Pure functions of a question: what is asked for its choices, and the number that each of them gets."""

    def refuses(self, spec: TaskSpec, answers: frozenset[RequestKind]) -> str | None:
        """Why the choices of such a task can't be scored with such a model; None where they can."""

    def requests(self, question: Question) -> tuple[Request, ...]:
        """What to ask."""

    def scores(self, question: Question, responses: Sequence[Response]) -> tuple[float, ...]:
        """A score a choice, in the choices' order.

        Raises:
            ModelError: when the responses are no answer to the requests.
        """


@dataclass(frozen=True, slots=True)
class Correction:
    """What a calibrator found.

    Attributes:
        apply: scores of a sample -> corrected ones, in the same order.
        said: what it has found, for the notes.
    """

    apply: Callable[[Sequence[float]], tuple[float, ...]]
    said: str = ""


class Calibrator(Protocol):
    """Takes off the scores what they hold whatever is asked: it looks at scores of other samples than the scored."""

    @property
    def draws(self) -> bool:
        """Whether its samples are drawn from the training rows, whose labels it does not look at."""

    def refuses(self, spec: TaskSpec, scoring: str) -> str | None:
        """Why a task's scores can't be corrected; None where they can."""

    def samples(self, spec: TaskSpec, pool: Sequence[Sample], count: int, rng: random.Random) -> list[Sample]:
        """The samples whose scores it looks at.

        Args:
            spec: of the task.
            pool: training rows that are no demonstrations; empty for one that does not draw.
            count: how many of them at most.
            rng: for drawing them.
        """

    def fit(self, spec: TaskSpec, scores: Sequence[Sequence[float]]) -> Correction:
        """Learn from these samples' scores, a row a sample.

        Raises:
            ModelError: when they are no numbers.
        """

    def said(self, count: int) -> str:
        """What so many of its samples are, for the notes."""
