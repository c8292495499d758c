"""Numbers (ridge regression) and sets of labels (a logistic regression each) learnt from TF-IDF with scikit-learn."""

from __future__ import annotations

import warnings
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import sklearn
from scipy.special import log_expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier

from harness.errors import TrainingError
from harness.interfaces import Trained
from harness.records import Classified, Regressed
from harness.requests import as_one
from harness.values import read_labels
from harness_baselines.classifying import numbered_texts, texts_of
from harness_baselines.tfidf_training import MAX_ITERATIONS, STRENGTHS, UNTUNED, fitted_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from sklearn.feature_extraction.text import TfidfVectorizer

    from harness.interfaces import TrainingJob
    from harness.records import Request, Response, Text

PENALTIES = (0.1, 1.0, 10.0)
"""Penalties of ridge regression that validation chooses from; 1 without validation."""
MOST = 600
"""Log-odds beyond these are cut: a probability of e^-600 is none."""


def train(job: TrainingJob, max_features: int, min_df: int) -> Trained:
    """Fit on the training examples, with the strength of regularisation of the least loss on the validation examples.

    Raises:
        TrainingError: when there are no examples, or no words in them.
    """
    if not job.examples:
        raise TrainingError("there are no training examples", hint="give the task a training split")
    started = perf_counter()
    vectorizer, features = fitted_words(job, max_features, min_df)
    numeric = job.learnt == "number"
    tried = (PENALTIES if numeric else STRENGTHS) if job.validation else (1.0 if numeric else UNTUNED,)
    wanted = _wanted(job, job.examples)
    made = [TfidfValueEngine(job.labels, vectorizer, _fit(features, wanted, one, numeric=numeric)) for one in tried]
    losses = [_loss(engine, job) if job.validation else 0.0 for engine in made]
    best = int(np.argmin(losses))
    note = f"{'penalty' if numeric else 'C'} = {tried[best]:g}"
    return Trained(made[best], perf_counter() - started, (note,))


def _wanted(job: TrainingJob, examples: Sequence[tuple[Text, str]]) -> NDArray[np.float64]:
    """(n,) numbers, or (n, k) 1 where an example has a label."""
    if job.learnt == "number":
        return np.array([float(number) for _, number in examples])
    held = [set(read_labels(written)) for _, written in examples]
    return np.array([[float(label in one) for label in job.labels] for one in held])


def _fit(features: Any, wanted: NDArray[np.float64], strength: float, *, numeric: bool) -> Any:  # noqa: ANN401
    if numeric:
        return Ridge(strength).fit(features, wanted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", message="Label .* is present in")  # such a label is always said so
        return OneVsRestClassifier(LogisticRegression(C=strength, max_iter=MAX_ITERATIONS)).fit(features, wanted)


def _loss(engine: TfidfValueEngine, job: TrainingJob) -> float:
    found = engine.values([as_one(text) for text, _ in job.validation])
    wanted = _wanted(job, job.validation)
    if job.learnt == "number":
        return float(((found - wanted) ** 2).sum())
    return -float((wanted * log_expit(found) + (1 - wanted) * log_expit(-found)).sum())


class TfidfValueEngine:
    """A fitted vectorizer and regression: answers `Regress`, or with labels `Classify` of several."""

    def __init__(self, labels: tuple[str, ...], vectorizer: TfidfVectorizer, regression: Any) -> None:  # noqa: ANN401
        self.provenance: Mapping[str, str] = {"device": "cpu", "scikit-learn": sklearn.__version__}
        self._labels = labels
        self._vectorizer = vectorizer
        self._regression = regression

    def run(self, requests: Sequence[Request]) -> list[Response]:
        """A number or log-probabilities; no tokens are counted, since there is no tokenizer."""
        if not requests:
            return []
        if not self._labels:
            return [Regressed(value) for value in self.values(numbered_texts(requests)).tolist()]
        found = log_expit(self.values(texts_of(requests, self._labels)))
        return [Classified(tuple(row)) for row in found.tolist()]

    def values(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """(n,) numbers, or (n, k) log-odds of labels."""
        features = self._vectorizer.transform(texts)
        if not self._labels:
            return np.asarray(self._regression.predict(features))
        odds = self._regression.decision_function(features)
        return np.asarray(np.clip(odds, -MOST, MOST)).reshape(-1, len(self._labels))
