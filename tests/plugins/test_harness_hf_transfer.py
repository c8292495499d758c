"""Ids on their way to the device."""

import pytest
import torch

from harness_hf.transfer import on_device

CPU = torch.device("cpu")


@pytest.mark.parametrize("ids", [[], [3, 1], [[1, 2], [3, 4]], (5, 6), [[1], [2]]])
def test_numbers_become_a_tensor_of_int64(ids):
    found = on_device(ids, CPU)
    assert found.dtype is torch.long
    assert found.tolist() == (list(ids) if isinstance(ids, tuple) else ids)


def test_a_tensor_stays_as_it_is():
    ids = torch.tensor([1.5], dtype=torch.bfloat16)
    assert on_device(ids, CPU) is ids


def test_to_cuda_it_goes_from_pinned_memory_without_waiting(monkeypatch):
    calls = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: calls.append("pinned") or self)
    monkeypatch.setattr(torch.Tensor, "to", lambda self, device, **options: calls.append((device, options)) or self)
    cuda = torch.device("cuda", 1)
    on_device([1, 2], cuda)
    assert calls == ["pinned", (cuda, {"non_blocking": True})]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no cuda device")
def test_on_cuda_the_numbers_arrive():
    found = on_device([[1, 2], [3, 4]], torch.device("cuda"))
    assert found.device.type == "cuda"
    assert found.tolist() == [[1, 2], [3, 4]]
    assert on_device(found, torch.device("cuda")) is found
