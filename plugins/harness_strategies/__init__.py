"""Strategies: zero-shot and few-shot prompting, contexts, linear probes, fine-tuning of all or few weights."""

from __future__ import annotations

from harness.hookspecs import Register, hookimpl


@hookimpl
def register_strategies(register: Register) -> None:
    """Add the strategies of this package."""
    register("zero-shot", "harness_strategies.prompting:ZeroShot", summary="ask with the task's prompt alone")
    register(
        "few-shot", "harness_strategies.prompting:FewShot", summary="put k solved training rows before the question"
    )
    register(
        "prompt-search",
        "harness_strategies.promptsearch:PromptSearch",
        summary="of many prompts, the best one on validation rows",
    )
    register(
        "native",
        "harness_strategies.native:Native",
        summary="as a task of another harness says: its own number of demonstrations",
    )
    register("knn", "harness_strategies.neighbours:NeighbourVote", summary="the vote of the nearest training rows")
    register(
        "context",
        "harness_strategies.context:context",
        summary="put each sample's context before its input, under another strategy",
    )
    register(
        "pretrain",
        "harness_strategies.pretraining:pretrain",
        summary="go on with pre-training on the task's or other texts, under another strategy",
    )
    register(
        "linear-probe",
        "harness_strategies.probing:LinearProbe",
        summary="logistic regression on the frozen model's embeddings",
    )
    register(
        "prompt-finetune",
        "harness_strategies.promptfinetuning:PromptFineTune",
        summary="train the model to answer the task's prompt with the labels' words",
    )
    register(
        "setfit",
        "harness_strategies.contrastivetuning:SetFit",
        summary="tune an encoder on pairs of a few rows, then logistic regression on its embeddings",
    )
    register(
        "finetune", "harness_strategies.finetuning:FineTune", summary="train the model on the task's training rows"
    )
    register("lora", "harness_strategies.tuning:LoRA", summary="train low-rank updates of frozen weights, and a head")
    register(
        "prompt-tuning", "harness_strategies.tuning:PromptTuning", summary="train vectors before the text, and a head"
    )
    register(
        "prefix-tuning",
        "harness_strategies.tuning:PrefixTuning",
        summary="train keys and values before the text in every layer, and a head",
    )
    register("bitfit", "harness_strategies.tuning:BitFit", summary="train the biases alone, and a head")
