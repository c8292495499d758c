"""Seeds made of seeds: the same everywhere, within 63 bits, and different for different parts."""

from hypothesis import given
from hypothesis import strategies as st

from harness.seeds import answer_seeds, derived

SEEDS = st.integers(-(2**70), 2**70)


def test_they_are_what_sha256_says():
    """The first 63 bits of `printf '[0, "films:4"]' | sha256sum` and of `printf '[7, 1]' | sha256sum`."""
    assert derived(0, "films:4") == 0x6F6DF513DAD7B37B >> 1
    assert derived(7, 1) == 0xCBDAB031F7066C95 >> 1


@given(SEEDS, st.text())
def test_they_have_63_bits_and_a_text_is_no_number(seed, name):
    assert 0 <= derived(seed, name) < 2**63
    assert derived(seed, "1") != derived(seed, 1)


@given(SEEDS, st.integers(1, 40))
def test_the_first_of_several_answers_has_the_requests_own_seed(seed, n):
    seeds = answer_seeds(seed, n)
    assert seeds[0] == seed
    assert len(set(seeds)) == len(seeds) == n
    assert seeds == answer_seeds(seed, n + 1)[:n]
