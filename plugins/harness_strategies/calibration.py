"""Calibrators: what a prompt makes of labels whatever is asked is taken off the scores.

With p(y | x) the scores of a sample, renormalised over the labels, and X the texts of the prior:

    calibrated(y) = log p(y | x) - log mean over X of p(. = y | .)

    contextual  X is inputs without content: "N/A", "", "[MASK]"    Zhao et al. 2021, arXiv:2102.09690
    batch       X is unlabelled texts                               Zhou et al. 2024, arXiv:2309.17249

Zhou et al. take the texts that are scored. Here they are training texts, without their labels: an answer then depends
on no other scored row, and a skewed test set does not become the prior.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from harness.errors import ModelError
from harness.promptparts import Correction
from harness.records import Sample
from harness.templates import undeclared

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from harness.promptparts import Calibrator
    from harness.records import TaskSpec

CONTENT_FREE = ("N/A", "", "[MASK]")


class MeanProbability:
    """What both take off: the mean probability of each label."""

    def fit(self, spec: TaskSpec, scores: Sequence[Sequence[float]]) -> Correction:
        """See `log_prior` and `calibrated`."""
        prior = log_prior(scores)
        shares = zip(spec.labels, np.exp(prior).tolist(), strict=True)
        said = ", ".join(f"{label} {share:.3f}" for label, share in shares)
        return Correction(partial(calibrated, prior=prior), f"the prior: {said}")


class Contextual(MeanProbability):
    """Inputs without content, in the place of every field that the templates name."""

    draws: ClassVar[bool] = False

    def refuses(self, spec: TaskSpec, scoring: str) -> str | None:
        """Needs labels that all rows share, and a score that depends on the question and nothing else."""
        if scoring == "pmi":
            return "calibrate=contextual and scoring=pmi both take off what is likely without a question: choose one"
        if scoring == "channel":
            return "calibrate=contextual empties the input, and the input is what scoring=channel scores"
        return _shared_labels(spec, "contextual")

    def samples(self, spec: TaskSpec, pool: Sequence[Sample], count: int, rng: random.Random) -> list[Sample]:
        """One for each content-free input; neither drawn nor taken from the pool."""
        del pool, count, rng
        names = sorted(undeclared(spec.prompt.template) | undeclared(spec.prompt.domain or ""))
        label = next(iter(spec.labels))
        return [Sample(f"content-free {text!r}", dict.fromkeys(names, text), label) for text in CONTENT_FREE]

    def said(self, count: int) -> str:
        """Names the inputs."""
        return f"{count} inputs without content"


class Batch(MeanProbability):
    """A seeded draw of training texts; their labels are not looked at."""

    draws: ClassVar[bool] = True

    def refuses(self, spec: TaskSpec, scoring: str) -> str | None:
        """Needs labels that all rows share."""
        del scoring
        return _shared_labels(spec, "batch")

    def samples(self, spec: TaskSpec, pool: Sequence[Sample], count: int, rng: random.Random) -> list[Sample]:
        """So many rows of the pool, all where there are no more."""
        del spec
        return [pool[at] for at in sorted(rng.sample(range(len(pool)), min(count, len(pool))))]

    def said(self, count: int) -> str:
        """Says where they are from."""
        return f"{count} unlabelled training texts"


CALIBRATORS: Mapping[str, Calibrator] = {"contextual": Contextual(), "batch": Batch()}


def _shared_labels(spec: TaskSpec, name: str) -> str | None:
    if spec.labelled:
        return None
    return f"calibrate={name} needs labels that all rows share, and a {spec.kind} has none"


def log_prior(scores: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """(n, K) scores -> (K,) logarithms of the labels' mean probabilities, each row renormalised first.

    Raises:
        ModelError: when a row has no finite score, or one is not a number.
    """
    from scipy.special import log_softmax, logsumexp  # here: planning reads this module, and computes nothing

    rows = np.asarray(scores, np.float64)
    if not len(rows) or np.isnan(rows).any() or not np.isfinite(rows.max(axis=1)).all():
        raise ModelError("the scores to calibrate with are no numbers")
    found: NDArray[np.float64] = logsumexp(log_softmax(rows, axis=1), axis=0) - np.log(len(rows))
    return found


def calibrated(scores: Sequence[float], prior: NDArray[np.float64]) -> tuple[float, ...]:
    """Scores with the prior taken off; those of a label that the prior rules out stay as they are."""
    from scipy.special import log_softmax

    found = log_softmax(np.asarray(scores, np.float64)) - np.where(np.isfinite(prior), prior, 0.0)
    return tuple(found.tolist())
