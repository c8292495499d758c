"""Baselines that every model should beat: the most frequent label, chance, and logistic regression on TF-IDF."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING

from harness.hookspecs import Register, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable


@hookimpl
def register_models(register: Register) -> None:
    """Add the baselines."""
    register(
        "majority",
        "harness_baselines.majority:Majority",
        summary="the most frequent training label, or the mean, always",
    )
    register(
        "stratified", "harness_baselines.stratified:Stratified", summary="guesses each label as often as it occurs"
    )
    register("random", "harness_baselines.chance:Chance", summary="seeded guesses: chance level, 1 in k on average")
    register("tfidf-lr", "harness_baselines.tfidf:TfidfLogReg", summary="logistic or ridge regression on TF-IDF")


@hookimpl
def diagnose() -> Iterable[tuple[str, str]]:
    """Say whether scikit-learn is there, which `tfidf-lr` needs."""
    try:
        yield "scikit-learn", importlib.metadata.version("scikit-learn")
    except importlib.metadata.PackageNotFoundError:
        yield "scikit-learn", "missing, tfidf-lr needs it: pip install 'adapt-harness[baselines]'"
