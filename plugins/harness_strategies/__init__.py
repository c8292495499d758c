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
        "chain-of-thought",
        "harness_strategies.reasoning:ChainOfThought",
        summary="have reasoning written before the answer; several texts may vote",
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
        summary="logistic or ridge regression on the frozen model's embeddings",
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


@hookimpl
def register_selectors(register: Register) -> None:
    """Add the selectors of this package."""
    home = "harness_strategies.selection"
    register("balanced", f"{home}:Balanced", summary="a seeded draw, equally many of each label")
    register("bm25", f"{home}:Bm25", summary="for each sample the rows with the same rare words")
    register("diverse", f"{home}:Diverse", summary="a row of each of k clusters of embeddings")
    register("first", f"{home}:First", summary="the first rows of the file")
    register("knn", f"{home}:Knn", summary="for each sample the rows with the most similar embeddings")
    register("random", f"{home}:Random", summary="a seeded draw")
    register("votek", f"{home}:VoteK", summary="rows that many others have as neighbours")


@hookimpl
def register_orders(register: Register) -> None:
    """Add the orders of this package."""
    home = "harness_strategies.ordering"
    register("auto", f"{home}:Auto", summary="as drawn; what a search found with the most similar row last")
    register("rows", f"{home}:Rows", summary="as in the training split")
    register("seeded", f"{home}:Seeded", summary="shuffled, for each sample by itself")
    register("similar-first", f"{home}:SimilarFirst", summary="what a search found, the most similar row first")
    register("similar-last", f"{home}:SimilarLast", summary="what a search found, the most similar row last")


@hookimpl
def register_scorers(register: Register) -> None:
    """Add the scorers of this package."""
    home = "harness_strategies.scorers"
    register("channel", f"{home}:Channel", summary="how well a choice explains the input")
    register("mean", f"{home}:Mean", summary="log-likelihood per token")
    register("per-byte", f"{home}:PerByte", summary="log-likelihood per byte")
    register("pmi", f"{home}:Pmi", summary="log-likelihood less that after a prompt without the question")
    register("sum", f"{home}:Sum", summary="log-likelihood")


@hookimpl
def register_calibrators(register: Register) -> None:
    """Add the calibrators of this package."""
    home = "harness_strategies.calibration"
    register("batch", f"{home}:Batch", summary="take off what unlabelled training texts score on average")
    register("contextual", f"{home}:Contextual", summary="take off what inputs without content score on average")
