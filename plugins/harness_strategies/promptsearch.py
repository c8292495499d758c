"""Prompt search: of many ways to ask, the one that answers labelled validation rows best.

Candidates are compositions of template, instruction, labels and demonstrations (`harness_strategies.candidates`), tried
by successive halving (Jamieson & Talwalkar 2016, arXiv:1502.07943). What is chosen by more labels than it is shown is
no few-shot prompt (Perez et al. 2021, arXiv:2105.11447): validation rows are never more than training rows, and both
are counted.
"""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from harness.errors import TrainingError
from harness.promptparts import Pool
from harness.records import Chat, Component, LabelBudget
from harness.sampling import balanced, without
from harness.templates import shown_fields
from harness_strategies.candidates import space
from harness_strategies.drawing import drawn, drawn_both, one_size
from harness_strategies.halving import affordable
from harness_strategies.prompted import Demonstrations, Parts, adapted
from harness_strategies.prompting import FewShot
from harness_strategies.proposing import EXAMPLES, proposed
from harness_strategies.retrieval import models_of
from harness_strategies.searching import Tried, search
from harness_strategies.selection import Balanced

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.interfaces import Adapted, Model, Setting, TaskView
    from harness.records import Sample, TaskSpec
    from harness_strategies.candidates import Space
    from harness_strategies.searching import Search

QUOTED = 80
"""Characters that are quoted in a note."""
PARTS = ("template", "instruction", "labels", "demonstrations")


@dataclass(frozen=True, slots=True)
class PromptSearch:
    """The best of many prompts on the validation rows, or on training rows held out where there are none.

    Args:
        k: demonstrations of each candidate; 0 for none.
        demonstrations: seeded balanced draws of them.
        orders: of each draw.
        candidates: compositions that are tried at most, the task's own prompt among them.
        budget: requests of the search at most, one for a candidate on a row.
        eta: one candidate in so many goes on to the next rung.
        train_size: a seeded stratified draw of this many training rows, to take demonstrations from (and validation
            rows where the task has none), and of no more validation rows; all where it is not given.
        shots: instead, this many training rows of each label, and as many validation rows at most.
        validation_size: rows that the search chooses by, at most; never more than training rows.
        propose: a model that proposes further instructions, see `harness_strategies.proposing`.
        proposals: how many.
        chat: as in `few-shot`.

    Raises:
        ParameterError: when both `shots` and `train_size` are given.
    """

    k: Annotated[int, Field(ge=0)] = 4
    demonstrations: Annotated[int, Field(ge=1)] = 4
    orders: Annotated[int, Field(ge=1)] = 2
    candidates: Annotated[int, Field(ge=1)] = 16
    budget: Annotated[int, Field(ge=1)] = 2000
    eta: Annotated[int, Field(ge=2)] = 2
    train_size: Annotated[int, Field(ge=1)] | None = None
    shots: Annotated[int, Field(ge=1)] | None = None
    validation_size: Annotated[int, Field(ge=1)] | None = None
    propose: str | None = None
    proposals: Annotated[int, Field(ge=1)] = 4
    chat: Chat = "auto"

    reads: ClassVar[frozenset[str]] = frozenset({"prompt", "candidates", "train", "validation"})

    def __post_init__(self) -> None:
        one_size(self.shots, self.train_size)

    @property
    def models(self) -> tuple[Component, ...]:
        """The one that proposes."""
        return models_of(self.propose)

    @property
    def baselines(self) -> tuple[Component, ...]:
        """The task's own prompt, with as many demonstrations and with none."""
        chat = {} if self.chat == "auto" else {"chat": self.chat}
        shown = (Component("few-shot", None, {"k": self.k, **chat}),) if self.k else ()
        return (*shown, Component("zero-shot", None, chat))

    def refuses(self, model: Model, spec: TaskSpec) -> str | None:
        """Needs log-likelihoods, fillings or generation, as `few-shot`."""
        return FewShot(chat=self.chat).refuses(model, spec)

    def adapt(self, model: Model, task: TaskView, setting: Setting) -> Adapted:
        """Compose candidates and ask them about validation rows; the best one answers.

        Raises:
            TrainingError: when there are no rows to choose by.
            ModelError: when no candidate can be asked.
        """
        rows = _rows(self, task, setting.seed)
        rng = random.Random(f"prompt-search {setting.seed}")
        lessons = self._lessons(rows, setting, rng)
        composed = self._space(task.spec, rows, lessons, setting, rng)
        all_drawn = composed.drawn(task.spec, self.candidates, rng)
        budget = self.budget - bool(lessons)  # proposing is a request
        candidates = all_drawn[: _room(len(all_drawn), len(rows.validation), budget, self.eta)]
        notes = [*rows.notes, *self._short(rows, len(candidates), len(all_drawn))]
        labels = LabelBudget(len({one.id for shown in (*(one.shown for one in candidates), lessons) for one in shown}))
        parts = Parts(chat=self.chat)  # choices are scored uncalibrated: candidates differ in their texts alone
        tried = [
            Tried(one, adapted(model, one.spec, Demonstrations(one.shown), parts, (), setting)) for one in candidates
        ]
        if len(tried) == 1 or setting.dry:
            own = tried[0].adapted
            return replace(own, notes=(*own.notes, *notes, _unsearched(len(tried))), budget=labels)
        found = search(tried, rows.validation, setting.engine(model), budget, self.eta)
        own = found.winner.adapted
        return replace(
            own,
            notes=(*own.notes, *notes, *_said(found, composed)),
            budget=replace(labels, validation=found.rows),
            details={"search": _told(found, self.budget)},
        )

    def _lessons(self, rows: Rows, setting: Setting, rng: random.Random) -> tuple[Sample, ...]:
        """Rows that instructions are to be proposed from."""
        if self.propose is None or setting.dry:
            return ()
        return tuple(balanced(list(rows.pool), EXAMPLES, rng))

    def _space(
        self, spec: TaskSpec, rows: Rows, lessons: Sequence[Sample], setting: Setting, rng: random.Random
    ) -> Space:
        """All that candidates are composed of."""
        instructions: list[str] = []
        if lessons:
            (component,) = self.models
            instructions = proposed(setting.model(component), spec, lessons, self.proposals, setting)
        pool = Pool(spec, rows.pool, list, rng)
        shown: list[tuple[Sample, ...]] = []
        for _ in range(self.demonstrations if self.k else 0):
            picked = [rows.pool[at] for at in Balanced().select(pool, self.k)]
            shown.append(tuple(picked))
            shown += [tuple(rng.sample(picked, len(picked))) for _ in range(self.orders - 1)]
        return space(spec, shown, instructions)

    def _short(self, rows: Rows, candidates: int, wanted: int) -> list[str]:
        """Where there is less than was asked for."""
        notes = []
        if len(rows.pool) < self.k:
            notes.append(f"{len(rows.pool)} demonstrations: the training rows are no more than that")
        if candidates < wanted:
            notes.append(f"budget={self.budget} has room for {candidates} of {wanted} candidates")
        return notes


# --- rows ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rows:
    """Training rows to take demonstrations from, and rows to choose by in the order in which they are asked about."""

    pool: Sequence[Sample]
    validation: Sequence[Sample]
    notes: tuple[str, ...] = ()


def _rows(strategy: PromptSearch, task: TaskView, seed: int) -> Rows:
    """No more validation rows than training rows, and no training row that repeats one of them."""
    train, validation = drawn_both(task, strategy.shots, strategy.train_size, seed)
    most = len(train) if len(validation) else len(train) // 2
    most = min(most, strategy.validation_size or most)
    held = drawn(validation if len(validation) else train, None, most, seed)
    if not len(held):
        raise TrainingError(
            f"there are no validation rows to choose by, and {len(train)} training rows are too few to hold some out"
        )
    notes = () if len(validation) else (f"the task has no validation rows: {len(held)} training rows were held out",)
    pool, _ = without(train, held, shown_fields(task.spec))
    return Rows(pool, _in_proportion(held, random.Random(f"prompt-search rows {seed}")), notes)


def _in_proportion(rows: Sequence[Sample], rng: random.Random) -> list[Sample]:
    """Shuffled so that the first rows, however many, have labels in about the proportion that all rows have."""
    groups: dict[str, list[Sample]] = {}
    for row in rows:
        groups.setdefault(row.target, []).append(row)
    placed: list[tuple[float, Sample]] = []
    for _, group in sorted(groups.items()):
        rng.shuffle(group)
        placed += [((at + rng.random()) / len(group), row) for at, row in enumerate(group)]
    return [row for _, row in sorted(placed, key=lambda one: one[0])]


def _room(candidates: int, rows: int, budget: int, eta: int) -> int:
    """How many candidates can be tried; one that stands alone need not be asked about anything."""
    return candidates if candidates * rows <= budget else affordable(candidates, budget, eta)


# --- what is said --------------------------------------------------------------------------------


def _unsearched(candidates: int) -> str:
    if candidates == 1:
        return "nothing was searched: there is one candidate, the task's own prompt"
    return f"the task's own prompt is shown: a search among {candidates} candidates asks the model, which is not loaded"


def _said(found: Search, composed: Space) -> list[str]:
    """The search in short."""
    winner, spread = found.winner, found.sensitivity
    parts = zip(PARTS, winner.candidate.numbers, composed.parts, strict=True)
    which = ", ".join(
        f"{name} {number} of {len(several)}{_quoted(several[number - 1]) if number > 1 else ''}"
        for name, number, several in parts
        if len(several) > 1
    )
    dropped = [one for one in found.tried if one.dropped]
    best = (
        f"best of {len(found.tried)} candidates by {found.requests:,} requests: {which} (1: the task's own); "
        f"accuracy {winner.accuracy():.3f} on {len(winner.right)} validation rows"
    )
    sensitivity = (
        f"prompt sensitivity: accuracy {spread.min:.3f} to {spread.max:.3f}, median {spread.median:.3f}, "
        f"sd {spread.sd:.3f} over {spread.candidates} candidates on the same {spread.rows} validation rows"
    )
    if not dropped:
        return [best, sensitivity]
    lost = f"{len(dropped)} of {len(found.tried)} candidates dropped, the first with: {dropped[0].dropped}"
    return [best, sensitivity, lost]


def _quoted(part: Any) -> str:  # noqa: ANN401 - a template, an instruction, labels or demonstrations
    """What was chosen instead of the task's own, where that is short."""
    if isinstance(part, tuple):
        return ""  # demonstrations
    text = part if isinstance(part, str) else ",".join(part.values())
    return f" ({text!r})" if text and len(text) <= QUOTED else ""


def _told(found: Search, budget: int) -> dict[str, Any]:
    """The whole search for other programs."""
    first = found.rungs[0].rows
    return {
        "winner": found.tried.index(found.winner),
        "budget": budget,
        "requests": found.requests,
        "rungs": [asdict(rung) for rung in found.rungs],
        "sensitivity": asdict(found.sensitivity),
        "candidates": [one.told(first) for one in found.tried],
    }
