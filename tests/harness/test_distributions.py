import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import bdtr, ndtr, ndtri

from harness.distributions import binomial_quantile, fair_binomial_cdf, normal_cdf, normal_quantile


@given(st.floats(1e-12, 1 - 1e-12))
def test_normal_quantiles_are_scipys(p):
    assert normal_quantile(p) == pytest.approx(ndtri(p), rel=1e-12, abs=1e-14)


@given(st.floats(-30, 30))
def test_normal_probabilities_are_scipys(x):
    assert normal_cdf(x) == pytest.approx(ndtr(x), rel=1e-11)


@given(st.integers(0, 20_000), st.data())
def test_tosses_of_a_fair_coin_are_scipys(n, data):
    k = data.draw(st.integers(0, n))
    assert fair_binomial_cdf(k, n) == pytest.approx(bdtr(k, n, 0.5), rel=1e-9, abs=1e-300)


@given(st.floats(1e-6, 1 - 1e-6), st.integers(1, 2000), st.floats(0.01, 0.99))
def test_binomial_quantiles_are_scipys(p, n, q):
    k = binomial_quantile(p, n, q)
    assert bdtr(k, n, q) >= p - 1e-9
    assert k == 0 or bdtr(k - 1, n, q) < p + 1e-9


def test_many_tosses():
    assert fair_binomial_cdf(499_000, 1_000_000) == pytest.approx(bdtr(499_000, 1_000_000, 0.5), rel=1e-9)
