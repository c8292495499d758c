"""What stands before each question, demonstrations included: lm-eval draws those of one row after those of another.

One stream of random numbers runs through all rows in their order, so what a row is shown depends on those before it.
The draws are made for all rows once, without rendering any; then each row can be rendered alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness_lm_eval.part import Part

SEED = 1234
"""lm-eval's own seed of demonstrations: seed 0 draws what it draws; another seed is added to it."""


class Contexts:
    """The contexts of one task's rows.

    Args:
        part: the task.
        shots: demonstrations before each question.
        seed: the trial's.

    Raises:
        DataError: when they can't be drawn.
    """

    def __init__(self, part: Part, shots: int, seed: int) -> None:
        self._part = part
        self._shots = shots
        self._drawn: list[Sequence[Any]] = []
        self._rendered: list[Any] = []
        part.task.set_fewshot_seed(SEED + seed)
        if shots:
            try:
                self._draw()
            except (AssertionError, ValueError, NotImplementedError) as error:
                raise DataError(
                    f"lm-eval task {part.name!r}: {shots} demonstrations can't be drawn: {error or 'not implemented'}"
                ) from error

    @property
    def shown(self) -> int:
        """How many different rows are shown as demonstrations; all that there are where that is not known."""
        if self._shots and not self._drawn:
            return len(self._part.pool)
        return len({id(one) for drawn in self._drawn for one in drawn})

    def of(self, number: int) -> Any:  # noqa: ANN401 - a text, or a list of them where each choice has its own
        """The context of a row, by its number."""
        if self._rendered:
            return self._rendered[number]
        if not self._drawn:
            return self._render(self._part.docs[number])
        own = self._part.task.sampler
        self._part.task.sampler = _Drawn(self._drawn[number])
        try:
            return self._render(self._part.docs[number])
        finally:
            self._part.task.sampler = own

    def _draw(self) -> None:
        from lm_eval.api.task import ConfigurableTask

        task, docs = self._part.task, self._part.docs
        if getattr(type(task), "fewshot_context", None) is not ConfigurableTask.fewshot_context:
            self._rendered = [self._render(doc) for doc in docs]  # whatever it draws, it draws in this order
            return
        same = task.fewshot_cfg.split == task.config.test_split  # then no row is shown itself
        rows = iter(docs) if same else (None for _ in range(len(docs)))
        self._drawn = [task.sampler.sample(n=self._shots, eval_doc=doc) for doc in rows]

    def _render(self, doc: Any) -> Any:  # noqa: ANN401 - see `of`
        task = self._part.task
        return task.fewshot_context(doc, num_fewshot=self._shots, gen_prefix=task.doc_to_prefix(doc))


class _Drawn:
    """A sampler that has drawn already."""

    def __init__(self, docs: Sequence[Any]) -> None:
        self._docs = docs

    def sample(self, **_: Any) -> Sequence[Any]:  # noqa: ANN401 - lm-eval's arguments, which change nothing now
        """What was drawn."""
        return self._docs
