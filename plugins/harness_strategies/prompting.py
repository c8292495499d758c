"""Zero-shot and few-shot prompting: argmax of log p(v(y) | P(x)), or a generated answer (Brown et al. 2020).

A prompt strategy is made of five parts that know nothing of one another: the task's template with its verbalizer, a
selector and an order of demonstrations, a scorer and a calibrator. All but the template are registered names.

A masked language model is asked by cloze: argmax of log p([MASK] = v(y) | P(x) [MASK]) (Schick & Schuetze 2021).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from harness.answers import classify, compare, decide, fills, read
from harness.components import parameters_of
from harness.errors import ParameterError
from harness.interfaces import Adapted, Chats, ExplainsItself, Sizes
from harness.promptparts import FindsParts  # noqa: TC001 - the core evaluates the annotations of parameters
from harness.records import Chat, Component
from harness.templates import alike
from harness_strategies.builtin import OWN
from harness_strategies.demonstrations import Choice, chosen
from harness_strategies.prompted import Demonstrations, Parts, adapted
from harness_strategies.retrieval import models_of
from harness_strategies.scorers import refuses_scoring

if TYPE_CHECKING:
    from harness.interfaces import Model, Setting, TaskView
    from harness.promptparts import Calibrator
    from harness.records import RequestKind, TaskSpec


READ_ALONE = "a text to be predicted is read as it is: take zero-shot"
OWN_PROMPTS = "the task makes its own prompts and chooses its demonstrations"


@dataclass(frozen=True, slots=True)
class ZeroShot:
    """The task's prompt, and nothing else. A model that classifies by itself is given the bare input instead.

    The similarity of two texts is, for a model that embeds and writes nothing, the cosine of their embeddings.

    Args:
        scoring: how a choice is scored: a registered scorer, see `harness_strategies.scorers`.
        calibrate: what is taken off the scores: `none`, or a registered calibrator, see
            `harness_strategies.calibration`.
        calibration_texts: unlabelled training texts of `calibrate=batch`, at most.
        chat: how a chat template is used, see `harness.records.Prompt`.
        parts: where scorers and calibrators are found.

    Raises:
        UnknownNameError: for a scorer or calibrator that nobody has registered.
    """

    scoring: str = "sum"
    calibrate: str = "none"
    calibration_texts: Annotated[int, Field(ge=1)] = 128
    chat: Chat = "auto"
    parts: FindsParts = field(default=OWN, compare=False, repr=False)

    def __post_init__(self) -> None:
        _found(self)

    @property
    def uses(self) -> tuple[tuple[str, str], ...]:
        """Scorer and calibrator."""
        return _scores_by(self)

    prompts: ClassVar[bool] = True

    @property
    def reads(self) -> frozenset[str]:
        """The prompt; for a calibrator that draws texts the training split too."""
        calibrator = _calibrator(self)
        return frozenset({"prompt"} if calibrator is None or not calibrator.draws else {"prompt", "train"})

    @property
    def external_shots(self) -> int:
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
        if spec.reads:
            return READ_ALONE if self != ZeroShot(parts=self.parts) else _refuses_reading(model)
        if self._is_given_inputs(model, spec) or (self._is_plain() and _compares(model, spec)):
            return None
        return _refuses_prompt(model, spec) or _refuses_parts(self, model, spec)

    def _is_given_inputs(self, model: Model, spec: TaskSpec) -> bool:
        return self._is_plain() and _classifies(model, spec)

    def _is_plain(self) -> bool:
        return self.scoring == "sum" and self.calibrate == "none" and self.chat in {"auto", "none"}

    def adapt(self, model: Model, task: TaskView, setting: Setting) -> Adapted:
        """Nothing is trained; a calibrator asks the model."""
        if task.spec.reads:
            return Adapted(partial(read, task.spec), partial(decide, task.spec))
        if self._is_given_inputs(model, task.spec):
            return Adapted(partial(classify, task.spec), partial(decide, task.spec))
        if _compares(model, task.spec):
            notes = ("the cosine of the two texts' embeddings",)
            return Adapted(partial(compare, task.spec), partial(decide, task.spec), notes=notes)
        pool = task.samples("train") if "train" in self.reads else ()
        return adapted(model, task.spec, Demonstrations(), _found(self), pool, setting)


@dataclass(frozen=True, slots=True)
class FewShot:
    """P = D_1 sep ... D_k sep P(x): k solved training rows before every question.

    Args:
        k: number of demonstrations.
        select: how they are chosen: a registered selector, see `harness_strategies.selection`; `bm25` and `knn` choose
            for each sample.
        order: how they stand: a registered order, see `harness_strategies.ordering`.
        encoder: the model that embeds, for `knn`, `diverse` and `votek`; the adapted one itself unless told.
        scoring: as in `zero-shot`, likewise the next ones.
        calibrate: see `zero-shot`.
        calibration_texts: see `zero-shot`.
        chat: see `zero-shot`.
        parts: where selectors, orders, scorers and calibrators are found.

    Raises:
        UnknownNameError: for a part that nobody has registered.
        ParameterError: for parts that make no sense together.
    """

    k: Annotated[int, Field(ge=1)] = 8
    select: str = "balanced"
    order: str = "auto"
    encoder: str | None = None
    scoring: str = "sum"
    calibrate: str = "none"
    calibration_texts: Annotated[int, Field(ge=1)] = 128
    chat: Chat = "auto"
    parts: FindsParts = field(default=OWN, compare=False, repr=False)

    reads: ClassVar[frozenset[str]] = frozenset({"prompt", "train"})
    prompts: ClassVar[bool] = True

    def __post_init__(self) -> None:
        searches = self._choice().selector.searches
        calibrator = _found(self).calibrator
        if calibrator is not None and not calibrator.draws and searches:
            raise ParameterError(
                f"calibrate={self.calibrate} needs one prompt for all samples, and select={self.select} makes one for"
                " each",
                hint="use calibrate=batch",
            )

    def _choice(self) -> Choice:
        return Choice.found(self.parts, self.k, self.select, self.order, self.encoder)

    @property
    def uses(self) -> tuple[tuple[str, str], ...]:
        """Selector, order, scorer and calibrator."""
        return (("selector", self.select), ("order", self.order), *_scores_by(self))

    @property
    def sizes(self) -> Sizes | None:
        """The number of demonstrations; a search for each sample knows of every training label, whatever `k` is."""
        return None if self._choice().selector.searches else Sizes(rows="k")

    @property
    def external_shots(self) -> int:
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
        if spec.reads:
            return READ_ALONE
        return self._choice().refuses(model) or _refuses_prompt(model, spec) or _refuses_parts(self, model, spec)

    def adapt(self, model: Model, task: TaskView, setting: Setting) -> Adapted:
        """Choose the demonstrations, or get ready to: from the training rows that repeat no scored row."""
        pool = task.samples("train")
        shown = chosen(self._choice(), model, pool, task.spec, setting)
        return adapted(model, task.spec, shown, _found(self), pool, setting)


def _calibrator(strategy: ZeroShot | FewShot) -> Calibrator | None:
    if strategy.calibrate == "none":
        return None
    found: Calibrator = strategy.parts.part("calibrator", strategy.calibrate)
    return found


def _found(strategy: ZeroShot | FewShot) -> Parts:
    scorer = strategy.parts.part("scorer", strategy.scoring)
    calibrator = _calibrator(strategy)
    return Parts(strategy.scoring, scorer, strategy.calibrate, calibrator, strategy.calibration_texts, strategy.chat)


def _scores_by(strategy: ZeroShot | FewShot) -> tuple[tuple[str, str], ...]:
    scorer = ("scorer", strategy.scoring)
    return (scorer,) if strategy.calibrate == "none" else (scorer, ("calibrator", strategy.calibrate))


def _uncalibrated(name: str, strategy: ZeroShot | FewShot) -> Component | None:
    if strategy.calibrate == "none":
        return None
    plain: dict[str, Any] = {"calibrate": "none", "calibration_texts": 128}
    return Component(name, None, parameters_of(dataclasses.replace(strategy, **plain)))


def _classifies(model: Model, spec: TaskSpec) -> bool:
    return spec.labelled and "Classify" in model.answers and "LogLikelihood" not in model.answers


def _compares(model: Model, spec: TaskSpec) -> bool:
    """Whether the two texts of a similarity are embedded: by a model that can't be asked for the number."""
    return spec.kind == "similarity" and "Embed" in model.answers and "Generate" not in model.answers


def _refuses_reading(model: Model) -> str | None:
    if "RollingLogLikelihood" in model.answers:
        return None
    return "it does not tell how likely a text is: that takes a model that reads from left to right"


def _refuses_prompt(model: Model, spec: TaskSpec) -> str | None:
    needed: RequestKind = "Generate" if spec.generates else "LogLikelihood"
    if needed in model.answers or (needed == "LogLikelihood" and fills(model.answers)):
        return None
    said = "text can't be generated with it" if needed == "Generate" else "it gives no log-likelihoods of answers"
    if needed == "LogLikelihood" and isinstance(model, ExplainsItself):
        said = model.lacks("FillMask") or said
    return f"the model can't be prompted: {said}"


def _refuses_parts(strategy: ZeroShot | FewShot, model: Model, spec: TaskSpec) -> str | None:
    parts = _found(strategy)
    return (
        refuses_scoring(parts.scoring, parts.scorer, spec, model.answers)
        or (None if parts.calibrator is None else parts.calibrator.refuses(spec, parts.scoring))
        or refuses_chat(strategy.chat, model)
        or _refuses_turns(strategy, spec)
        or _refuses_channel(strategy)
    )


def _refuses_channel(strategy: ZeroShot | FewShot) -> str | None:
    if strategy.scoring == "channel" and strategy.chat in {"message", "turns"}:
        return f"scoring=channel scores the question, which chat={strategy.chat} gives to the user"
    return None


def _refuses_turns(strategy: ZeroShot | FewShot, spec: TaskSpec) -> str | None:
    """In turns, labels that differ by white space alone would be one; a text with a blank is nobody's turn."""
    if spec.kind == "cloze" and strategy.chat in {"message", "turns"}:
        return f"chat={strategy.chat} cuts a text at its blank into what two say"
    if strategy.chat != "turns":
        return None
    found = alike({label: said.strip() for label, said in spec.labels.items()})
    return f"without white space, as in turns, {found[1]}" if found else None


def refuses_chat(chat: Chat, model: Model) -> str | None:
    """Why a model can't be asked in its chat template; None where it can, or need not."""
    if chat in {"auto", "none"} or (isinstance(model, Chats) and model.chats):
        return None
    return f"chat={chat} needs a chat template, which the model does not have"
