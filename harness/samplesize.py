"""How much so many samples can tell: detectable differences, and percentiles that rest on enough."""

from __future__ import annotations

import math

from harness.distributions import normal_quantile


def minimum_detectable_difference(n: int, discordance: float, *, power: float = 0.8, level: float = 0.95) -> float:
    """The smallest difference of two accuracies that a paired test finds with that power.

    The normal approximation of Miller (2024, "Adding Error Bars to Evals", arXiv:2411.00640).

    Args:
        n: how many samples both answer.
        discordance: the share of samples that one of the two has right and the other wrong. No difference is larger, so
            a result above it means that so few samples can't show any.
        power: how often the difference is to be found.
        level: 1 - the test's level of significance.
    """
    return (normal_quantile((1 + level) / 2) + normal_quantile(power)) * math.sqrt(discordance / n)


def samples_to_settle(difference: float, discordance: float, *, power: float = 0.8, level: float = 0.95) -> int | None:
    """How many samples it takes to find that difference of two accuracies with a paired test.

    The formula for McNemar's test of Connor (1987, Biometrics 43:207), with what was observed in place of what is true:
    a guess, as good as the difference is known.

    Args:
        difference: of the two accuracies.
        discordance: the share of samples that one of the two has right and the other wrong (or the mean squared
            difference).
        power: how often the difference is to be found.
        level: 1 - the test's level of significance.

    Returns:
        None where there is no difference: no number of samples would find it.
    """
    if difference == 0 or discordance <= 0:
        return None
    of_none, of_some = math.sqrt(discordance), math.sqrt(max(discordance - difference**2, 0.0))
    return math.ceil(
        ((normal_quantile((1 + level) / 2) * of_none + normal_quantile(power) * of_some) / difference) ** 2
    )


def samples_for_percentile(q: float, level: float = 0.95) -> int:
    """How many samples it takes until the largest is, with that confidence, no less than the percentile `q`.

    With fewer, a percentile has no upper bound that is free of assumptions (David & Nagaraja 2003, Order Statistics,
    7.1). p50 takes 5, p90 29, p95 59, p99 299.

    Args:
        q: between 0 and 100, both excluded.
        level: the confidence.
    """
    return math.ceil(math.log(1 - level) / math.log(q / 100))


def percentile_is_thin(n: int, q: float) -> bool:
    """Whether `n` samples are too few for the percentile `q`, by `samples_for_percentile`."""
    return n < samples_for_percentile(q)
