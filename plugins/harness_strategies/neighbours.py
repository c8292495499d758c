"""The vote of the nearest training rows: what demonstrations found by the same search have to beat."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from pydantic import Field

from harness.answers import choose
from harness.errors import ModelError, TrainingError
from harness.interfaces import Adapted, Trained
from harness.records import Embed, Embedded, LabelBudget
from harness.templates import render_input
from harness_strategies.drawing import SIZES, drawn, one_size
from harness_strategies.retrieval import ByCosine, Encoder, RowSearch, models_of, unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.interfaces import Model, Setting, Sizes, TaskView
    from harness.records import Component, Prediction, Request, Response, Sample, TaskSpec


@dataclass(frozen=True, slots=True)
class NeighbourVote:
    """The label that most of the k training rows with the most similar embeddings have (Cover & Hart 1967).

    A label's score is the share of the votes that it gets; of equals the label of the more similar rows wins.

    Args:
        k: how many rows vote.
        encoder: the model that embeds; the adapted one itself unless told.
        weighted: whether a vote counts as much as its cosine (none below 0) instead of 1.
        train_size: a seeded stratified draw of this many training rows that may vote; all where it is not given.
        shots: instead, this many training rows of each label.

    Raises:
        ParameterError: when both `shots` and `train_size` are given.
    """

    k: Annotated[int, Field(ge=1)] = 8
    encoder: str | None = None
    weighted: bool = False
    train_size: Annotated[int, Field(ge=1)] | None = None
    shots: Annotated[int, Field(ge=1)] | None = None

    reads: ClassVar[frozenset[str]] = frozenset({"train"})
    sizes: ClassVar[Sizes] = SIZES

    def __post_init__(self) -> None:
        one_size(self.shots, self.train_size)

    @property
    def models(self) -> tuple[Component, ...]:
        """The encoder."""
        return models_of(self.encoder)

    def refuses(self, model: Model, spec: TaskSpec) -> str | None:
        """Needs labels and embeddings."""
        if not spec.labelled:
            return f"only labels can be voted for, and a {spec.kind} has none"
        if self.encoder is None and "Embed" not in model.answers:
            return "the model gives no embeddings: name an encoder"
        return None

    def adapt(self, model: Model, task: TaskView, setting: Setting) -> Adapted:
        """Embed the training rows, or take what is kept of them.

        Raises:
            TrainingError: when there are none.
            ModelError: when the encoder gives no embeddings.
        """
        spec = task.spec
        pool = drawn(task.samples("train"), self.shots, self.train_size, setting.seed)
        if not len(pool):
            raise TrainingError("there are no training rows that could vote")
        notes = () if len(pool) >= self.k else (f"{len(pool)} votes: the training rows are no more than that",)
        if self.encoder is not None:
            notes = (*notes, f"{self.encoder} votes: the model itself is not asked")
        budget = LabelBudget(len(pool))
        requests = partial(_requests, spec)
        if setting.dry:
            return Adapted(requests, partial(_undecided, spec), None, notes, budget)
        encoder = Encoder(model, self.encoder, setting)
        engine = encoder.engine  # loading it is no part of the seconds
        started = perf_counter()
        vectors = unit(encoder.embed([render_input(spec, sample) for sample in pool]))
        ranker = ByCosine(vectors, encoder)
        search = RowSearch(spec, pool, ranker)
        trained = Trained(engine, perf_counter() - started)

        def decide(sample: Sample, responses: Sequence[Response]) -> Prediction:
            (response,) = responses
            if not isinstance(response, Embedded):
                raise ModelError(f"the encoder answered {type(response).__name__} where a vector was asked for")
            cosines = ranker.cosines(np.asarray(response.vector, np.float32))
            near = [(pool[at].target, float(cosines[at])) for at in search.best(sample, cosines, self.k)]
            return choose(spec, sample, self._scores(spec, near), response.usage)

        return Adapted(requests, decide, trained, notes, budget)

    def _scores(self, spec: TaskSpec, near: Sequence[tuple[str, float]]) -> tuple[float, ...]:
        """The share of each label, and next to nothing for similarity, which tells equals apart."""
        votes: dict[str, float] = defaultdict(float)
        similarity: dict[str, float] = defaultdict(float)
        for label, cosine in near:
            votes[label] += max(cosine, 0.0) if self.weighted else 1.0
            similarity[label] += (cosine + 1) / 2
        total = sum(votes.values()) or 1.0
        return tuple(votes[label] / total + 1e-6 * similarity[label] / max(len(near), 1) for label in spec.labels)


def _requests(spec: TaskSpec, sample: Sample) -> tuple[Request, ...]:
    return (Embed(render_input(spec, sample)),)


def _undecided(spec: TaskSpec, sample: Sample, responses: Sequence[Response]) -> Prediction:
    raise ModelError(f"task {spec.name!r}, sample {sample.id!r}: {len(responses)} responses where none was to be given")
