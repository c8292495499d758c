"""Logistic or ridge regression on TF-IDF, as a model that knows what it is without scikit-learn."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING, Annotated, NoReturn

from pydantic import Field

from harness.errors import ModelError
from harness_baselines.classifying import fingerprint

if TYPE_CHECKING:
    from harness.interfaces import Trained, TrainingJob
    from harness.records import Learnt, RequestKind

CODE_VERSION = 1


class TfidfLogReg:
    """Logistic regression on TF-IDF of words and pairs of words (scikit-learn), with sublinear term frequencies.

    The strength of regularisation is chosen on validation data where there is any. The seed changes nothing; training
    takes seconds, so nothing is kept in the job's folder. It runs on the processor, whatever the device. The two texts
    of a pair are read as one. Numbers are learnt by ridge regression, sets of labels by a logistic regression each.

    Attributes:
        max_features: how many words and pairs are kept at most, the most frequent ones.
        min_df: in how many training texts one has to stand to be kept.
    """

    answers: frozenset[RequestKind] = frozenset()
    hyperparameters: frozenset[str] = frozenset()
    learns: frozenset[Learnt] = frozenset({"label", "labels", "number"})

    def __init__(
        self, max_features: Annotated[int, Field(ge=1)] = 50_000, min_df: Annotated[int, Field(ge=1)] = 1
    ) -> None:
        self.max_features = max_features
        self.min_df = min_df

    def fingerprint(self) -> str:
        """A digest of settings and of scikit-learn's version.

        Raises:
            ModelError: when scikit-learn is not installed.
        """
        try:
            version = importlib.metadata.version("scikit-learn")
        except importlib.metadata.PackageNotFoundError:
            raise ModelError("tfidf-lr needs scikit-learn", hint="pip install 'adapt-harness[baselines]'") from None
        settings = {"max_features": self.max_features, "min_df": self.min_df, "scikit-learn": version}
        return fingerprint("TfidfLogReg", CODE_VERSION, settings)

    def load(self, device: str) -> NoReturn:  # noqa: ARG002 - the protocol's
        """There is nothing to load.

        Raises:
            ModelError: always.
        """
        raise ModelError("tfidf-lr knows nothing before it is trained", hint="use a strategy that trains: finetune")

    def train(self, job: TrainingJob) -> Trained:
        """Fit it.

        Raises:
            TrainingError: when there are no examples, or no words in them.
        """
        from harness_baselines import tfidf_values
        from harness_baselines.tfidf_training import train

        if job.learnt != "label":
            return tfidf_values.train(job, self.max_features, self.min_df)
        return train(job, self.max_features, self.min_df)
