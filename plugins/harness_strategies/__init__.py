"""Strategies: zero-shot and few-shot prompting, context conditioning, linear probes, fine-tuning."""

from __future__ import annotations

from harness.hookspecs import Register, hookimpl


@hookimpl
def register_strategies(register: Register) -> None:
    """Add the strategies of this package."""
    register("zero-shot", "harness_strategies.prompting:ZeroShot", summary="ask with the task's prompt alone")
    register(
        "few-shot", "harness_strategies.prompting:FewShot", summary="put k solved training rows before the question"
    )
    register("knn", "harness_strategies.neighbours:NeighbourVote", summary="the vote of the nearest training rows")
    register(
        "context",
        "harness_strategies.context:context",
        summary="put each sample's context before its input, under another strategy",
    )
    register(
        "linear-probe",
        "harness_strategies.probing:LinearProbe",
        summary="logistic regression on the frozen model's embeddings",
    )
    register(
        "finetune", "harness_strategies.finetuning:FineTune", summary="train the model on the task's training rows"
    )
