"""Numbers and sets of labels as targets and predictions are written, and what responses say of samples that have them.

A number is written with 12 digits at most; a set of labels as a JSON list in the order in which the task declares them.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.records import Prediction

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from harness.records import Answered, Classified, Embedded, Regressed, Sample, TaskSpec, Usage

NONE = "none"
"""How a set of no labels is said."""
_EVEN = math.log(0.5)


def written_number(value: float) -> str:
    """A number as targets and predictions have it."""
    return f"{value + 0.0:.12g}"  # no -0


def read_number(text: str) -> float | None:
    """The finite number that a text is; None for one that is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def written_labels(chosen: Collection[str], labels: Iterable[str]) -> str:
    """A set of labels as targets and predictions have it."""
    return json.dumps([label for label in labels if label in chosen], ensure_ascii=False)


def read_labels(text: str) -> tuple[str, ...]:
    """The labels that `written_labels` wrote.

    Raises:
        ValueError: when it is no list.
    """
    found = json.loads(text)
    if not isinstance(found, list):
        raise ValueError(f"{text!r} is no list of labels")  # noqa: TRY004 - what is wrong is the text
    return tuple(map(str, found))


def labels_of(spec: TaskSpec, sample: Sample) -> tuple[str, ...]:
    """The labels that a sample has: one, or of a multi-label task any number; of a sentence its entities' types."""
    if spec.learnt == "tags":
        return tuple(str(type_) for type_, *_ in json.loads(sample.target))
    return read_labels(sample.target) if spec.learnt == "labels" else (sample.target,)


# --- deciding ------------------------------------------------------------------------------------


def decide_number(sample: Sample, response: Regressed) -> Prediction:
    """The number that a trained engine gives."""
    return _number(sample, response.value, response.usage)


def decide_similarity(sample: Sample, first: Embedded, second: Embedded) -> Prediction:
    """The cosine of two texts' vectors: between -1 and 1, whatever the scale of the targets."""
    u, v = first.vector, second.vector
    lengths = math.hypot(*u) * math.hypot(*v)
    product = math.fsum(one * other for one, other in zip(u, v, strict=True))
    usage = replace(
        first.usage,
        prompt_tokens=first.usage.prompt_tokens + second.usage.prompt_tokens,
        cut_tokens=first.usage.cut_tokens + second.usage.cut_tokens,
    )
    return _number(sample, product / lengths if lengths else 0.0, usage)


def decide_labels(spec: TaskSpec, sample: Sample, response: Classified) -> Prediction:
    """The labels that are likelier than not."""
    likely = {label for label, one in zip(spec.labels, response.log_probs, strict=True) if one >= _EVEN}
    undecided = Prediction(
        sample.id, sample.target, None, "failed", response.log_probs, context=sample.context, usage=response.usage
    )
    if any(map(math.isnan, response.log_probs)):
        return replace(undecided, reason="a label's probability is not a number")
    return replace(undecided, prediction=written_labels(likely, spec.labels), status=_status(response.usage))


def _number(sample: Sample, value: float, usage: Usage) -> Prediction:
    undecided = Prediction(sample.id, sample.target, None, "failed", context=sample.context, usage=usage)
    if not math.isfinite(value):
        return replace(undecided, reason=f"{value} is no finite number")
    return replace(undecided, prediction=written_number(value), status=_status(usage))


def _status(usage: Usage) -> Answered:
    return "truncated" if usage.cut_tokens else "answered"
