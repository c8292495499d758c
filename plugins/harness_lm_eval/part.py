"""One lm-eval task with what is asked of it again and again: its rows, its filters, how often it is asked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from harness import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Part:
    """A task of lm-eval: alone, or one of a group."""

    name: str
    task: Any

    @cached_property
    def docs(self) -> Sequence[Any]:
        """The rows that are scored: the test split, or the validation split where there is none."""
        found = getattr(self.task, "task_docs", None)
        docs: Sequence[Any] = self.task.eval_docs if found is None else found
        return docs

    @property
    def config(self) -> Any:  # noqa: ANN401 - lm-eval's
        """The task's configuration."""
        return self.task.config

    @property
    def output(self) -> str:
        """What is asked for: one of lm-eval's four output types."""
        return str(self.task.OUTPUT_TYPE)

    @property
    def filters(self) -> tuple[str, ...]:
        """The names of the filter pipelines that every answer goes through."""
        return tuple(ensemble.name for ensemble in getattr(self.task, "_filters", ())) or ("none",)

    @property
    def repeats(self) -> int:
        """How often each question is asked."""
        return int(getattr(self.config, "repeats", None) or 1)

    @property
    def minds_greedy(self) -> bool:
        """Whether it may matter if a continuation is what the model would write."""
        from lm_eval.api.task import ConfigurableTask

        if self.output != "multiple_choice" or type(self.task) is not ConfigurableTask:
            return True
        return callable(self.config.process_results) or "exact_match" in self.task.aggregation()

    def demonstrations(self, asked: int | None) -> int:
        """How many stand before a question: a task that sets none never has any, as with lm-eval's --num_fewshot.

        Args:
            asked: for how many; None for as many as the task says.
        """
        own = getattr(self.config, "num_fewshot", None)
        return own or 0 if asked is None or own == 0 else asked

    @cached_property
    def pool(self) -> Sequence[Any]:
        """The rows that demonstrations are drawn from."""
        sampler = getattr(self.task, "sampler", None)
        if sampler is None:
            return list(self.task.fewshot_docs() or ())
        pool: Sequence[Any] = sampler.df
        return pool

    @property
    def draws_from_scored(self) -> bool:
        """Whether demonstrations come from the scored rows for want of others, so that one may be the question."""
        config = self.task.config
        given = self.task.fewshot_cfg if hasattr(self.task, "fewshot_cfg") else None
        named = given is not None and (given.split is not None or given.samples is not None)
        return not named and config.training_split is None and config.validation_split is None

    def target(self, doc: Any) -> str:  # noqa: ANN401 - whatever the data holds
        """The right answer: the number of a choice, or a text; several are a JSON list."""
        gold = self._rendered("doc_to_text" if getattr(self.task, "multiple_input", 0) else "doc_to_target", doc)
        if isinstance(gold, str) and self.output == "multiple_choice":
            choices = self.choices(doc)
            return str(choices.index(gold)) if gold in choices else gold
        if isinstance(gold, list | tuple):
            return json.dumps(list(gold), ensure_ascii=False, default=str)
        return str(gold)

    def choices(self, doc: Any) -> tuple[str, ...]:  # noqa: ANN401 - whatever the data holds
        """The possible answers; empty where the task ranks none."""
        if self.output != "multiple_choice" or not hasattr(self.task, "doc_to_choice"):
            return ()
        return tuple(map(str, self._rendered("doc_to_choice", doc)))

    def _rendered(self, what: str, doc: Any) -> Any:  # noqa: ANN401 - whatever the data holds
        try:
            return getattr(self.task, what)(doc)
        except Exception as error:
            raise DataError(
                f"lm-eval task {self.name!r}: {what} fails on a row: {type(error).__name__}: {error}"
            ) from error
