"""Context conditioning: each sample's context stands before its input, in prompting and in training alike.

P(c, x) with c the label of x's context or its description (control codes: Keskar et al. 2019, arXiv:1909.05858), or
passages retrieved for x (Lewis et al. 2020, arXiv:2005.11401). Compared, on the same samples, with the strategy it
changes and with wrong contexts: the one says what contexts are worth, the other whether it is they that are used.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from harness.composition import Strategies  # noqa: TC001 - annotations of registered functions are evaluated
from harness.errors import DataError, UsageError
from harness.records import Component
from harness_strategies.given import GivenView, Labels, Retrieved, Shuffled, exchange
from harness_strategies.retrieval import check_bm25
from harness_strategies.textfile import digest_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.composition import Changed
    from harness.interfaces import Adapted, Model, Setting, Sizes, TaskView
    from harness.records import Request, Sample, TaskSpec
    from harness_strategies.given import Giver

YesNo = Literal["yes", "no"]
Shuffle = Literal["no", "yes", "random"]


def context(  # noqa: PLR0913 - what people can write
    strategies: Strategies,
    of: str = "zero-shot",
    source: Literal["label", "description", "retrieved"] = "label",
    *,
    train: YesNo = "yes",
    shuffle: Shuffle = "no",
    passages: str | None = None,
    passages_k: Annotated[int, Field(ge=1)] = 1,
    retriever: Literal["bm25", "embeddings"] = "bm25",
    **parameters: Any,  # noqa: ANN401 - those of the strategy `of`, which checks them
) -> Context:
    """Make the strategy.

    Args:
        strategies: those that are registered.
        of: the strategy that is given the context; any but this one.
        source: put the context's `label` or its `description` before the input, or passages `retrieved` for it.
        train: `no`: demonstrations and training rows have no context, scored rows have.
        shuffle: `yes` and `random` make it a control: each scored row is given another context than its own, or one
            drawn from those of the training rows.
        passages: a file to retrieve from, JSONL with `text` or texts with blank lines between; unless told, the
            training texts of the same context.
        passages_k: how many passages stand before an input.
        retriever: by words (`bm25`), or by the model's own `embeddings`.
        **parameters: those of the strategy `of`.

    Raises:
        UnknownNameError: when `of` is not registered.
        ParameterError: for a parameter that `of` does not have.
        UsageError: for parameters of retrieval where nothing is retrieved, and of training where nothing is shown.
        DataError: when the file of passages can't be read.
        PluginError: when bm25s is needed and not installed.
    """
    changed = strategies.changed(of, parameters)
    if "train" not in changed.reads and train == "no":
        raise UsageError(f"{of} sees no training rows: train=no means nothing there", hint="leave it out")
    retrieval = Retrieval(passages, passages_k, retriever, digest_of(passages, "passages") if passages else "")
    if source == "retrieved":
        if retriever == "bm25":
            check_bm25()
        if shuffle == "random":
            raise UsageError("wrong passages are those near a row that is drawn anyway", hint="write shuffle=yes")
    elif retrieval != Retrieval():
        raise UsageError("passages are retrieved with source=retrieved alone", hint="add source=retrieved")
    return Context(source, changed, train == "yes", shuffle, retrieval)


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Where passages come from, how many, and how they are found; the digest of the file is part of a trial's key."""

    passages: str | None = None
    k: int = 1
    by: Literal["bm25", "embeddings"] = "bm25"
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """A strategy given the contexts, or wrong ones; its baselines are the same strategy without, and with wrong ones.

    What is given stands in the text, so a strategy has to see how the two work together where a label depends on both:
    models that attend do; a linear probe does as far as the embedding of the joined text holds their interaction. The
    mean of vectors of single words doesn't: it adds them up.
    """

    source: Literal["label", "description", "retrieved"]
    changed: Changed
    trained: bool = True
    shuffle: Shuffle = "no"
    retrieval: Retrieval = field(default_factory=Retrieval)

    @property
    def reads(self) -> frozenset[str]:
        """What the changed strategy reads; the training rows too where contexts or passages come from them."""
        own = self.source == "retrieved" and self.retrieval.passages is None
        return self.changed.reads | ({"train"} if own or self._exchanges else set())

    @property
    def control(self) -> bool:
        """Whether it hands out wrong contexts, or changes a control."""
        return self.shuffle != "no" or self.changed.control

    @property
    def models(self) -> tuple[Component, ...]:
        """The models that the changed strategy uses beside the one that it adapts."""
        return self.changed.models

    @property
    def sizes(self) -> Sizes | None:
        """The changed strategy's."""
        return getattr(self.changed.strategy, "sizes", None)

    @property
    def prompts(self) -> bool:
        """Whether the changed strategy does."""
        return bool(getattr(self.changed.strategy, "prompts", False))

    @property
    def baselines(self) -> tuple[Component, ...]:
        """The strategy without contexts, whose gain is what contexts are worth; and those with wrong contexts."""
        without = self.changed.component
        if self.shuffle != "no":
            return (without,)
        told: dict[str, Any] = {"of": self.changed.of, "source": self.source, "train": "yes" if self.trained else "no"}
        if self.source == "retrieved":
            kept = self.retrieval
            file = {} if kept.passages is None else {"passages": kept.passages}
            told |= {**file, "passages_k": kept.k, "retriever": kept.by}
        ways = ("yes",) if self.source == "retrieved" else ("yes", "random")
        controls = ({**told, "shuffle": way, **self.changed.parameters} for way in ways)
        return without, *(Component("context", None, parameters) for parameters in controls)

    @property
    def _exchanges(self) -> bool:
        return self.shuffle != "no" and self.source != "retrieved"

    def refuses(self, model: Model, spec: TaskSpec) -> str | None:
        """Needs samples with a context (or to retrieve one) and a pair that works without it."""
        if self.source != "retrieved" and not spec.has_context:
            return "the task's samples have no context"
        if spec.reads:
            return "a text to be predicted is read as it is, without a context before it"
        if self.source == "description" and not spec.contexts:
            return "the task does not describe its contexts"
        if self.source == "retrieved" and self.retrieval.by == "embeddings" and "Embed" not in model.answers:
            return "the model gives no embeddings to retrieve by"
        return self.changed.strategy.refuses(model, spec)

    def adapt(self, model: Model, task: TaskView, setting: Setting) -> Adapted:
        """Adapt the changed strategy to the conditioned task, and give the scored samples their contexts.

        Raises:
            DataError: when there is nothing to retrieve from, or no context to exchange for another.
        """
        if setting.dry and self.source == "retrieved" and self.retrieval.by == "embeddings":
            raise UsageError("passages found by embeddings are not shown: that would load the model")
        giver = self._giver(model, task, setting)
        view = GivenView(task.conditioned(self.source), giver, self.trained)
        adapted = self.changed.strategy.adapt(model, view, setting)
        give = giver.own if self.shuffle == "no" else giver.wrong

        def requests(sample: Sample) -> Sequence[Request]:
            return adapted.requests(give(sample))

        def prepare(samples: Sequence[Sample]) -> None:
            giver.prepare(samples, wrong=self.shuffle != "no")
            if adapted.prepare is not None:
                adapted.prepare([give(sample) for sample in samples])

        notes, budget = adapted.notes, adapted.budget
        if isinstance(giver, Retrieved):
            notes = (*notes, f"{self.retrieval.k} of {giver.size} passages before each input, by {self.retrieval.by}")
        if giver.unlabelled > budget.unlabelled + budget.train:
            budget = dataclasses.replace(budget, unlabelled=giver.unlabelled - budget.train)
        return dataclasses.replace(adapted, requests=requests, notes=notes, budget=budget, prepare=prepare)

    def _giver(self, model: Model, task: TaskView, setting: Setting) -> Giver:
        if self.source == "retrieved":
            kept = self.retrieval
            return Retrieved(task, kept.passages, kept.k, kept.by, model, setting)
        if self.shuffle == "no":
            return Labels({}, setting.seed)
        rows = task.samples("train")
        said = [row.context for row in rows if row.context is not None]
        if self.source == "description":
            said = [context for context in said if context in task.spec.contexts]
        known = set(said)
        if len(known) < 2:
            raise DataError(
                f"there are no wrong contexts to hand out: the training rows have {len(known)}",
                hint="leave out shuffle=yes",
            )
        if self.shuffle == "random":
            return Shuffled({}, setting.seed, len(rows), said)
        return Labels(exchange(known, setting.seed), setting.seed, len(rows))
