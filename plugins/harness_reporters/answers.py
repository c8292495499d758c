"""A trial's single answers as columns of plain values, with what was asked: what the page's sample browser reads.

Texts stand once in a table of their own, which the trials of one task share: a demonstration is in hundreds of prompts,
a question is asked by every model.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.records import (
    Classify,
    Embed,
    EmbedTokens,
    FillMask,
    FindSpan,
    Generate,
    LogLikelihood,
    Regress,
    RollingLogLikelihood,
    Tag,
)
from harness.requests import as_one
from harness_reporters.drawing import ALL
from harness_reporters.showing import Showing, alone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.interfaces import Evidence
    from harness.records import Prediction, Request, TrialResult
    from harness_reporters.diagnosis import Diagnosis
    from harness_reporters.drawing import Draw
    from harness_reporters.pairs import Right

ENOUGH = 40_000_000
"""Characters of texts in one table: what more would be asked is left out, so that the file can still be sent."""

WITHOUT_TEXTS = "texts are left out of this file"
LEFT_OUT = "left out, to keep this file small: `harness show` prints what is asked"

AS_LABELS = Showing()

Json = dict[str, Any]


class Texts:
    """Texts and lists of them, each kept once and named by its number."""

    def __init__(self) -> None:
        self._texts: dict[str, int] = {}
        self._lists: dict[tuple[int, ...], int] = {}
        self.size = 0

    def text(self, text: str | None) -> int:
        """A text's number; -1 for none."""
        if text is None:
            return -1
        if text not in self._texts:
            self._texts[text] = len(self._texts)
            self.size += len(text)
        return self._texts[text]

    def several(self, texts: Sequence[str]) -> int:
        """The number of a list of texts."""
        return self._lists.setdefault(tuple(map(self.text, texts)), len(self._lists))

    def data(self) -> Json:
        """All of them, in the order of their numbers."""
        return {"texts": list(self._texts), "lists": [list(numbers) for numbers in self._lists]}


def answers(  # noqa: PLR0913 - what is read, how it is shown, and those who count it
    result: TrialResult,
    evidence: Evidence,
    texts: Texts,
    diagnosis: Diagnosis,
    showing: Showing = AS_LABELS,
    *,
    draw: Draw = ALL,
    right: Right | None = None,
) -> Json | None:
    """The answers of a trial to the samples that are drawn, `of` all; None where there are none.

    All of them are counted in `diagnosis` and `right` as well. Whether an answer is right is told by its being the
    target's text; `judged` has those of which that is not so.
    """
    said = evidence.predictions(result.trial.key)
    found: Json = {name: [] for name in ("ids", "targets", "answers", "status", "contexts", "said", "scores", "usage")}
    rare: Json = {"reasons": {}, "ms": {}, "judged": {}}
    scores = alone(evidence, result.trial.key, showing.by)
    singly: list[float | None] = []
    for place, one in enumerate(said):
        score = scores[place] if scores is not None and place < len(scores) else None
        diagnosis.add(one, score)
        if right is not None:
            right.add(one)
        if not draw.has(one.sample_id):
            continue
        number = len(found["ids"])
        _append(found, rare, number, one, texts, showing)
        singly.append(None if score is None else _short(score))
        counts = one.correct if score is None else score == 1
        if showing.judged and counts != (found["answers"][-1] == found["targets"][-1]):
            rare["judged"][number] = counts
    if not found["ids"]:
        return None
    if scores is not None and not showing.judged:
        found["alone"] = singly
    if draw.is_part:
        found["of"] = len(said)
    return found | rare | _asked(result, evidence, found["ids"], texts, showing)


def _append(found: Json, rare: Json, number: int, one: Prediction, texts: Texts, showing: Showing) -> None:
    usage = one.usage
    found["ids"].append(one.sample_id)
    found["targets"].append(texts.text(showing.brief(one.target)))
    found["answers"].append(texts.text(showing.brief(one.prediction)))
    found["status"].append(one.status[0] if one.status != "answered" else "")
    found["contexts"].append(texts.text(one.context))
    found["said"].append(texts.text(one.text if showing.texts else None))
    found["scores"].append([_short(score) for score in one.scores])
    found["usage"].append([usage.prompt_tokens, usage.output_tokens, usage.dropped_demonstrations, usage.cut_tokens])
    if one.reason and (showing.texts or one.status == "failed"):  # the others may quote what was written
        rare["reasons"][number] = one.reason
    if one.latency_ms is not None:
        rare["ms"][number] = _short(one.latency_ms)


def _asked(result: TrialResult, evidence: Evidence, ids: Sequence[str], texts: Texts, showing: Showing) -> Json:
    """What was asked, sample by sample as `ids` has them; or why that is not told."""
    try:
        asked = evidence.asked(result.trial)
        if not showing.texts:
            return {"labels": list(asked.labels), "untold": WITHOUT_TEXTS}
        requests = dict.fromkeys(ids)
        for sample, several in asked.samples:
            if sample in requests:
                if texts.size > ENOUGH:
                    return {"labels": list(asked.labels), "untold": LEFT_OUT}
                requests[sample] = [_request(request, texts) for request in several]
    except HarnessError as error:
        return {"labels": [], "untold": str(error)}
    # A note that it did not give when it ran says what could not be made again without the model.
    caveats = [note for note in asked.notes if note not in result.notes]
    return {"labels": list(asked.labels), "asked": list(requests.values()), "caveats": caveats}


def _request(request: Request, texts: Texts) -> list[Any]:
    """Kind, number of the list of what stands before the question, of the question, of the answers, of what follows."""
    kind = type(request).__name__
    if isinstance(request, Classify | Tag):
        return [kind, -1, texts.text(as_one(request.text)), texts.several(request.labels), -1]
    if isinstance(request, Embed | EmbedTokens | Regress | FindSpan | RollingLogLikelihood):
        return [kind, -1, texts.text(as_one(request.text)), -1, -1]
    prompt = request.prompt
    kind += {"message": ", in a chat template", "turns": ", as turns of a chat"}.get(prompt.chat, "")
    before = texts.several([prompt.instruction, *prompt.demonstrations])
    if isinstance(request, FillMask):
        return [kind, before, texts.text(prompt.query), texts.several(request.fillings), texts.text(request.after)]
    answered = texts.several(request.continuations) if isinstance(request, LogLikelihood) else -1
    assert isinstance(request, LogLikelihood | Generate)  # noqa: S101 - the kinds that are left
    return [kind, before, texts.text(prompt.query), answered, -1]


def _short(value: float) -> float | None:
    """Five digits: nobody reads more, and they halve the file."""
    return float(f"{value:.5g}") if isfinite(value) else None
