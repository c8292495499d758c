"""The metrics that come with the harness: accuracy, exact match, F1 and cross-entropy, each with its 95% interval."""

from __future__ import annotations

from harness.hookspecs import Register, hookimpl


@hookimpl
def register_metrics(register: Register) -> None:
    """Add the metrics."""
    register("accuracy", "harness_metrics.proportion:Accuracy", summary="share of right answers (Wilson)")
    register(
        "exact_match",
        "harness_metrics.proportion:ExactMatch",
        summary="share of extracted answers equal to the reference (Wilson)",
    )
    register("macro_f1", "harness_metrics.f1:MacroF1", summary="mean of the labels' F1 (bootstrap)")
    register("micro_f1", "harness_metrics.f1:MicroF1", summary="F1 of all labels' counts together (bootstrap)")
    register(
        "cross_entropy",
        "harness_metrics.likelihood:CrossEntropy",
        summary="nats the right answer was short of certain, mean (bootstrap)",
    )
