"""What is measured on one example: numbers, or what an aggregate over examples needs, by metric."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from harness_big_bench.definition import targets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness_big_bench.definition import Definition, Example

ERROR = 0.1
"""The relative error that a numeric answer may have."""

# --- choices -----------------------------------------------------------------------------------------


def chosen(scores: Sequence[float], definition: Definition) -> int:
    """The number of the choice that counts as the answer: the likeliest one; a tie is broken by a digest of the scores.

    Args:
        scores: the log-likelihoods of the choices.
        definition: says whether they are graded as they are.
    """
    graded = _graded(scores, definition)
    best = np.flatnonzero(graded == graded.max())
    return int(best[int(hashlib.sha256(graded.tobytes()).hexdigest(), 16) % len(best)])


def by_choice(example: Example, scores: Sequence[float], definition: Definition) -> dict[str, Any]:
    """The metrics over choices.

    `calibration_multiple_choice_brier_score` is a sum over choices and their number, `expected_calibration_error` the
    confidence and whether the likeliest choice is the best one, `macro_f1` the right choice and the chosen one.
    """
    choices = list(example["target_scores"])
    weights = np.array(list(example["target_scores"].values()), dtype=np.float64)
    shares = weights / weights.sum() if weights.sum() else np.zeros_like(weights)
    absolute, graded = np.asarray(scores, dtype=np.float64), _graded(scores, definition)
    probabilities = np.exp(graded - graded.max())
    probabilities /= probabilities.sum()
    number = chosen(scores, definition)
    brier = float(np.sum(shares * (probabilities - 1) ** 2 + (1 - shares) * probabilities**2))
    sure = bool(np.argmax(shares) == np.argmax(probabilities))
    found: dict[str, Any] = {
        "multiple_choice_grade": float(weights[number]),
        "calibration_multiple_choice_brier_score": [brier, len(choices)],
        "expected_calibration_error": [float(probabilities.max()), sure],
        "weighted_log_probabilities": float(np.sum(weights * absolute)),
        "weighted_probabilities": float(np.sum(weights * np.exp(absolute))),
        "macro_f1": [choices[int(weights.argmax())], choices[number]],
    }
    return {name: found[name] for name in definition.chooses}


def _graded(scores: Sequence[float], definition: Definition) -> np.ndarray[Any, np.dtype[np.float64]]:
    from scipy.special import logsumexp

    absolute = np.asarray(scores, dtype=np.float64)
    return absolute if definition.absolute else absolute - logsumexp(absolute)


# --- texts -------------------------------------------------------------------------------------------


def by_text(example: Example, response: str, definition: Definition) -> dict[str, Any]:
    """The metrics over a text: of ROUGE the best over the targets; for BLEU the text and the targets themselves."""
    right = targets(example)
    found: dict[str, Any] = {}
    for name in definition.writes:
        if name == "rouge":
            found |= _rouge(right, response)
        else:
            found[name] = [list(right), response] if name == "bleu" else float(_BY_TEXT[name](right, response))
    return found


def is_right(example: Example, response: str, definition: Definition) -> bool:
    """Whether a text counts as a right answer: by the preferred metric where it says so, else it is a target."""
    judge = _BY_TEXT.get(definition.preferred, _same)
    return judge(targets(example), response) == (100.0 if judge is _sequence else 1.0)


def _same(right: Sequence[str], response: str) -> float:
    return float(response in right)


def _same_folded(right: Sequence[str], response: str) -> float:
    return float(response.strip().lower() in [one.strip().lower() for one in right])


def _near(right: Sequence[str], response: str) -> float:
    """Whether a number is near the right one; a negative right one is never met, as BIG-bench divides by it."""
    try:
        wanted, said = float(right[0]), float(response)
    except ValueError:
        return 0.0
    return float(abs(said - wanted) / (wanted if wanted != 0 else 1) <= ERROR)


def _sequence(right: Sequence[str], response: str) -> float:
    """Per cent of the first target's words that stand in their place; words that are missing count as `O`."""
    wanted = right[0].split(" ")
    said = response.split(" ")[: len(wanted)]
    said += ["O"] * (len(wanted) - len(said))
    return 100 * sum(one == other for one, other in zip(wanted, said, strict=True)) / len(wanted)


_BY_TEXT: Mapping[str, Callable[[Sequence[str], str], float]] = {
    "exact_str_match": _same,
    "case_insensitive_str_match": _same_folded,
    "numeric_match_with_0_1_relative_error": _near,
    "sequence_f1": _sequence,
}


def _rouge(right: Sequence[str], response: str) -> dict[str, float]:
    """Per cent of F1, each kind for the target that is best by it (Lin 2004, W04-1013)."""
    from rouge_score.rouge_scorer import RougeScorer  # type: ignore[import-untyped]

    from harness_big_bench.definition import ROUGE

    scorer = RougeScorer(ROUGE)
    each = [scorer.score(_sentences(one), _sentences(response)) for one in right]
    return {name: 100 * max(scores[name].fmeasure for scores in each) for name in ROUGE}


def _sentences(text: str) -> str:
    """A line a sentence, as rougeLsum reads them."""
    return text.replace(" . ", " .\n")


# --- likelihoods -------------------------------------------------------------------------------------


def by_likelihood(example: Example, scores: Sequence[float], definition: Definition) -> dict[str, float]:
    """The log-likelihood of all targets together; of single targets by word and character too."""
    from scipy.special import logsumexp

    found = {"log_likelihood": float(logsumexp(np.asarray(scores, dtype=np.float64)))}
    if definition.single:
        (target,) = targets(example)
        found["log_likelihood_per_word"] = scores[0] / len(target.split())
        found["log_likelihood_per_char"] = scores[0] / len(target)
    return found
