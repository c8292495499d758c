"""Which solved training rows are shown before a question: a selector and an order at work."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from harness.errors import ParameterError
from harness.promptparts import Pool, SearchesTogether
from harness.records import LabelBudget
from harness.templates import render_input
from harness_strategies.prompted import Demonstrations
from harness_strategies.retrieval import Encoder
from harness_strategies.selection import First

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.interfaces import Model, Setting
    from harness.promptparts import FindsParts, Order, Search, Selector
    from harness.records import Sample, TaskSpec


@dataclass(frozen=True, slots=True)
class Choice:
    """How demonstrations are chosen.

    Attributes:
        k: how many.
        select: the selector's name.
        selector: chooses them, or makes the search that will.
        order: puts them into their order.
        encoder: the model that embeds, where another than the adapted one is named.
    """

    k: int
    select: str
    selector: Selector
    order: Order
    encoder: str | None

    @classmethod
    def found(cls, parts: FindsParts, k: int, select: str, order: str, encoder: str | None) -> Self:
        """Look the parts up.

        Raises:
            UnknownNameError: for a part that nobody has registered.
            ParameterError: for parts that make no sense together.
        """
        choice = cls(k, select, parts.part("selector", select), parts.part("order", order), encoder)
        if choice.order.by_similarity and not choice.selector.searches:
            raise ParameterError(
                f"order={order} needs a search (select=bm25 or knn): select={select} compares with no sample"
            )
        if encoder is not None and not choice.selector.embeds:
            raise ParameterError(f"encoder={encoder} has no use: select={select} embeds nothing")
        return choice

    def refuses(self, model: Model) -> str | None:
        """Why demonstrations can't be chosen so with a model; None where they can."""
        if self.selector.embeds and self.encoder is None and "Embed" not in model.answers:
            return f"select={self.select} needs embeddings, which the model does not give: name an encoder"
        return None


def chosen(choice: Choice, model: Model, pool: Sequence[Sample], spec: TaskSpec, setting: Setting) -> Demonstrations:
    """Choose from training rows that repeat no scored row, or get ready to choose for each sample."""
    few = () if len(pool) >= choice.k else (f"{len(pool)} demonstrations: the training rows are no more than that",)
    selector = choice.selector
    if selector.embeds and setting.dry:
        selector = First()
        few = (*few, f"the first training rows are shown: select={choice.select} asks an encoder, which is not loaded")
    encoder = Encoder(model, choice.encoder, setting) if selector.embeds else None
    rng = random.Random(f"few-shot {setting.seed}")
    held = Pool(spec, pool, lambda: [render_input(spec, one) for one in pool], rng, encoder)
    found = selector.select(held, choice.k) if len(pool) else []
    if not isinstance(found, list):
        if encoder is not None:
            encoder.load()
        return _searched(found, choice, pool, spec, setting.seed, few)
    put = choice.order.order(found, similar=False, seed=setting.seed, name="")
    shown = tuple(pool[at] for at in put)
    # The other rows were looked at without their labels, where their embeddings were compared.
    others = len(pool) - len(shown) if choice.selector.embeds else 0
    notes = few or _uneven(choice, shown, pool, spec)
    return Demonstrations(shown, budget=LabelBudget(len(shown), unlabelled=others), notes=notes)


def _uneven(choice: Choice, shown: Sequence[Sample], pool: Sequence[Sample], spec: TaskSpec) -> tuple[str, ...]:
    """What is to be said of labels that have too few training rows for demonstrations to be balanced."""
    if choice.select != "balanced" or not spec.labelled:
        return ()
    counts = Counter(sample.target for sample in shown)
    most = max(counts.values(), default=0)
    lacking = {label for label in spec.labels if counts[label] < most - 1}
    rows = Counter(sample.target for sample in pool if sample.target in lacking)
    if not lacking:
        return ()
    said = ", ".join(f"{label} {rows[label]}" for label in spec.labels if label in lacking)
    return (f"demonstrations are not balanced, since some labels have too few training rows: {said}",)


def _searched(
    found: Search, choice: Choice, pool: Sequence[Sample], spec: TaskSpec, seed: int, notes: tuple[str, ...]
) -> Demonstrations:
    """Demonstrations of each sample by itself; all training labels are known to the search."""

    def search(sample: Sample) -> tuple[Sample, ...]:
        near = found.nearest(sample, render_input(spec, sample), choice.k)
        put = choice.order.order(near, similar=True, seed=seed, name=sample.id)
        return tuple(pool[at] for at in put)

    def prepare(samples: Sequence[Sample]) -> None:
        if isinstance(found, SearchesTogether):
            found.prepare([render_input(spec, one) for one in samples])

    return Demonstrations((), search, prepare, LabelBudget(len(pool)), notes)
