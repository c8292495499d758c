"""What a checkpoint is, read from its config.json alone: a causal language model or an encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from harness.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

Family: TypeAlias = Literal["causal", "encoder"]

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


def family_of(config: Mapping[str, Any], where: str) -> Family:
    """Which kind of engine a checkpoint needs.

    Raises:
        ModelError: for encoder-decoders and other kinds that are not supported.
    """
    architectures = [str(name) for name in config.get("architectures") or []]
    if config.get("is_encoder_decoder") or any(name.endswith("ForConditionalGeneration") for name in architectures):
        raise ModelError(
            "encoder-decoders, and models that read more than text, are not supported yet",
            where=where,
            hint="give a causal language model (...ForCausalLM) or an encoder (BertModel, ...ForMaskedLM)",
        )
    if any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in architectures):
        return "causal"
    if config.get("model_type") in ENCODERS or any(name.endswith("ForMaskedLM") for name in architectures):
        return "encoder"
    named = ", ".join(architectures) or f"model_type {config.get('model_type')!r} without architectures"
    raise ModelError(
        f"no engine for {named}",
        where=where,
        hint="config.json has to name a ...ForCausalLM, or an encoder such as BertModel or RobertaForMaskedLM",
    )
