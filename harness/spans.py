"""Answers that stand in a passage: where they stand, to learn from, and what a found one means."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from harness.extraction import canonical
from harness.records import Prediction

if TYPE_CHECKING:
    from harness.records import FoundSpan, Sample, TaskSpec


def written_span(spec: TaskSpec, sample: Sample) -> str | None:
    """Where the answer stands in the sample's passage, as JSON: `[start, end]` in letters, `null` for no answer.

    It is a place that the row names (the field `starts`: the letters where answers begin), or else the first place of
    the first reference that stands there, whatever its case and white space; one that stands there as whole words comes
    before one that is part of others.

    Returns:
        None where no reference stands there: nothing can be learnt from such a row.
    """
    passage, references = str(sample.fields["passage"]), sample.references or (sample.target,)
    if spec.unanswerable and spec.unanswerable in references:
        return "null"
    patterns = [r"\s+".join(map(re.escape, one.split())) for one in references if one.strip()]
    for start in _starts(sample):
        for pattern in patterns:
            if found := re.compile(pattern, re.IGNORECASE).match(passage, start):
                return json.dumps(found.span())
    for border in (r"(?<!\w){}(?!\w)", "{}"):
        for pattern in patterns:
            if found := re.search(border.format(pattern), passage, re.IGNORECASE):
                return json.dumps(found.span())
    return None


def _starts(sample: Sample) -> list[int]:
    """The letters at which answers begin, as far as the row tells them."""
    told = sample.fields.get("starts")
    return [one for one in (told if isinstance(told, list) else [told]) if isinstance(one, int) and one >= 0]


def read_span(text: str) -> tuple[int, int] | None:
    """What `written_span` wrote."""
    found = json.loads(text)
    return None if found is None else (int(found[0]), int(found[1]))


def decide_span(spec: TaskSpec, sample: Sample, response: FoundSpan) -> Prediction:
    """What was found, in the form that found answers have; where it is nothing, what the task says then."""
    answer = response.answer or spec.unanswerable
    said = canonical(answer, spec.extract.type) or None
    return Prediction(
        sample.id,
        sample.target,
        said,
        "empty" if said is None else "answered",
        text=answer,
        context=sample.context,
        usage=response.usage,
        judged=said in sample.references if sample.references else None,
    )
