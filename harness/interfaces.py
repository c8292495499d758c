"""What each kind of part has to offer: Protocols of one to three methods.

Parts are made from the parameters that people write: a registered class is called with them by keyword, checked against
its signature (annotations are enforced, `Annotated[int, Field(ge=1)]` included). A class whose first parameter is
called `reference` takes one behind a colon: `hf:org/name`. Making a part is cheap: no weights, no heavy library.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from harness.errors import ModelError
from harness.metering import Meter
from harness.modelling import (
    Chats as Chats,
    CountsTokens as CountsTokens,
    CountsWork as CountsWork,
    Engine as Engine,
    ExplainsItself as ExplainsItself,
    ExplainsTraining as ExplainsTraining,
    Fetchable as Fetchable,
    Model as Model,
    Pretrainable as Pretrainable,
    Pretrained as Pretrained,
    PretrainingJob as PretrainingJob,
    Price as Price,
    Priced as Priced,
    Trainable as Trainable,
    TrainableInWays as TrainableInWays,
    Trained as Trained,
    TrainingJob as TrainingJob,
    cannot_learn as cannot_learn,
    cannot_pretrain as cannot_pretrain,
    UsesDeviceMemory as UsesDeviceMemory,
    cannot_train as cannot_train,
)
from harness.records import LabelBudget
from harness.reporters import (
    Asked as Asked,
    Evidence as Evidence,
    MeasuresTrials as MeasuresTrials,
    Report as Report,
    Reporter as Reporter,
    ShowsEvidence as ShowsEvidence,
)
from harness.weighing import WeighsSamples as WeighsSamples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from harness.differences import Paired
    from harness.messages import ChunkTiming, Job, Message
    from harness.records import (
        Component,
        Condition,
        Estimate,
        Prediction,
        Request,
        Response,
        Sample,
        Split,
        TaskSpec,
    )

# --- tasks and strategies ------------------------------------------------------------------------


class Task(Protocol):
    """Named data with splits and a specification."""

    @property
    def spec(self) -> TaskSpec:
        """All but the rows."""

    def samples(self, split: Split) -> Sequence[Sample]:
        """The rows of a split, in the data's order; empty where it has none.

        Raises:
            DataError: naming the file and row.
        """


class TaskView(Protocol):
    """What a strategy sees of a task: its specification and the splits it may adapt on, never what will be scored."""

    @property
    def spec(self) -> TaskSpec:
        """The task's specification."""

    def samples(self, split: Split) -> Sequence[Sample]:
        """The rows of `train` or `validation` without those that are scored and their duplicates.

        Raises:
            HarnessError: when the strategy does not declare the split in `reads`, or it is the one that is scored.
        """

    def conditioned(self, condition: Condition) -> TaskView:
        """The same task with each sample's context put before its prompt and its input."""

    def unscored(self, texts: Sequence[str]) -> Sequence[str]:
        """Of texts from elsewhere, those that neither repeat nor hold a text of the scored rows."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Where and with which randomness a strategy adapts.

    Attributes:
        seed: the trial's; drives every random choice.
        device: the one asked for.
        folder: the cache for what it makes and keeps.
        versions: plugin -> version of those that take part; what is kept belongs to these versions.
        dry: somebody only looks at the requests: a strategy that asks its model while it adapts leaves that out.
        load: see `engine`.
        find: see `model`.
        meter: counts what the engines that it gives are asked.
    """

    seed: int
    device: str
    folder: Path
    versions: Mapping[str, str] = field(default_factory=dict)
    dry: bool = False
    load: Callable[[Model], Engine] | None = None
    find: Callable[[Component], Model] | None = None
    meter: Meter = field(default_factory=Meter, compare=False)

    def model(self, component: Component) -> Model:
        """A model that a strategy uses beside the one that it adapts, and names in its `models`.

        Raises:
            ModelError: where no models can be made, as in a test without a catalogue.
        """
        if self.find is None:
            raise ModelError(f"there is no catalogue here to make {str(component)!r} from")
        return self.find(component)

    def engine(self, model: Model) -> Engine:
        """The model in memory, for strategies that ask it while they adapt: the one that will answer, where it is that.

        Raises:
            ModelError: when it can't be loaded.
        """
        load = self.load
        return self.meter.counted(lambda: model.load(self.device) if load is None else load(model))


@dataclass(frozen=True, slots=True)
class Adapted:
    """A model adapted to a task.

    Attributes:
        requests: pure; what to ask for a sample.
        decide: pure; what the responses mean.
        trained: the engine to ask where it is another than the model's own.
        notes: what a reader of the result has to know.
        budget: the labels that choosing and training have used.
        prepare: told which samples `requests` will be asked for next, all at once, so that what they need is computed
            together (embeddings of questions ...). It changes no request; what it keeps is replaced by the next call.
        details: more of how it was adapted than notes can say, for other programs: JSON by subject, stored and
            exported as it is.
    """

    requests: Callable[[Sample], Sequence[Request]]
    decide: Callable[[Sample, Sequence[Response]], Prediction]
    trained: Trained | None = None
    notes: tuple[str, ...] = ()
    budget: LabelBudget = field(default_factory=LabelBudget)
    details: Mapping[str, Any] = field(default_factory=dict)
    prepare: Callable[[Sequence[Sample]], None] | None = None


@dataclass(frozen=True, slots=True)
class Sizes:
    """Which parameters tell a strategy how many labelled rows to learn from; learning curves are drawn over them.

    Attributes:
        rows: the parameter that is the number of training rows; empty where there is none.
        per_label: the one that is the number of training rows of each label.
    """

    rows: str = ""
    per_label: str = ""


class Strategy(Protocol):
    """A way to adapt a model to a task.

    A strategy may also have `reads` (a subset of `{"prompt", "candidates", "train", "validation"}`: the parts of a task
    that it looks at; its trials' keys cover these and it is shown no others; without it: all), `baseline` (a
    `Component`: the strategy it is to be compared with) or `baselines` (several, the most important one first),
    `control` (True for one that others are measured by: its rows get no rank), `models` (a tuple of `Component`: models
    that it uses beside the one that it adapts; keys cover their fingerprints), `changed` (a
    `harness.composition.Changed`: the strategy that it changes; keys cover its parameters and its plugin's version),
    `uses` (a tuple of kind and name: the registered parts that it is made of, such as `("selector", "knn")`; keys cover
    their plugins' versions), `sizes` (a `Sizes`, or None) and `prompts` (True for one that asks the model as it is:
    what learning curves are to beat).
    """

    def refuses(self, model: Model, spec: TaskSpec) -> str | None:
        """Why the pair can't work, in words for the table; None where it can."""

    def adapt(self, model: Model, task: TaskView, setting: Setting) -> Adapted:
        """Choose demonstrations, pick a template, train ..."""


# --- measuring -----------------------------------------------------------------------------------


class Metric(Protocol):
    """Predictions -> a number with an interval."""

    @property
    def higher_is_better(self) -> bool:
        """Which way is up."""

    def compute(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Estimate | None:
        """The score with its 95% interval; None where these predictions have none (cross-entropy without scores).

        `predictions` holds at least one, and no failed ones.
        """


@runtime_checkable
class Requires(Protocol):
    """A metric that needs a library which may be missing: asked before anything runs, and before it computes."""

    def require(self) -> None:
        """See that it is there.

        Raises:
            PluginError: when it is not, with the command that installs it as hint.
        """


@runtime_checkable
class ComparesPairs(Protocol):
    """A metric that can say how two trials differ on the same samples (`harness compare`, `harness gate`)."""

    def compare(
        self, a: Sequence[Prediction], b: Sequence[Prediction], spec: TaskSpec, level: float = 0.95
    ) -> Paired | None:
        """The first one's score minus the second one's, with its interval; None where either has no such score.

        `a` and `b` are of the same samples in the same order: at least one, no failed ones.
        """


@dataclass(frozen=True, slots=True)
class Work:
    """What answering some samples took.

    Attributes:
        prompt_tokens: tokens read.
        output_tokens: tokens written.
        first_token_s: for each sample the seconds from the call until the first token of its first generated text was
            there; None where nothing was generated, or the engine does not time its tokens.
    """

    prompt_tokens: int
    output_tokens: int
    first_token_s: tuple[float | None, ...] = ()


class Workload(Protocol):
    """An adapted model with samples to answer: what a scenario measures."""

    @property
    def samples(self) -> Sequence[Sample]:
        """The scored samples, in their order."""

    @property
    def timings(self) -> Sequence[ChunkTiming]:
        """How long the scoring pass took, chunk by chunk (all samples at once)."""

    @property
    def price(self) -> Price | None:
        """What the model's tokens cost; None for one without a price."""

    def answer(self, samples: Sequence[Sample]) -> Work:
        """Answer samples now, from the text to the decision."""


class Scenario(Protocol):
    """A way to measure latency."""

    def measure(self, workload: Workload) -> tuple[Mapping[str, float | None], Mapping[str, float]]:
        """Measured quantities (units in their names), and milliseconds by sample id where samples were timed alone."""


# --- running and reporting -----------------------------------------------------------------------


class Worker(Protocol):
    """What does a job: built where it runs, from plain data."""

    def run(self, job: Job) -> Iterator[Message]:
        """The job's messages as they happen; an error inside the trial is a `TrialEnded(failed=True)`."""

    def release(self) -> None:
        """Let go of the loaded model."""


class Executor(Protocol):
    """Where trials run."""

    def execute(self, jobs: Sequence[Job], worker: Callable[[], Worker]) -> Iterator[Message]:
        """Run all jobs; messages of one trial come in order."""


class Source(Protocol):
    """A scheme of asset addresses (`pypi://`, `npm://`, `file://`, `hf://`)."""

    @property
    def keeps(self) -> bool:
        """Whether what it brings stays where it lies (a file of this machine, another program's cache).

        Otherwise what it brings is one file, which goes into the cache of assets.
        """

    def split(self, rest: str) -> tuple[str, tuple[str, ...]]:
        """Cut an address, without its scheme, into the piece that is brought as one and the steps into it.

        Each step is a path or a glob inside the archive or folder where the one before ended. Equal pieces are one
        download.

        Raises:
            AssetError: when it is malformed, with the grammar as hint.
        """

    def fetch(self, piece: str, folder: Path, *, sha256: str | None, offline: bool) -> Path:
        """Bring a piece and return its path.

        Args:
            piece: as `split` gave it.
            folder: where to put it: empty and private to this call. For a source that keeps: what relative paths
                start from.
            sha256: what the file must have, for refusing others early; it is verified afterwards in any case.
            offline: the network may not be used. A source that does not keep is not called then.

        Raises:
            AssetError, OfflineError: saying what to do.
        """


class TaskDefinition(Protocol):
    """A registered task target: called with its parameters, gives the task."""

    def __call__(self, **parameters: Any) -> Task:  # noqa: ANN401 - whatever the target declares
        """Make the task."""


class BaselineOf(Protocol):
    """A strategy that names the strategy it should be compared with."""

    @property
    def baseline(self) -> Component | None:
        """The strategy to compare with."""


class BaselinesOf(Protocol):
    """A strategy that names several strategies it should be compared with."""

    @property
    def baselines(self) -> tuple[Component, ...]:
        """The strategies to compare with, the most important one first."""


class Sized(Protocol):
    """A strategy that learns from as many labelled rows as it is told."""

    @property
    def sizes(self) -> Sizes | None:
        """The parameters that tell it; None where, with the others as they are, it learns from no such number."""


class Prompts(Protocol):
    """A strategy that asks the model as it is."""

    @property
    def prompts(self) -> bool:
        """Whether it is one."""


class Control(Protocol):
    """A strategy that is there for others to be measured by, such as one with wrong contexts."""

    @property
    def control(self) -> bool:
        """Whether it is a control: shown, and never ranked."""
