"""The budget of tokens grows as long as that is faster, and shrinks when memory runs out. Devices here are fakes."""

import pytest

from harness_hf import batching
from harness_hf.batching import TokenBudget


class FakeDevice:
    """Takes a time that is its overhead and then so much a token, up to its memory; a clock and a forward."""

    def __init__(self, *, overhead_s=0.0, per_token_s=1e-3, memory=10**9):
        self.now = 0.0
        self.batches = []
        self._overhead_s, self._per_token_s, self._memory = overhead_s, per_token_s, memory

    def forward(self, batch):
        tokens = sum(batch)
        if tokens > self._memory:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        self.batches.append(tokens)
        self.now += self._overhead_s + self._per_token_s * tokens


@pytest.fixture
def run(monkeypatch):
    """Run 4,000 items of 8 tokens on a device within a budget."""

    def run(device, budget):
        monkeypatch.setattr(batching, "perf_counter", lambda: device.now)
        budget.run([8] * 4_000, lambda item: item, device.forward)
        assert sum(device.batches) == 32_000
        return budget

    return run


def test_it_grows_until_more_tokens_are_hardly_faster(run):
    device = FakeDevice(overhead_s=0.2)  # 5% faster up to where the overhead is a 20th of the rest
    budget = run(device, TokenBudget(256, growing=True))
    assert budget.tokens == 2_048
    assert not budget.growing
    assert device.batches[:5] == [256, 512, 1_024, 2_048, 4_096], "4,096 were tried and given up"
    assert set(device.batches[5:-1]) == {2_048}


def test_where_all_sizes_are_alike_the_first_stays(run):
    assert run(FakeDevice(), TokenBudget(256, growing=True)).tokens == 256


def test_memory_that_runs_out_ends_the_growth(run):
    device = FakeDevice(overhead_s=10.0, memory=1_000)
    budget = run(device, TokenBudget(256, growing=True))
    assert budget.tokens == 512
    assert not budget.growing
    assert max(device.batches) == 512


def test_a_budget_that_does_not_grow_looks_at_no_clock(run):
    device = FakeDevice(overhead_s=1.0)
    assert run(device, TokenBudget(256)).tokens == 256
    assert set(device.batches) == {256}


def test_a_forward_that_is_not_full_says_nothing(monkeypatch):
    device = FakeDevice(overhead_s=1.0)
    monkeypatch.setattr(batching, "perf_counter", lambda: device.now)
    budget = TokenBudget(256, growing=True)
    budget.run([8] * 4, lambda item: item, device.forward)
    assert budget.tokens == 256
    assert budget.growing
