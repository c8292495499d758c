"""Fitting linear classifiers on embeddings with scikit-learn, and the engine that answers with them."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import sklearn
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from harness.embeddings import FrozenEmbedder
from harness.errors import ModelError, TrainingError
from harness.interfaces import Trained
from harness.records import Classified, Classify, Embed, Embedded
from harness.requests import as_one
from harness_strategies.pairfeatures import embedded, features, singly

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from harness.embeddings import Embeddings
    from harness.interfaces import Engine, Model, Setting
    from harness.records import Request, Response, Text

STRENGTHS = (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0)
"""Values of C that are tried: standardised dimensions by the hundred want far less than scikit-learn's 1."""
UNTUNED = 0.01
"""C where a label has a single training row, so that nothing can be left out to choose by."""
FOLDS = 5
MAX_ITER = 1000
"""Iterations on a tuned encoder, whose embeddings lie apart already."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Texts and their labels."""

    texts: Sequence[Text]
    labels: Sequence[str]


def fit(
    train: Rows, validation: Rows, labels: tuple[str, ...], *, model: Model, setting: Setting, max_iter: int
) -> Trained:
    """Embed, choose C, and fit on the training rows.

    Raises:
        TrainingError: when the training rows have fewer than two labels.
    """
    counts = Counter(train.labels)
    if len(counts) < 2:
        only = (
            f"all {len(train.labels)} training rows are {train.labels[0]!r}" if counts else "there are no training rows"
        )
        raise TrainingError(f"{only}: there is nothing to tell apart", hint="raise train_size, or give more rows")
    embedder = FrozenEmbedder(model, setting)
    texts = [*train.texts, *validation.texts]
    read = embedder.embed(singly(texts))
    engine = embedder.engine  # for answering, even where every training row was kept
    started = perf_counter()
    vectors, held_out = np.split(features(read.vectors, texts), [len(train.texts)])
    choice = _Choice(labels, max_iter, setting.seed)
    strength, chosen = choice.strength((vectors, train.labels), (held_out, validation.labels))
    probe = choice.fitted(vectors, train.labels, strength)
    notes = (f"C = {strength:g}, {chosen}", *probe.notes, *said_of_embedding(read))
    return Trained(ProbeEngine(engine, probe), read.seconds + perf_counter() - started, notes)


def said_of_embedding(read: Embeddings) -> list[str]:
    """What a reader of the results has to know of the texts' embeddings."""
    notes = []
    if read.kept:
        notes.append(f"{read.kept} embeddings were kept from before; training seconds count what they took then")
    if read.cut:
        notes.append(f"{read.cut} training and validation rows were cut to the model's window")
    return notes


@dataclass(frozen=True, slots=True)
class Probe:
    """A fitted pipeline (standardisation, regression) over the task's labels.

    A label that no training row has gets the share that add-one smoothing of the counts gives it.
    """

    labels: tuple[str, ...]
    pipeline: Pipeline
    counts: Mapping[str, int]

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of its results has to know."""
        regression = self.pipeline[-1]
        if int(regression.n_iter_.max()) < regression.max_iter:
            return ()
        return (f"not converged after {regression.max_iter} iterations",)

    def log_probs(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """(n, D) vectors -> (n, K) log-probabilities, in the order of `labels`."""
        scores = self.pipeline.decision_function(vectors.astype(np.float64))
        if scores.ndim == 1:  # two classes: the score of the second over the first
            scores = np.column_stack([np.zeros_like(scores), scores])
        seen = [self.labels.index(label) for label in self.pipeline.classes_]
        total = sum(self.counts.values()) + len(self.labels)
        unseen = len(self.labels) - len(seen)
        found = np.full((len(vectors), len(self.labels)), -np.log(total))
        found[:, seen] = log_softmax(scores, axis=1) + np.log1p(-unseen / total)
        return found

    def cross_entropy(self, vectors: NDArray[np.float32], labels: Sequence[str]) -> float:
        """The sum of -log p(label) over rows, in nats."""
        columns = [self.labels.index(label) for label in labels]
        return -float(self.log_probs(vectors)[np.arange(len(labels)), columns].sum())


def on_top(tuned: Trained, examples: Sequence[tuple[Text, str]], labels: tuple[str, ...]) -> Trained:
    """The tuned encoder with logistic regression on top: scikit-learn's defaults on embeddings of length 1.

    As its loss does, the classifier compares directions; nothing is chosen by rows that the encoder was tuned on.

    Raises:
        ModelError: when a text can't be embedded.
    """
    started = perf_counter()
    responses = tuned.engine.run([Embed(as_one(text)) for text, _ in examples])
    vectors = np.array([response.vector for response in responses if isinstance(response, Embedded)], np.float64)
    told = [label for _, label in examples]
    pipeline = make_pipeline(Normalizer(), LogisticRegression(max_iter=MAX_ITER)).fit(vectors, told)
    probe = Probe(labels, pipeline, Counter(told))
    seconds = tuned.train_s + perf_counter() - started
    return Trained(ProbeEngine(tuned.engine, probe, joined=True), seconds, (*tuned.notes, *probe.notes))


@dataclass(frozen=True, slots=True)
class _Choice:
    """How a probe is fitted, and its C chosen."""

    labels: tuple[str, ...]
    max_iter: int
    seed: int

    def fitted(self, vectors: NDArray[np.float32], labels: Sequence[str], strength: float) -> Probe:
        """A probe for one C."""
        pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=self.max_iter))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # said in the notes
            pipeline.fit(vectors.astype(np.float64), labels)
        return Probe(self.labels, pipeline, Counter(labels))

    def strength(
        self,
        train: tuple[NDArray[np.float32], Sequence[str]],
        validation: tuple[NDArray[np.float32], Sequence[str]],
    ) -> tuple[float, str]:
        """The C with the lowest cross-entropy on rows left out (the smaller of equals), and how it was chosen."""
        if len(validation[1]):
            losses = [self.fitted(*train, strength).cross_entropy(*validation) for strength in STRENGTHS]
            return STRENGTHS[int(np.argmin(losses))], "chosen on the validation rows"
        folds = min(FOLDS, *Counter(train[1]).values())
        if folds < 2:
            return UNTUNED, "not chosen: a label has a single training row"
        cut = StratifiedKFold(folds, shuffle=True, random_state=self.seed)
        vectors, labels = train[0], np.asarray(train[1])
        parts = list(cut.split(vectors, labels))
        losses = [
            sum(
                self.fitted(vectors[near], labels[near].tolist(), strength).cross_entropy(
                    vectors[far], labels[far].tolist()
                )
                for near, far in parts
            )
            for strength in STRENGTHS
        ]
        return STRENGTHS[int(np.argmin(losses))], f"chosen over {folds} folds of the training rows"


class ProbeEngine:
    """An engine that embeds, with a probe on top: answers `Classify`. Nothing it answers comes from a cache.

    Args:
        engine: embeds.
        probe: fitted on what it embeds.
        joined: whether the two texts of a pair are embedded as one.
    """

    def __init__(self, engine: Engine, probe: Probe, *, joined: bool = False) -> None:
        self._engine = engine
        self._probe = probe
        self._joined = joined

    @property
    def provenance(self) -> Mapping[str, str]:
        """The encoder's, and scikit-learn's version."""
        return {**self._engine.provenance, "scikit-learn": sklearn.__version__}

    def run(self, requests: Sequence[Request]) -> list[Response]:
        """One log-probability a label, in each request's order.

        Raises:
            ModelError: when a request is of another kind or names a label that is not known.
        """
        asked = [request for request in requests if isinstance(request, Classify)]
        if len(asked) < len(requests):
            raise ModelError("this engine only classifies")
        if not asked:
            return []
        places = [self._places(request.labels) for request in asked]
        vectors, usages = embedded(
            self._engine, [as_one(request.text) if self._joined else request.text for request in asked]
        )
        return [
            Classified(tuple(row[place].tolist()), usage)
            for row, place, usage in zip(self._probe.log_probs(vectors), places, usages, strict=True)
        ]

    def _places(self, labels: Sequence[str]) -> list[int]:
        unknown = [label for label in labels if label not in self._probe.labels]
        if unknown:
            raise ModelError(f"the probe does not know the label {unknown[0]!r}")
        return [self._probe.labels.index(label) for label in labels]
