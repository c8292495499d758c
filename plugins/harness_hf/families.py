"""What a checkpoint is, read from its config.json alone: a causal language model, an encoder or an encoder-decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from harness.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Family: TypeAlias = Literal["causal", "encoder", "seq2seq"]

ENCODERS = frozenset(
    {
        "albert",
        "bert",
        "big_bird",
        "camembert",
        "convbert",
        "data2vec-text",
        "deberta",
        "deberta-v2",
        "distilbert",
        "electra",
        "ernie",
        "esm",
        "eurobert",
        "flaubert",
        "ibert",
        "layoutlm",
        "longformer",
        "luke",
        "megatron-bert",
        "mobilebert",
        "modernbert",
        "mpnet",
        "mra",
        "nezha",
        "nomic_bert",
        "nystromformer",
        "rembert",
        "roberta",
        "roberta-prelayernorm",
        "roc_bert",
        "roformer",
        "squeezebert",
        "xlm",
        "xlm-roberta",
        "xlm-roberta-xl",
        "xmod",
        "yoso",
    }
)
"""Values of `model_type` whose bare models read in both directions."""


SEQ2SEQ = frozenset(
    {
        "bart",
        "bigbird_pegasus",
        "blenderbot",
        "blenderbot-small",
        "encoder-decoder",
        "fsmt",
        "led",
        "longt5",
        "m2m_100",
        "marian",
        "mbart",
        "mt5",
        "mvp",
        "nllb-moe",
        "pegasus",
        "pegasus_x",
        "plbart",
        "prophetnet",
        "switch_transformers",
        "t5",
        "t5gemma",
        "umt5",
    }
)
"""Values of `model_type` of encoder-decoders that read and write text: of those that transformers'
`AutoModelForSeq2SeqLM` knows, the ones that read neither sound nor images."""

HEADS_OF_SEQ2SEQ = ("ForConditionalGeneration", "MTModel", "WithLMHeadModel", "EncoderDecoderModel")
"""How the names of architectures end that can write."""


def family_of(config: Mapping[str, Any], where: str) -> Family:
    """Which kind of engine a checkpoint needs.

    Raises:
        ModelError: for models that read more than text, and other kinds that are not supported.
    """
    architectures = [str(name) for name in config.get("architectures") or []]
    if _is_seq2seq(config, architectures):
        return "seq2seq"
    if config.get("is_encoder_decoder") or any(name.endswith(HEADS_OF_SEQ2SEQ) for name in architectures):
        raise ModelError(
            f"{_named(config, architectures)} is not supported: encoder-decoders have to read and write text, "
            "and nothing else",
            where=where,
            hint="give a causal language model (...ForCausalLM), an encoder-decoder of texts such as "
            "T5ForConditionalGeneration, or an encoder (BertModel, ...ForMaskedLM)",
        )
    if any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in architectures):
        return "causal"
    if config.get("model_type") in ENCODERS or any(name.endswith("ForMaskedLM") for name in architectures):
        return "encoder"
    raise ModelError(
        f"no engine for {_named(config, architectures)}",
        where=where,
        hint="config.json has to name a ...ForCausalLM, an encoder-decoder such as T5ForConditionalGeneration, "
        "or an encoder such as BertModel or RobertaForMaskedLM",
    )


def _is_seq2seq(config: Mapping[str, Any], architectures: Sequence[str]) -> bool:
    """Whether it is an encoder-decoder of texts with a head that writes, or a bare one that shares it with its input.

    Classifiers on top of such a model (BartForSequenceClassification) and halves of it (T5EncoderModel) are not.
    """
    kind = config.get("model_type")
    if not config.get("is_encoder_decoder", kind in SEQ2SEQ):
        return False
    if "AutoModelForSeq2SeqLM" in (config.get("auto_map") or {}):  # code of its own, which has to be trusted to run
        return True
    bare = all(name.endswith("Model") and not name.endswith("EncoderModel") for name in architectures)
    return kind in SEQ2SEQ and (bare or any(name.endswith(HEADS_OF_SEQ2SEQ) for name in architectures))


def _named(config: Mapping[str, Any], architectures: Sequence[str]) -> str:
    return ", ".join(architectures) or f"model_type {config.get('model_type')!r} without architectures"
