"""Requests and responses, the narrow waist between strategies and engines. Reached through `harness.records` too."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Chat: TypeAlias = Literal["auto", "none", "message", "turns"]
Role: TypeAlias = Literal["system", "user", "assistant"]
Text: TypeAlias = str | tuple[str, str]
"""A text, or two that are read together as a pair."""


def as_one(text: Text) -> str:
    """A text for those that read no pairs: the two, a line each."""
    return text if isinstance(text, str) else "\n".join(text)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt in parts, so that an engine whose window is too small drops demonstrations before it cuts the question.

    Each part carries its own separator: the text is the parts joined with nothing between.

    Attributes:
        chat: whether a model reads it in its chat template: `auto` as the model is set, `none` not, `message` as one
            message of a user, `turns` with each demonstration as a question and its answer. An engine without a chat
            template refuses the last two.
        exchanges: the demonstrations as turns, the last one of each the assistant's; as many as demonstrations.
        turns: the question's own turns where it is a dialogue, the last one the user's: then the chat has them in the
            place of the query, if `chat` is `turns`, or `auto` of a model that is asked in its template.
        system: what such a dialogue says of the assistant; in a chat it stands with the instruction.
    """

    query: str
    demonstrations: tuple[str, ...] = ()
    instruction: str = ""
    chat: Chat = "auto"
    exchanges: tuple[tuple[str, ...], ...] = ()
    turns: tuple[str, ...] = ()
    system: str = ""

    @property
    def text(self) -> str:
        """What the model reads that is asked in no chat template."""
        return self.instruction + "".join(self.demonstrations) + self.query

    @property
    def messages(self) -> tuple[tuple[Role, str], ...]:
        """Who says what in a chat; white space around the instruction is no part of a turn."""
        if not self.in_turns:
            return (("user", self.text),)
        head = "\n\n".join(part for part in (self.instruction.strip(), self.system.strip()) if part)
        said = tuple(turn for exchange in self.exchanges for turn in _by_turns(exchange, "assistant", "user"))
        own = _by_turns(self.turns or (self.query,), "user", "assistant")
        return ((("system", head),) if head else ()) + said + own

    @property
    def in_turns(self) -> bool:
        """Whether a chat has demonstrations, or the question's own turns, each as a message."""
        return self.chat == "turns" or (self.chat == "auto" and bool(self.turns))

    def without(self, dropped: int) -> Prompt:
        """The prompt without its first demonstrations."""
        if not dropped:
            return self
        return replace(self, demonstrations=self.demonstrations[dropped:], exchanges=self.exchanges[dropped:])


def _by_turns(turns: tuple[str, ...], last: Role, other: Role) -> tuple[tuple[Role, str], ...]:
    """Turns with who says them, of two in alternation."""
    return tuple((last if (len(turns) - at) % 2 else other, turn) for at, turn in enumerate(turns))


@dataclass(frozen=True, slots=True)
class LogLikelihood:
    """How likely is each continuation after the prompt? Answered by `LogLikelihoods`.

    Attributes:
        greedy: whether to tell of each continuation too whether it is what `Generate` would write at temperature 0.
    """

    prompt: Prompt
    continuations: tuple[str, ...]
    greedy: bool = False


@dataclass(frozen=True, slots=True)
class RollingLogLikelihood:
    """How likely is this whole text, from its first token on? Answered by `LogLikelihoods` with one value.

    A text that is longer than the window is read in windows that follow one another, each as long as it can be: every
    token is predicted once. The first one follows the token that texts begin with; that of a later window has the token
    before it to go by, and the last window reads as much of what is before it as the window holds.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Generate:
    """What text follows the prompt? Answered by `Generated`.

    Attributes:
        temperature: 0 takes the likeliest token, else one is drawn from softmax(logits / temperature).
        top_p: drawn of the likeliest tokens alone, as few as have this probability together (Holtzman et al. 2020).
        n: how many answers; each draws by itself, with its seed of `harness.seeds.answer_seeds`.
    """

    prompt: Prompt
    max_tokens: int = 128
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    seed: int = 0
    top_p: float = 1.0
    n: int = 1


@dataclass(frozen=True, slots=True)
class Classify:
    """Which of the labels has this text? Asked of a trained engine; answered by `Classified`.

    Attributes:
        several: whether each label is judged by itself, so that a text can have any number of them.
    """

    text: Text
    labels: tuple[str, ...]
    several: bool = False


@dataclass(frozen=True, slots=True)
class Regress:
    """Which number has this text? Asked of a trained engine; answered by `Regressed`."""

    text: Text


@dataclass(frozen=True, slots=True)
class Tag:
    """Which of its words name something, and of which type? Asked of a trained engine; answered by `Tagged`.

    Attributes:
        text: the words, with one space between each two.
        labels: the types.
    """

    text: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FindSpan:
    """Which words of the passage answer the question? Asked of a trained engine; answered by `FoundSpan`.

    Attributes:
        text: the question and the passage.
        unanswerable: whether the answer may be that the passage holds none.
    """

    text: tuple[str, str]
    unanswerable: bool = False


@dataclass(frozen=True, slots=True)
class Embed:
    """Which vector stands for this text? Answered by `Embedded`."""

    text: str


@dataclass(frozen=True, slots=True)
class EmbedTokens:
    """Which vector has each token of this text, in its context? Answered by `EmbeddedTokens`.

    Attributes:
        layer: after how many layers the vectors are taken, 0 for those that the first one reads; None: after the last.
    """

    text: str
    layer: int | None = None


@dataclass(frozen=True, slots=True)
class FillMask:
    """How likely is each filling in the blank between the prompt and what follows it? Answered by `Filled`.

    A filling is written as it would stand in the text, with its leading space: what is read is prompt + filling +
    `after`.
    """

    prompt: Prompt
    fillings: tuple[str, ...]
    after: str = ""


TEXTS = (Classify, Regress, Tag, FindSpan, Embed, EmbedTokens, RollingLogLikelihood)
"""Requests about a text as it is, not about what follows a prompt."""

Request: TypeAlias = (
    LogLikelihood
    | RollingLogLikelihood
    | Generate
    | Classify
    | Regress
    | Tag
    | FindSpan
    | Embed
    | EmbedTokens
    | FillMask
)
RequestKind: TypeAlias = Literal[
    "LogLikelihood",
    "RollingLogLikelihood",
    "Generate",
    "Classify",
    "Regress",
    "Tag",
    "FindSpan",
    "Embed",
    "EmbedTokens",
    "FillMask",
]


@dataclass(frozen=True, slots=True)
class Usage:
    """What a request took: tokens read and written, and what had to be left out for the model's window."""

    prompt_tokens: int = 0
    output_tokens: int = 0
    dropped_demonstrations: int = 0
    cut_tokens: int = 0


@dataclass(frozen=True, slots=True)
class LogLikelihoods:
    """One sum of log-probabilities (natural logarithm, unnormalised) a continuation, in the request's order.

    Attributes:
        tokens: how many tokens each sum goes over; empty where the engine does not know.
        greedy: whether each token of a continuation is the likeliest in its place; empty where that was not asked for,
            or the engine does not know.
    """

    values: tuple[float, ...]
    usage: Usage = Usage()
    tokens: tuple[int, ...] = ()
    greedy: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """A generated text, without the stop string that ended it, and why it ended."""

    text: str
    finish: Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Generated(Written):
    """The first answer, and the further n - 1; the usage has the tokens of all that were written.

    Attributes:
        first_token_s: seconds from the engine's being asked until the first token was there; None where it does not
            time its tokens. Two answers that differ in it alone are equal.
    """

    usage: Usage = Usage()
    more: tuple[Written, ...] = ()
    first_token_s: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Classified:
    """One log-probability a label, in the request's order; they sum to 1 after exp unless `several` was asked for."""

    log_probs: tuple[float, ...]
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class Regressed:
    """The text's number."""

    value: float
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class Tagged:
    """A tag for each word of the text: `O`, or `B-` and `I-` with a type (IOB2, see `harness.entities`).

    A word that the model did not get to see, behind the end of its window, has `O`.
    """

    tags: tuple[str, ...]
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class FoundSpan:
    """The answer as it stands in the passage; empty where it holds none.

    Attributes:
        start: the letter of the passage at which it begins; -1 where there is none.
    """

    answer: str
    start: int
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class Embedded:
    """The text's vector."""

    vector: tuple[float, ...]
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedTokens:
    """A vector a token, in the order of the text; what the window does not hold is left out.

    Attributes:
        tokens: (L) as the model's vocabulary spells them: equal ones are the same token.
        special: (L) whether each frames the text ([CLS], [SEP], <s>, </s>) rather than stands in it.
        vectors: (L, D) float32.
    """

    tokens: tuple[str, ...]
    special: tuple[bool, ...]
    vectors: NDArray[np.float32]
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class Filled:
    """One log-probability (natural logarithm) a filling, in the request's order.

    A filling of m tokens stands in the place of m masks: its value is the sum of log p(token i | the text with all m
    masked), each p over the whole vocabulary. One token: the cloze score of PET (Schick & Schuetze 2021,
    arXiv:2001.07676); several, all masked at once instead of being filled in one after the other, as PET scores them in
    training (Schick & Schuetze 2021, arXiv:2009.07118). Values of fillings with different numbers of tokens are not
    normalised: each token costs. `tokens` is as in `LogLikelihoods`.
    """

    values: tuple[float, ...]
    usage: Usage = Usage()
    tokens: tuple[int, ...] = ()


Response: TypeAlias = (
    LogLikelihoods | Generated | Classified | Regressed | Tagged | FoundSpan | Embedded | EmbeddedTokens | Filled
)
