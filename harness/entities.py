"""Entities of a sentence: read from tags and from what a model wrote, written as targets and predictions have them.

An entity is a type and a run of words. Targets and predictions are JSON lists of `[type, start, end, words]` in the
order of their starts; words are counted from 0, and `end` is the first behind it. What a model names that does not
stand in the sentence has -1 for both: it is an answer, and a wrong one.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

from harness.extraction import written
from harness.records import Prediction
from harness.values import NONE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from harness.records import Answered, Sample, Tagged, TaskSpec

OUTSIDE = "O"
"""The tag of a word that is part of no entity."""
NOWHERE = -1
_ALONE, _LAST = {"S", "U"}, {"E", "L"}
_TAG = re.compile(r"([BIESLU])-(.+)")


class Entity(NamedTuple):
    """A run of words of a type: from `start` to the one before `end`."""

    type: str
    start: int
    end: int


# --- tags ------------------------------------------------------------------------------------------


def tags_of(entities: Iterable[Entity], words: int) -> list[str]:
    """A tag a word by IOB2: `B-` begins an entity, `I-` goes on with it (Tjong Kim Sang & Veenstra 1999)."""
    tags = [OUTSIDE] * words
    for one in entities:
        for at in range(max(one.start, 0), min(one.end, words)):
            tags[at] = f"{'B' if at == one.start else 'I'}-{one.type}"
    return tags


def tag_names(types: Iterable[str]) -> tuple[str, ...]:
    """All tags by IOB2 for these types."""
    return (OUTSIDE, *(f"{prefix}-{one}" for one in types for prefix in "BI"))


def entities_of(tags: Sequence[str]) -> list[Entity]:
    """The entities of tags by IOB1, IOB2, IOBES or BILOU, as CoNLL's script (Tjong Kim Sang & Buchholz 2000).

    An entity begins at a tag that says so, and wherever a tag goes on with what is not there before it.

    Raises:
        ValueError: when a tag is none of these.
    """
    found, start, before = list[Entity](), 0, ("O", "")
    for at, tag in enumerate((*tags, OUTSIDE)):
        prefix, type_ = _parts(tag)
        inside = before[0] != OUTSIDE
        ends = before[0] in _ALONE | _LAST or before[1] != type_
        if inside and (prefix in {"B", OUTSIDE} | _ALONE or ends):
            found.append(Entity(before[1], start, at))
            inside = False
        if prefix != OUTSIDE and not inside:
            start = at
        before = (prefix, type_)
    return found


def types_in(tags: Iterable[str]) -> list[str]:
    """The types of different tags, sorted; none where one of them is no tag."""
    try:
        parts = {_parts(tag) for tag in tags}
    except ValueError:
        return []
    return sorted({type_ for prefix, type_ in parts if prefix != OUTSIDE})


def _parts(tag: str) -> tuple[str, str]:
    if tag == OUTSIDE:
        return OUTSIDE, ""
    match = _TAG.fullmatch(tag)
    if match is None:
        raise ValueError(f"{tag!r} is no tag: O, or one of B-, I-, E-, S-, L- and U- with a type")
    return match[1], match[2]


# --- targets and predictions -----------------------------------------------------------------------


def written_entities(entities: Iterable[Entity], tokens: Sequence[str], others: Iterable[tuple[str, str]] = ()) -> str:
    """Entities as targets and predictions have them.

    Args:
        entities: of the sentence.
        tokens: its words.
        others: types and words that don't stand in it.
    """
    said = [[*one, " ".join(tokens[one.start : one.end])] for one in sorted(entities, key=lambda one: one[1:])]
    return json.dumps([*said, *([type_, NOWHERE, NOWHERE, words] for type_, words in others)], ensure_ascii=False)


def read_entities(text: str) -> list[tuple[Entity, str]]:
    """The entities that `written_entities` wrote, with their words.

    Raises:
        ValueError: when it is no list of them.
    """
    try:
        return [(Entity(str(type_), int(start), int(end)), str(words)) for type_, start, end, words in json.loads(text)]
    except TypeError as error:
        raise ValueError(f"{text[:60]!r} is no list of entities") from error


def moved(text: str, by: int) -> str:
    """Written entities of a text that has so many more words before them."""
    found = read_entities(text)
    return json.dumps([[one.type, one.start + by, one.end + by, words] for one, words in found], ensure_ascii=False)


def types_of(text: str) -> list[str]:
    """The types of written entities, each as often as it occurs."""
    return [one.type for one, _ in read_entities(text)]


def tokens_of(sample: Sample) -> tuple[str, ...]:
    """The words of a sample's sentence."""
    return tuple(sample.fields["tokens"])


# --- what models say -------------------------------------------------------------------------------


def said_entities(spec: TaskSpec, target: str) -> str:
    """Entities as a model would say them: `person: Ada Lovelace; place: London`."""
    return "; ".join(f"{spec.labels[one.type].strip()}: {words}" for one, words in read_entities(target)) or NONE


def find_entities(spec: TaskSpec, sample: Sample, text: str) -> str | None:
    """The entities that a generated text names, where they stand in the sentence; None where it names none at all.

    What is named stands where its words do, whatever their case and white space: the first place that is free. What
    stands nowhere is a wrong answer; what is named more often than it stands there is one answer less.
    """
    found = [one for one in written(spec.extract, text) if one.strip()]
    if not found:
        return None
    answer = found[0] if spec.extract.take == "first" else found[-1]
    named = list(_named(spec, answer))
    if not named:
        return "[]" if re.match(rf"\W*{NONE}\b", answer, re.IGNORECASE) else None
    tokens = tokens_of(sample)
    pieces = [_folded(one) for one in tokens]
    placed, taken, nowhere = list[Entity](), set[int](), dict[tuple[str, str], None]()
    for type_, words in named:
        spans = list(_spans(pieces, _folded(words)))
        free = next((span for span in spans if taken.isdisjoint(range(*span))), None)
        if free:
            placed.append(Entity(type_, *free))
            taken.update(range(*free))
        elif not spans:
            nowhere[type_, " ".join(words.split())] = None
    return written_entities(placed, tokens, nowhere)


def decide_tags(sample: Sample, response: Tagged) -> Prediction:
    """The entities of a trained engine's tags; those of words before the sentence are left out."""
    tokens = tokens_of(sample)
    entities = entities_of(response.tags[len(response.tags) - len(tokens) :])
    status: Answered = "truncated" if response.usage.cut_tokens else "answered"
    said = written_entities(entities, tokens)
    return Prediction(sample.id, sample.target, said, status, context=sample.context, usage=response.usage)


def _named(spec: TaskSpec, answer: str) -> Iterator[tuple[str, str]]:
    """Types and words, as a text names them: `type: words`, with semicolons or line ends between."""
    said = {_folded(words): label for label, words in spec.labels.items()}
    for piece in re.split(r"[;\n]", answer):
        type_, colon, words = piece.partition(":")
        label = said.get(_folded(type_.strip(" \t-*•\"'`")))
        if colon and label is not None and _folded(words) not in {"", NONE}:
            yield label, words.strip()


def _spans(pieces: Sequence[str], wanted: str) -> Iterator[tuple[int, int]]:
    """Where these letters stand as whole words."""
    for start in range(len(pieces)):
        read = ""
        for end in range(start, len(pieces)):
            read += pieces[end]
            if not wanted.startswith(read):
                break
            if read == wanted:
                yield start, end + 1
                break


def _folded(text: str) -> str:
    return "".join(text.casefold().split())
