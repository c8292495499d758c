"""Tags of words by a list of words: what is worth that looks at no context at all."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from harness.entities import OUTSIDE, read_entities, tags_of
from harness.errors import ModelError, TrainingError
from harness.records import Tag, Tagged
from harness.requests import as_one

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.interfaces import TrainingJob
    from harness.records import Request, Response


class WordTags:
    """Gives each word the tag that it most often has in training, of equally frequent ones the first seen; else `O`."""

    def __init__(self, job: TrainingJob) -> None:
        """Count the words' tags.

        Raises:
            TrainingError: when there are no examples.
        """
        if not job.examples:
            raise TrainingError("there are no training examples", hint="give the task a training split")
        counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for text, written in job.examples:
            words = as_one(text).split(" ")
            for word, tag in zip(words, tags_of((one for one, _ in read_entities(written)), len(words)), strict=True):
                counts[word][tag] += 1
        self.provenance: Mapping[str, str] = {"device": "cpu"}
        self._tags = {word: tags.most_common(1)[0][0] for word, tags in counts.items()}

    def run(self, requests: Sequence[Request]) -> list[Response]:
        """Answer `Tag`; no tokens are counted, since there is no tokenizer.

        Raises:
            ModelError: when a request is of another kind.
        """
        asked = [request for request in requests if isinstance(request, Tag)]
        if len(asked) < len(requests):
            raise ModelError("trained on tags of words, asked for something else")
        return [Tagged(tuple(self._tags.get(word, OUTSIDE) for word in request.text.split(" "))) for request in asked]
