"""Linear probes of numbers (ridge regression) and of sets of labels (a logistic regression each), by scikit-learn."""

from __future__ import annotations

import warnings
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import sklearn
from scipy.special import log_expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from harness.embeddings import FrozenEmbedder
from harness.errors import ModelError, TrainingError
from harness.interfaces import Trained
from harness.records import Classified, Classify, Regress, Regressed
from harness.values import read_labels
from harness_strategies.pairfeatures import embedded, features, singly
from harness_strategies.probe import STRENGTHS, said_of_embedding

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from harness.interfaces import Engine, Model, Setting
    from harness.records import Request, Response
    from harness_strategies.probe import Rows

    Fit = Callable[[NDArray[np.float32], NDArray[np.float64], float], Any]
    Loss = Callable[[Any, NDArray[np.float32], NDArray[np.float64]], float]

PENALTIES = (1.0, 10.0, 100.0, 1000.0, 10_000.0, 100_000.0)
"""Penalties of ridge regression that are tried, on standardised dimensions by the hundred."""
FOLDS = 5
MOST = 600
"""Log-odds beyond these are cut: a probability of e^-600 is none."""


def fit_numbers(train: Rows, validation: Rows, *, model: Model, setting: Setting) -> Trained:
    """Embed, choose the penalty, and fit ridge regression on the training rows.

    Raises:
        TrainingError: when there are no training rows.
    """
    targets, held = (np.array([float(label) for label in rows.labels]) for rows in (train, validation))

    def fitted(vectors: NDArray[np.float32], numbers: NDArray[np.float64], penalty: float) -> Any:  # noqa: ANN401
        return make_pipeline(StandardScaler(), Ridge(penalty)).fit(vectors.astype(np.float64), numbers)

    def loss(probe: Any, vectors: NDArray[np.float32], numbers: NDArray[np.float64]) -> float:  # noqa: ANN401
        return float(((probe.predict(vectors.astype(np.float64)) - numbers) ** 2).sum())

    made = _Probing(fitted, loss, PENALTIES, "penalty", setting.seed)
    return made.trained(train, validation, (targets, held), (), FrozenEmbedder(model, setting))


def fit_labels(
    train: Rows, validation: Rows, labels: tuple[str, ...], *, model: Model, setting: Setting, max_iter: int
) -> Trained:
    """Embed, choose C, and fit a logistic regression for each label; one that all or no rows have is always said so.

    Raises:
        TrainingError: when there are no training rows.
    """
    targets, held = (marks([*rows.labels], labels) for rows in (train, validation))

    def fitted(vectors: NDArray[np.float32], wanted: NDArray[np.float64], strength: float) -> Any:  # noqa: ANN401
        each = OneVsRestClassifier(LogisticRegression(C=strength, max_iter=max_iter))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.filterwarnings("ignore", message="Label .* is present in")
            return make_pipeline(StandardScaler(), each).fit(vectors.astype(np.float64), wanted)

    def loss(probe: Any, vectors: NDArray[np.float32], wanted: NDArray[np.float64]) -> float:  # noqa: ANN401
        odds = log_odds(probe, vectors, len(labels))
        return -float((wanted * log_expit(odds) + (1 - wanted) * log_expit(-odds)).sum())

    made = _Probing(fitted, loss, STRENGTHS, "C", setting.seed)
    return made.trained(train, validation, (targets, held), labels, FrozenEmbedder(model, setting))


def marks(written: Sequence[str], labels: Sequence[str]) -> NDArray[np.float64]:
    """(n, k) 1 where a row has a label, from sets as `harness.values` writes them."""
    held = [set(read_labels(one)) for one in written]
    return np.array([[float(label in one) for label in labels] for one in held]).reshape(len(held), len(labels))


def log_odds(probe: Any, vectors: Any, k: int) -> NDArray[np.float64]:  # noqa: ANN401 - arrays, sparse or not
    """(n, k) log-odds of each label, also where there is a single one."""
    return np.asarray(np.clip(probe.decision_function(vectors), -MOST, MOST)).reshape(-1, k)


class _Probing:
    """How a probe is fitted, and its strength of regularisation chosen by the least loss on rows left out."""

    def __init__(self, fit: Fit, loss: Loss, strengths: tuple[float, ...], name: str, seed: int) -> None:
        self._fit = fit
        self._loss = loss
        self._strengths = strengths
        self._name = name
        self._seed = seed

    def trained(
        self,
        train: Rows,
        validation: Rows,
        wanted: tuple[NDArray[np.float64], NDArray[np.float64]],
        labels: tuple[str, ...],
        embedder: FrozenEmbedder,
    ) -> Trained:
        """Embed, choose, fit."""
        if len(train.texts) < 2:
            raise TrainingError(f"{len(train.texts)} training rows are too few", hint="raise train_size")
        texts = [*train.texts, *validation.texts]
        read = embedder.embed(singly(texts))
        engine, started = embedder.engine, perf_counter()
        vectors, held_out = np.split(features(read.vectors, texts), [len(train.texts)])
        strength, chosen = self._chosen((vectors, wanted[0]), (held_out, wanted[1]))
        probe = self._fit(vectors, wanted[0], strength)
        notes = (f"{self._name} = {strength:g}, {chosen}", *said_of_embedding(read))
        return Trained(ValueProbeEngine(engine, probe, labels), read.seconds + perf_counter() - started, notes)

    def _chosen(
        self,
        train: tuple[NDArray[np.float32], NDArray[np.float64]],
        validation: tuple[NDArray[np.float32], NDArray[np.float64]],
    ) -> tuple[float, str]:
        if len(validation[0]):
            losses = [self._loss(self._fit(*train, one), *validation) for one in self._strengths]
            return self._strengths[int(np.argmin(losses))], "chosen on the validation rows"
        vectors, wanted = train
        folds = min(FOLDS, len(vectors))
        parts = list(KFold(folds, shuffle=True, random_state=self._seed).split(vectors))
        losses = [
            sum(
                self._loss(self._fit(vectors[near], wanted[near], one), vectors[far], wanted[far])
                for near, far in parts
            )
            for one in self._strengths
        ]
        return self._strengths[int(np.argmin(losses))], f"chosen over {folds} folds of the training rows"


class ValueProbeEngine:
    """An engine that embeds, with a probe on top: answers `Regress`, or with labels `Classify` of several.

    Nothing it answers comes from a cache.
    """

    def __init__(self, engine: Engine, probe: Any, labels: tuple[str, ...]) -> None:  # noqa: ANN401 - a pipeline
        self._engine = engine
        self._probe = probe
        self._labels = labels

    @property
    def provenance(self) -> Mapping[str, str]:
        """The encoder's, and scikit-learn's version."""
        return {**self._engine.provenance, "scikit-learn": sklearn.__version__}

    def run(self, requests: Sequence[Request]) -> list[Response]:
        """A number, or the log-probability of each label.

        Raises:
            ModelError: when a request is of another kind or about other labels.
        """
        asked = [request for request in requests if isinstance(request, Classify if self._labels else Regress)]
        if len(asked) < len(requests) or any(
            request.labels != self._labels or not request.several for request in asked if isinstance(request, Classify)
        ):
            raise ModelError(f"this engine only gives {'its labels, several a text' if self._labels else 'numbers'}")
        if not asked:
            return []
        vectors, usages = embedded(self._engine, [request.text for request in asked])
        if not self._labels:
            numbers = self._probe.predict(vectors.astype(np.float64)).tolist()
            return [Regressed(number, usage) for number, usage in zip(numbers, usages, strict=True)]
        found = log_expit(log_odds(self._probe, vectors.astype(np.float64), len(self._labels)))
        return [Classified(tuple(row.tolist()), usage) for row, usage in zip(found, usages, strict=True)]
