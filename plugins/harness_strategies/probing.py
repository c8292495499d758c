"""Linear probes: regression on embeddings of a frozen encoder (Alain & Bengio 2017, arXiv:1610.01644)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from harness.answers import classify, decide
from harness.errors import PluginError
from harness.interfaces import Adapted
from harness.records import LabelBudget
from harness.templates import render_text
from harness_strategies.drawing import SIZES, drawn_both, one_size, refuses_shots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.interfaces import Model, Setting, Sizes, TaskView
    from harness.records import Sample, TaskSpec


@dataclass(frozen=True, slots=True)
class LinearProbe:
    """Logistic regression on the model's embeddings of the task's `prompt.input`; the model itself is not changed.

    Of a pair both texts are embedded, see `harness_strategies.pairfeatures`. Numbers are learnt by ridge regression,
    sets of labels by a logistic regression for each label.

    Each dimension is standardised on the training rows. The strength of regularisation is the one with the lowest
    cross-entropy on the validation rows; where there are none, over folds of the training rows.

    Args:
        train_size: a seeded stratified draw of this many training rows, and of as many validation rows at most; all
            where it is not given.
        shots: instead, this many training rows of each label, and as many validation rows at most.
        max_iter: iterations of the solver (L-BFGS) at most.

    Raises:
        ParameterError: when both `shots` and `train_size` are given.
        PluginError: when scikit-learn is not installed.
    """

    train_size: Annotated[int, Field(ge=1)] | None = None
    max_iter: Annotated[int, Field(ge=1)] = 2000
    shots: Annotated[int, Field(ge=1)] | None = None

    reads: ClassVar[frozenset[str]] = frozenset({"train", "validation"})
    sizes: ClassVar[Sizes] = SIZES

    def __post_init__(self) -> None:
        one_size(self.shots, self.train_size)
        if find_spec("sklearn") is None:
            raise PluginError("linear-probe needs scikit-learn", hint="pip install 'adapt-harness[baselines]'")

    def refuses(self, model: Model, spec: TaskSpec) -> str | None:
        """Needs a model that embeds, and labels or numbers."""
        if spec.learnt is None:
            return f"only labels and numbers are probed, not {spec.kind}"
        if spec.learnt in {"tags", "span"}:
            return "a vector of the whole text says nothing of single words"
        return refuses_shots(spec, self.shots) if "Embed" in model.answers else "the model gives no embeddings"

    def adapt(self, model: Model, task: TaskView, setting: Setting) -> Adapted:
        """Embed the training and validation rows, or take what is kept of them, and fit.

        Raises:
            TrainingError: when the training rows have fewer than two labels.
        """
        spec = task.spec
        train, validation = drawn_both(task, self.shots, self.train_size, setting.seed)
        notes = (
            f"{len(train)} training rows, {len(validation)} validation rows: {len(train) + len(validation)} labels",
        )
        budget = LabelBudget(len(train), len(validation))
        asked = partial(classify, spec), partial(decide, spec)
        if setting.dry:
            return Adapted(*asked, notes=notes, budget=budget)
        from harness_strategies import valueprobe
        from harness_strategies.probe import Rows, fit

        def rows(samples: Sequence[Sample]) -> Rows:
            return Rows([render_text(spec, sample) for sample in samples], [sample.target for sample in samples])

        labels, both = tuple(spec.labels), (rows(train), rows(validation))
        if spec.labelled:
            trained = fit(*both, labels, model=model, setting=setting, max_iter=self.max_iter)
        elif spec.numeric:
            trained = valueprobe.fit_numbers(*both, model=model, setting=setting)
        else:
            trained = valueprobe.fit_labels(*both, labels, model=model, setting=setting, max_iter=self.max_iter)
        return Adapted(*asked, trained, notes, budget)
