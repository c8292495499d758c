"""Normal and binomial probabilities. Here, since importing SciPy takes longer than all that is asked of it."""

from __future__ import annotations

import math
from statistics import NormalDist

_NORMAL = NormalDist()


def normal_quantile(p: float) -> float:
    """The standard normal's quantile (Wichura 1988, AS 241: exact to about 1e-16), for 0 < p < 1."""
    return _NORMAL.inv_cdf(p)


def normal_cdf(x: float) -> float:
    """The probability that a standard normal is at most x."""
    return math.erfc(-x / math.sqrt(2)) / 2


def binomial_quantile(p: float, n: int, q: float) -> int:
    """The smallest k for which at most k successes in n trials, each with the chance q, have the probability p or more.

    For 0 < p < 1 and 0 < q < 1.
    """
    logs = math.log(q), math.log1p(-q)
    of_n, total = math.lgamma(n + 1), 0.0
    for k in range(n):
        ways = of_n - math.lgamma(k + 1) - math.lgamma(n - k + 1)
        total += math.exp(ways + k * logs[0] + (n - k) * logs[1])
        if total >= p:
            return k
    return n


def fair_binomial_cdf(k: int, n: int) -> float:
    """The probability of at most k heads in n tosses of a fair coin; to 10 digits up to 10^6 tosses.

    The terms are summed from the k-th down, each a multiple of the one above it, until they no longer count.
    """
    if 2 * k >= n:
        return 1.0 - (fair_binomial_cdf(n - k - 1, n) if k < n else 0.0)
    total = term = 1.0
    for heads in range(k, 0, -1):
        term *= heads / (n - heads + 1)
        total += term
        if term < 1e-17 * total:
            break
    of_k = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2)
    return math.exp(of_k + math.log(total))
