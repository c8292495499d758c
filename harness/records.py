"""The data that travels between the parts and is stored: frozen dataclasses, without behaviour beyond validation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from harness.quoting import quoted
from harness.requests import (
    Chat as Chat,
    Classified as Classified,
    Classify as Classify,
    Embed as Embed,
    Embedded as Embedded,
    EmbeddedTokens as EmbeddedTokens,
    EmbedTokens as EmbedTokens,
    Filled as Filled,
    FillMask as FillMask,
    FindSpan as FindSpan,
    FoundSpan as FoundSpan,
    Generate as Generate,
    Generated as Generated,
    LogLikelihood as LogLikelihood,
    LogLikelihoods as LogLikelihoods,
    Prompt as Prompt,
    Regress as Regress,
    Regressed as Regressed,
    Request as Request,
    RequestKind as RequestKind,
    Response as Response,
    RollingLogLikelihood as RollingLogLikelihood,
    Tag as Tag,
    Tagged as Tagged,
    Text as Text,
    Usage as Usage,
    Written as Written,
)
from harness.taskspec import (
    SPLITS as SPLITS,
    Candidates as Candidates,
    CodeSpec as CodeSpec,
    Condition as Condition,
    ExtractSpec as ExtractSpec,
    GenerationSpec as GenerationSpec,
    Kind as Kind,
    Learnt as Learnt,
    PromptSpec as PromptSpec,
    Sample as Sample,
    Split as Split,  # noqa: TC001 - offered to others
    Step as Step,
    TaskSpec as TaskSpec,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


# --- predictions ---------------------------------------------------------------------------------

Answered: TypeAlias = Literal["answered", "empty", "truncated", "unparsed", "failed"]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a trial said of one sample.

    Attributes:
        prediction: label, number of the choice, or extracted answer; None where there is none.
        status: `answered`; `truncated` (the question was cut or the token limit ended the answer; it still counts);
            `empty` and `unparsed` (no answer: counted as wrong); `failed` (an error: not scored, makes the trial
            partial).
        scores: what decided, a number a choice, in the order of labels or choices: its log-likelihood or
            log-probability, unnormalised, or what another scoring or a calibration makes of it (per token, less a
            prior ...).
        text: the generated text, where there is one.
        latency_ms: the time this one sample took alone, where it was measured alone.
        reason: why it failed, or has no answer; of several texts how many had none.
        cluster: the sample's; filled in by the trial.
        measured: what metrics have to know beside the answer, name -> JSON value: the `references` of a generated one,
            as the data writes them (filled in by the trial); `tokens`, `words` and `bytes` of a text that was read;
            what a task that judges by itself measures on this sample.
        judged: whether such a task finds the answer right, or one of several references equals it; None where right is
            what equals the target.
    """

    sample_id: str
    target: str
    prediction: str | None
    status: Answered = "answered"
    scores: tuple[float, ...] = ()
    text: str | None = None
    context: str | None = None
    usage: Usage = field(default_factory=Usage)
    latency_ms: float | None = None
    reason: str = ""
    cluster: str | None = None
    measured: Mapping[str, Any] = field(default_factory=dict)
    judged: bool | None = None

    @property
    def correct(self) -> bool:
        """Whether the answer is the target, or the task finds it right; otherwise no answer is never correct."""
        if self.judged is not None:
            return self.judged
        return self.prediction is not None and self.prediction == self.target


class Outcome(NamedTuple):
    """What became of one sample, in few words.

    Attributes:
        sample: its id.
        right: whether the answer is the target.
        target: the target; None where nobody knows, which leaves the majority's answer unknown.
        cluster: its cluster, if it has one.
    """

    sample: str
    right: bool
    target: str | None = None
    cluster: str | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many samples were answered and how; `shortened` counts those that lost demonstrations to the window."""

    answered: int = 0
    empty: int = 0
    truncated: int = 0
    unparsed: int = 0
    failed: int = 0
    shortened: int = 0


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ContextScore:
    """The scores of one context's samples."""

    n: int
    metrics: Mapping[str, Estimate]


# --- experiments and trials ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Component:
    """A registered part as somebody named it: `few-shot,k=8`, `hf:org/name,dtype=float32`.

    Attributes:
        name: the registered name (for tasks also a task file's path).
        reference: what stands behind the colon, if anything.
        params: the parameters that were given, in their written form.
    """

    name: str
    reference: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        head = self.name if self.reference is None else f"{self.name}:{self.reference}"
        said = ((key, quoted(value) if isinstance(value, str) else value) for key, value in self.params.items())
        return ",".join([head, *(f"{key}={value}" for key, value in said)])


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Trials of a grid that are left out, and why: globs over models and strategies as written, and tasks' names."""

    model: str = "*"
    task: str = "*"
    strategy: str = "*"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Experiment:
    """A grid of trials and how to run them.

    Attributes:
        sizes: numbers of labelled rows with which each strategy that learns from so many is crossed; none: as written.
        per_label: whether these are rows of each label.
        run_code: whether programs that models write may be run.
    """

    models: tuple[Component, ...]
    tasks: tuple[Component, ...]
    strategies: tuple[Component, ...]
    seeds: tuple[int, ...] = (0,)
    split: Split = "test"
    limit: int | None = None
    scenarios: tuple[Component, ...] = ()
    executor: Component = Component("local")
    device: str = "auto"
    name: str = ""
    exclude: tuple[Exclusion, ...] = ()
    baselines: bool = False
    sizes: tuple[int, ...] = ()
    per_label: bool = False
    run_code: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """One (model, task, strategy, seed) with its key; plain data, so that it can travel to a worker.

    Attributes:
        key: SHA-256 (hexadecimal) over everything that can change its result.
        samples: digest of the rows that are scored: trials with the same digest can be compared sample by sample.
        n: how many rows are scored.
        baselines: those that this one is to be compared with (the same strategy without context ...), the first before
            all: strategy -> key of the trial by it.
        control: whether its strategy is one that others are measured by, and no contender.
        curve: its strategy without the number of labelled rows (`harness.sizes.curve_of`); empty where it has none.
        prompts: whether its strategy asks the model as it is.
        plugins: plugin -> version of those that take part.
        refusal: why the pair can't work; empty where it can.
        added: whether nobody asked for it: it is a baseline that was added for others to be compared with.
        source: where the task is loaded from, as somebody wrote it; None for what was stored before this was.
        losses: the task's metrics of which less is better.
    """

    key: str
    model: Component
    task: Component
    strategy: Component
    seed: int
    split: Split
    limit: int | None
    samples: str
    n: int
    plugins: Mapping[str, str]
    baselines: Mapping[str, str] = field(default_factory=dict)
    control: bool = False
    refusal: str = ""
    curve: str = ""
    prompts: bool = False
    source: Component | None = None
    added: bool = False
    losses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelBudget:
    """What a strategy knew of the task before it answered.

    Attributes:
        train: labelled rows that it was shown or trained on, demonstrations included.
        validation: labelled rows that chose between alternatives.
        unlabelled: rows that it saw without their labels.
        transductive: whether rows that are scored were among these.
    """

    train: int = 0
    validation: int = 0
    unlabelled: int = 0
    transductive: bool = False


TrialStatus: TypeAlias = Literal["planned", "running", "finished", "partial", "failed", "not-applicable"]


@dataclass(frozen=True, slots=True)
class Costs:
    """What adapting and loading took; None where nothing of the kind was done, or it is not known.

    Attributes:
        load_s: seconds that loading the model took.
        train_s: seconds of training, when it took place.
        adapt_s: seconds that adapting took beside these: choosing, calibrating, searching ...
        model_calls: requests that were answered meanwhile.
        adapt_tokens: tokens that these read and wrote, where engines tell.
    """

    load_s: float | None = None
    train_s: float | None = None
    adapt_s: float | None = None
    model_calls: float | None = None
    adapt_tokens: float | None = None


@dataclass(frozen=True, slots=True)
class CleanScore:
    """Scores without the samples that repeat, or nearly repeat, a row that could be adapted on.

    Attributes:
        n: how many samples are left.
        metrics: their scores.
        left_out: the samples that are not, and which row each repeats: `train 17 (0.93)`.
    """

    n: int
    metrics: Mapping[str, Estimate]
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrialResult:
    """A stored trial with what is known of it.

    Attributes:
        contexts: the scores within each context, where the task has contexts.
        gains: metric -> paired difference to the first baseline's trial, where that has been run on the same samples.
        gains_over: the same for each baseline: its strategy -> metric -> paired difference.
        latency: scenario -> measured quantity -> value.
        budget: the labels it was given; None until it has adapted.
        notes: what a reader has to know (ignored parameters, excluded duplicates ...).
        provenance: device, dtype, threads, library versions.
        details: what its strategy tells other programs of how it adapted.
        manifest: what it was made of, field by field (`harness.manifest`); empty until it has adapted.
        cached: whether this run found it finished.
        clean: its scores without samples that nearly repeat training rows; None where nobody has looked for these.
    """

    trial: Trial
    status: TrialStatus
    reason: str = ""
    coverage: Coverage = Coverage()
    metrics: Mapping[str, Estimate] = field(default_factory=dict)
    contexts: Mapping[str, ContextScore] = field(default_factory=dict)
    gains: Mapping[str, Estimate] = field(default_factory=dict)
    gains_over: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)
    latency: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    costs: Costs = Costs()
    budget: LabelBudget | None = None
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    cached: bool = False
    manifest: Mapping[str, str] = field(default_factory=dict)
    clean: CleanScore | None = None
