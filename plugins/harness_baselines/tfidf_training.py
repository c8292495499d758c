"""Fitting logistic regression on TF-IDF with scikit-learn, and asking the fitted model."""

from __future__ import annotations

import warnings
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import sklearn
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from harness.errors import TrainingError
from harness.interfaces import Trained
from harness.records import Classified
from harness.requests import as_one
from harness_baselines.classifying import ConstantEngine, add_one_log_probs, label_counts, texts_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from harness.interfaces import TrainingJob
    from harness.records import Request, Response, Text

STRENGTHS = (1.0, 10.0, 100.0)
"""Values of C that validation chooses from; 0.1 leaves TF-IDF rows, which have length 1, with next to no weights."""
UNTUNED = 10.0
MAX_ITERATIONS = 2000


def train(job: TrainingJob, max_features: int, min_df: int) -> Trained:
    """Fit on the training examples, with the C of the lowest cross-entropy on the validation examples.

    Training data of one label only gives a constant answer, and a note that says so.

    Raises:
        TrainingError: when there are no examples, or no words in them.
    """
    started = perf_counter()
    counts = label_counts(job)
    provenance = {"device": "cpu", "scikit-learn": sklearn.__version__}
    if max(counts) == sum(counts):
        engine = ConstantEngine(job.labels, add_one_log_probs(counts), provenance)
        only = job.labels[counts.index(max(counts))]
        return Trained(engine, perf_counter() - started, (f"all training examples are {only!r}: the constant answer",))
    vectorizer, features = fitted_words(job, max_features, min_df)
    place = {label: index for index, label in enumerate(job.labels)}
    targets = [place[label] for _, label in job.examples]
    candidates = STRENGTHS if job.validation else (UNTUNED,)
    fitted = [TfidfEngine(job.labels, counts, vectorizer, _fit(features, targets, c), provenance) for c in candidates]
    best = min(fitted, key=lambda engine: engine.cross_entropy(job.validation)) if job.validation else fitted[0]
    return Trained(best, perf_counter() - started, best.notes)


def fitted_words(job: TrainingJob, max_features: int, min_df: int) -> tuple[TfidfVectorizer, Any]:
    """The words and pairs of words of the training texts, and the texts' rows of them: (n, words), sparse.

    Raises:
        TrainingError: when there are none.
    """
    vectorizer = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), max_features=max_features, min_df=min_df)
    try:
        return vectorizer, vectorizer.fit_transform([as_one(text) for text, _ in job.examples])
    except ValueError as error:
        raise TrainingError(
            f"no words to learn from in {len(job.examples)} training texts: {error}",
            hint="see what the texts are with harness show, or lower min_df",
        ) from error


def _fit(features: Any, targets: list[int], strength: float) -> LogisticRegression:  # noqa: ANN401 - a sparse matrix
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # said in the notes
        return LogisticRegression(C=strength, max_iter=MAX_ITERATIONS).fit(features, targets)


class TfidfEngine:
    """A fitted vectorizer and regression.

    A label that training never saw has the probability that add-one smoothing of the counts gives it: possible, and
    never the likeliest.
    """

    def __init__(
        self,
        labels: tuple[str, ...],
        counts: Sequence[int],
        vectorizer: TfidfVectorizer,
        regression: LogisticRegression,
        provenance: Mapping[str, str],
    ) -> None:
        self.provenance = provenance
        self._labels = labels
        self._vectorizer = vectorizer
        self._regression = regression
        self._smoothed = np.array(add_one_log_probs(counts))  # (k,)
        self._seen_share = np.log(sum(np.exp(self._smoothed[index]) for index in regression.classes_))

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of its results has to know."""
        said = (f"C = {self._regression.C:g}",)
        converged = int(self._regression.n_iter_.max()) < MAX_ITERATIONS
        return said if converged else (*said, f"not converged after {MAX_ITERATIONS} iterations")

    def run(self, requests: Sequence[Request]) -> list[Response]:
        """Answer `Classify`; no tokens are counted, since there is no tokenizer."""
        texts = texts_of(requests, self._labels)
        return [Classified(tuple(row)) for row in self._log_probs(texts).tolist()] if texts else []

    def cross_entropy(self, examples: Sequence[tuple[Text, str]]) -> float:
        """The mean of -log p(label) over examples, in nats."""
        log_probs = self._log_probs([as_one(text) for text, _ in examples])
        columns = [self._labels.index(label) for _, label in examples]
        return -float(log_probs[np.arange(len(examples)), columns].mean())

    def _log_probs(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """(n, k) log-probabilities, in float64 and without underflow to zero probability."""
        scores = self._regression.decision_function(self._vectorizer.transform(texts))
        if scores.ndim == 1:  # two classes: the score of the second over the first
            scores = np.column_stack([np.zeros_like(scores), scores])
        log_probs = np.tile(self._smoothed, (len(texts), 1))
        log_probs[:, self._regression.classes_] = log_softmax(scores, axis=1) + self._seen_share
        return log_probs
