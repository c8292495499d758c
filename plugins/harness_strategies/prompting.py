"""Zero-shot and few-shot prompting: argmax of log p(v(y) | P(x)), or a generated answer (Brown et al. 2020).

A prompt strategy is made of five parts that know nothing of one another: the task's template with its verbalizer, a
selector and an order of demonstrations, a scorer and a calibrator.

A masked language model is asked by cloze: argmax of log p([MASK] = v(y) | P(x) [MASK]) (Schick & Schuetze 2021).
"""

from __future__ import annotations

import dataclasses
import random
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from harness.answers import classify, decide, fills
from harness.errors import ParameterError
from harness.interfaces import Adapted, Chats, ExplainsItself, Sizes
from harness.records import Chat, Component, LabelBudget
from harness.templates import render_input
from harness_strategies.calibration import Calibration, refuses_calibration
from harness_strategies.ordering import Order, ordered
from harness_strategies.prompted import Demonstrations, Parts, adapted
from harness_strategies.retrieval import Encoder, models_of
from harness_strategies.scorers import Scoring, refuses_scoring
from harness_strategies.selection import EMBEDS, SEARCHES, SELECTORS, Pool, Select

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.interfaces import Model, Setting, TaskView
    from harness.records import RequestKind, Sample, TaskSpec


OWN_PROMPTS = "the task makes its own prompts and chooses its demonstrations"


@dataclass(frozen=True, slots=True)
class ZeroShot:
    """The task's prompt, and nothing else. A model that classifies by itself is given the bare input instead.

    Args:
        scoring: how a choice is scored, see `harness_strategies.scorers`.
        calibrate: what is taken off the scores, see `harness_strategies.calibration`.
        calibration_texts: unlabelled training texts of `calibrate=batch`, at most.
        chat: how a chat template is used, see `harness.records.Prompt`.
    """

    scoring: Scoring = "sum"
    calibrate: Calibration = "none"
    calibration_texts: Annotated[int, Field(ge=1)] = 128
    chat: Chat = "auto"

    prompts: ClassVar[bool] = True

    @property
    def reads(self) -> frozenset[str]:
        """The prompt; for `calibrate=batch` texts of the training split too."""
        return frozenset({"prompt", "train"} if self.calibrate == "batch" else {"prompt"})

    @property
    def demonstrations(self) -> int:
        """None, on a task that asks by itself too."""
        return 0

    @property
    def baseline(self) -> Component | None:
        """Of a calibrated one the same without calibration."""
        return _uncalibrated("zero-shot", self)

    def refuses(self, model: Model, spec: TaskSpec) -> str | None:
        """Needs log-likelihoods, fillings or generation, or a model that classifies untrained."""
        if spec.kind == "external":
            return None if self == ZeroShot() else f"{OWN_PROMPTS}: zero-shot changes nothing of them"
        if self._is_given_inputs(model, spec):
            return None
        return _refuses_prompt(model, spec) or _refuses_parts(self, model, spec)

    def _is_given_inputs(self, model: Model, spec: TaskSpec) -> bool:
        plain = self.scoring == "sum" and self.calibrate == "none" and self.chat in {"auto", "none"}
        return plain and _classifies(model, spec)

    def adapt(self, model: Model, task: TaskView, setting: Setting) -> Adapted:
        """Nothing is trained; a calibrator asks the model."""
        if self._is_given_inputs(model, task.spec):
            return Adapted(partial(classify, task.spec), partial(decide, task.spec))
        pool = task.samples("train") if "train" in self.reads else ()
        parts = Parts(self.scoring, self.calibrate, self.calibration_texts, self.chat)
        return adapted(model, task.spec, Demonstrations(), parts, pool, setting)


@dataclass(frozen=True, slots=True)
class FewShot:
    """P = D_1 sep ... D_k sep P(x): k solved training rows before every question.

    Args:
        k: number of demonstrations.
        select: how they are chosen, see `harness_strategies.selection`; `bm25` and `knn` choose for each sample.
        order: how they stand, see `harness_strategies.ordering`.
        encoder: the model that embeds, for `knn`, `diverse` and `votek`; the adapted one itself unless told.
        scoring: as in `zero-shot`, likewise the next two.
        calibrate: see `zero-shot`.
        calibration_texts: see `zero-shot`.
        chat: see `zero-shot`.

    Raises:
        ParameterError: for parts that make no sense together.
    """

    k: Annotated[int, Field(ge=1)] = 8
    select: Select = "balanced"
    order: Order = "auto"
    encoder: str | None = None
    scoring: Scoring = "sum"
    calibrate: Calibration = "none"
    calibration_texts: Annotated[int, Field(ge=1)] = 128
    chat: Chat = "auto"

    reads: ClassVar[frozenset[str]] = frozenset({"prompt", "train"})
    prompts: ClassVar[bool] = True

    def __post_init__(self) -> None:
        searches = self.select in SEARCHES
        if self.order.startswith("similar") and not searches:
            raise ParameterError(
                f"order={self.order} needs a search (select=bm25 or knn): select={self.select} compares with no sample"
            )
        if self.encoder is not None and self.select not in EMBEDS:
            raise ParameterError(f"encoder={self.encoder} has no use: select={self.select} embeds nothing")
        if self.calibrate == "contextual" and searches:
            raise ParameterError(
                f"calibrate=contextual needs one prompt for all samples, and select={self.select} makes one for each",
                hint="use calibrate=batch",
            )

    @property
    def sizes(self) -> Sizes | None:
        """The number of demonstrations; a search for each sample knows of every training label, whatever `k` is."""
        return None if self.select in SEARCHES else Sizes(rows="k")

    @property
    def demonstrations(self) -> int:
        """How many a task that asks by itself shows; it chooses them."""
        return self.k

    @property
    def models(self) -> tuple[Component, ...]:
        """The encoder."""
        return models_of(self.encoder)

    @property
    def baseline(self) -> Component | None:
        """Of a calibrated one the same without calibration; of `select=knn` the plain vote of the same neighbours."""
        if self.calibrate == "none" and self.select == "knn":
            return Component("knn", None, {"k": self.k, "encoder": self.encoder})
        return _uncalibrated("few-shot", self)

    def refuses(self, model: Model, spec: TaskSpec) -> str | None:
        """Needs log-likelihoods, fillings or generation; embeddings for some selectors."""
        if spec.kind == "external":
            return None if self == FewShot(self.k) else f"{OWN_PROMPTS}: few-shot says their number alone, k={self.k}"
        if self.select in EMBEDS and self.encoder is None and "Embed" not in model.answers:
            return f"select={self.select} needs embeddings, which the model does not give: name an encoder"
        return _refuses_prompt(model, spec) or _refuses_parts(self, model, spec)

    def adapt(self, model: Model, task: TaskView, setting: Setting) -> Adapted:
        """Choose the demonstrations, or get ready to: from the training rows that repeat no scored row."""
        pool = task.samples("train")
        shown = self._demonstrations(model, pool, task.spec, setting)
        parts = Parts(self.scoring, self.calibrate, self.calibration_texts, self.chat)
        return adapted(model, task.spec, shown, parts, pool, setting)

    def _demonstrations(self, model: Model, pool: Sequence[Sample], spec: TaskSpec, setting: Setting) -> Demonstrations:
        few = () if len(pool) >= self.k else (f"{len(pool)} demonstrations: the training rows are no more than that",)
        select = self.select
        if select in EMBEDS and setting.dry:
            select = "first"
            few = (
                *few,
                f"the first training rows are shown: select={self.select} asks an encoder, which is not loaded",
            )
        encoder = Encoder(model, self.encoder, setting) if select in EMBEDS else None
        rng = random.Random(f"few-shot {setting.seed}")
        held = Pool(spec, pool, lambda: [render_input(spec, one) for one in pool], rng, encoder)
        found = SELECTORS[select](held, self.k) if len(pool) else []
        if isinstance(found, list):
            put = ordered(found, self.order, similar=False, seed=setting.seed, name="")
            chosen = tuple(pool[at] for at in put)
            # The other rows were looked at without their labels, where their embeddings were compared.
            others = len(pool) - len(chosen) if select in EMBEDS else 0
            return Demonstrations(chosen, None, LabelBudget(len(chosen), unlabelled=others), few)

        def search(sample: Sample) -> tuple[Sample, ...]:
            near = found.nearest(sample, render_input(spec, sample), self.k)
            put = ordered(near, self.order, similar=True, seed=setting.seed, name=sample.id)
            return tuple(pool[at] for at in put)

        return Demonstrations((), search, LabelBudget(len(pool)), few)


def _uncalibrated(name: str, strategy: ZeroShot | FewShot) -> Component | None:
    if strategy.calibrate == "none":
        return None
    parameters = dataclasses.asdict(dataclasses.replace(strategy, calibrate="none", calibration_texts=128))
    return Component(name, None, parameters)


def _classifies(model: Model, spec: TaskSpec) -> bool:
    return spec.kind == "classification" and "Classify" in model.answers and "LogLikelihood" not in model.answers


def _refuses_prompt(model: Model, spec: TaskSpec) -> str | None:
    needed: RequestKind = "Generate" if spec.kind == "generation" else "LogLikelihood"
    if needed in model.answers or (needed == "LogLikelihood" and fills(model.answers)):
        return None
    said = "text can't be generated with it" if needed == "Generate" else "it gives no log-likelihoods of answers"
    if needed == "LogLikelihood" and isinstance(model, ExplainsItself):
        said = model.lacks("FillMask") or said
    return f"the model can't be prompted: {said}"


def _refuses_parts(strategy: ZeroShot | FewShot, model: Model, spec: TaskSpec) -> str | None:
    return (
        refuses_scoring(strategy.scoring, spec, model.answers)
        or refuses_calibration(strategy.calibrate, spec, strategy.scoring)
        or _refuses_chat(strategy, model)
    )


def _refuses_chat(strategy: ZeroShot | FewShot, model: Model) -> str | None:
    if strategy.chat in {"auto", "none"}:
        return None
    if strategy.scoring == "channel":
        return f"scoring=channel scores the question, which chat={strategy.chat} gives to the user"
    if isinstance(model, Chats) and model.chats:
        return None
    return f"chat={strategy.chat} needs a chat template, which the model does not have"
