"""Weights as 8-bit integers: on a CPU with modules of our own, on cuda with torchao.

A weight has a scale for each output, as in LLM.int8() (Dettmers et al. 2022). On a CPU the inputs become integers too,
of two 8-bit digits each with a scale for each token: with one digit, a token's few large entries leave the others none
of their bits, and answers change. Sums of integers are exact, so a token never depends on what else is in its batch.
Where a CPU gets such sums wrong, weights are made floating point again for each product: only memory is saved then.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from harness.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transformers import PreTrainedModel

MOST = 127
"""Integers go from -127 to 127: -128 would have no positive counterpart."""

BASE = 128
"""What the higher digit counts."""

LEAST = 1e-30
"""Scales of rows that are all zeros: something to divide by."""

INSTALL = "pip install 'adapt-harness[cuda]'"

log = logging.getLogger(__name__)


def quantize(model: PreTrainedModel) -> None:
    """Make the weights of a loaded model 8-bit integers, where it is.

    On a CPU: those of all linear layers, the output head too; where the head is the embedding as well, both look into
    the same integers (or stay as they are, where the embedding does more than to look up). On cuda: those of all
    linear layers but the head, by torchao. Embeddings of their own, norms and all that is computed between stay of the
    model's dtype. The model has to fit into memory before, too.

    Raises:
        ModelError: on other devices, on cuda without torchao, and when the model can't do with such layers.
    """
    if model.device.type == "cpu":
        _with_own_modules(model)
        _try_out(model)
    elif model.device.type == "cuda":
        _with_torchao(model)
    else:
        raise ModelError(
            f"int8 runs on a CPU or on cuda, not on {model.device.type}", hint="leave quantization out, or --device cpu"
        )


def is_quantized(model: nn.Module) -> bool:
    """Whether `quantize` has changed it."""
    return any(isinstance(layer, Int8Linear) for layer in model.modules()) or any(
        type(weight).__module__.startswith("torchao.") for weight in model.parameters()
    )


@contextmanager
def floating(model: nn.Module) -> Iterator[None]:
    """Keep the inputs of quantised layers floating point for a while.

    Rounding to integers turns a last bit that differs into a thousandth, which would hide what is equal but for that.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, Int8Linear) and layer.integers]
    for layer in layers:
        layer.integers = False
    try:
        yield
    finally:
        for layer in layers:
            layer.integers = True


def rounded(weight: Tensor) -> tuple[Tensor, Tensor]:
    """A weight (N, K) -> int8 (N, K) and scales (N,): an entry is off by half a scale at most, its row's largest / 254.

    Symmetric, to the nearest.
    """
    weight = weight.detach().float()
    scale = (weight.abs().amax(-1) / MOST).clamp(min=LEAST)
    return (weight / scale[:, None]).round_().to(torch.int8), scale


def digits(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Float32 (M, K) -> int8 (2, M, K), the higher digits and the lower ones, and scales (M, 1).

    (128 * higher + lower) * scale is the row; an entry is off by half a scale at most, its row's largest / 32,512.
    """
    scale = (rows.abs().amax(-1, keepdim=True) / (MOST * BASE)).clamp(min=LEAST)
    whole = (rows / scale).round_()
    both = torch.empty(2, *rows.shape, dtype=torch.int8, device=rows.device)
    higher = (whole / BASE).round_()
    both[0] = higher
    both[1] = whole.sub_(higher, alpha=BASE)
    return both, scale


@cache
def multiplies_integers() -> bool:
    """Whether this CPU's products of int8 are right: without VNNI oneDNN's sums run over."""
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randint(-MOST, MOST + 1, (40, 96), generator=generator, dtype=torch.int8) for _ in range(2))
    a[0] = b[0] = MOST
    right = torch.equal(torch._int_mm(a, b.t()), (a.double() @ b.double().t()).int())
    if not right:
        log.info("this CPU gets products of 8-bit integers wrong: int8 saves memory here, but no time")
    return right


class Int8Matrix(nn.Module):
    """A matrix (N, K) as integers, with a scale for each row.

    Attributes:
        whole: (N, K) int8.
        scale: (N,) float32.
        dtype: of the matrix that it stands for.
    """

    whole: Tensor
    scale: Tensor

    def __init__(self, whole: Tensor, scale: Tensor, dtype: torch.dtype) -> None:
        super().__init__()
        self.register_buffer("whole", whole)
        self.register_buffer("scale", scale)
        self.dtype = dtype

    @property
    def weight(self) -> Tensor:
        """(N, K) floating point, made anew: for architectures that look at a layer's weight, or multiply by it."""
        return (self.whole * self.scale[:, None]).to(self.dtype)

    def extra_repr(self) -> str:
        """What stands in the brackets when a model is printed."""
        rows, columns = self.whole.shape
        return f"{rows} x {columns}, {self.dtype}"


class Int8Linear(Int8Matrix):
    """A linear layer, K inputs and N outputs. Forwards keep nothing, so that any number of threads may run them.

    Attributes:
        bias: (N,) or None.
        integers: whether inputs become integers, see `multiplies_integers`.
    """

    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None, *, integers: bool) -> None:
        """Of a floating-point weight (N, K)."""
        super().__init__(*rounded(weight), weight.dtype)
        self.register_buffer("bias", None if bias is None else bias.detach())
        self.integers = integers

    def forward(self, states: Tensor) -> Tensor:
        """(..., K) -> (..., N) of the same dtype."""
        rows = states.reshape(-1, states.shape[-1]).float()
        if self.integers:
            both, scales = digits(rows)
            higher, lower = torch._int_mm(both.flatten(0, 1), self.whole.t()).chunk(2)
            found = higher.float().mul_(BASE).add_(lower).mul_(scales)
        else:
            found = nn.functional.linear(rows, self.whole.float())
        found = found.mul_(self.scale) if self.bias is None else torch.addcmul(self.bias.float(), found, self.scale)
        return found.to(states.dtype).reshape(*states.shape[:-1], len(self.whole))


class Int8Embedding(Int8Matrix):
    """The embedding of a model whose output head is the same matrix: it looks up the head's integers."""

    def __init__(self, head: Int8Linear) -> None:
        super().__init__(head.whole, head.scale, head.dtype)

    def forward(self, ids: Tensor) -> Tensor:
        """(...) tokens -> (..., K)."""
        return (self.whole[ids] * self.scale[ids].unsqueeze(-1)).to(self.dtype)


def _with_own_modules(model: PreTrainedModel) -> None:
    """Replace linear layers one by one, so that each one's floats are gone before the next one's integers come."""
    integers = multiplies_integers()
    head: Any = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    embedding: Any = model.get_input_embeddings()
    tied = head is not None and embedding is not None and head.weight is embedding.weight
    plain = type(embedding) is nn.Embedding  # others do more than to look up
    # Not what extends these classes: it may do more.
    names = [name for name, layer in model.named_modules() if type(layer) in {nn.Linear, Conv1D}]
    for name in names:
        layer: Any = model.get_submodule(name)  # not kept in the list, which would keep its floats
        if layer is head and tied and not plain:
            continue
        weight = layer.weight.t() if isinstance(layer, Conv1D) else layer.weight
        made = Int8Linear(weight, layer.bias, integers=integers)
        model.set_submodule(name, made)
        if layer is head and tied:
            model.set_input_embeddings(Int8Embedding(made))


@torch.inference_mode()
def _try_out(model: PreTrainedModel) -> None:
    """See whether the model's own code is content with layers whose weights are integers."""
    try:
        model(**model.dummy_inputs)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{type(model).__name__} can't run with 8-bit weights: {str(error).partition(chr(10))[0]}",
            hint="leave quantization out",
        ) from error


def _as_linear(layer: Conv1D) -> nn.Linear:
    """The same as torch's own linear layer."""
    inputs, outputs = layer.weight.shape
    made = nn.Linear(inputs, outputs, device="meta")
    made.weight = nn.Parameter(layer.weight.detach().t().contiguous(), requires_grad=False)
    made.bias = layer.bias
    return made


def _with_torchao(model: PreTrainedModel) -> None:
    if find_spec("torchao") is None:
        raise ModelError("quantization=int8 on cuda needs torchao, which is not installed", hint=INSTALL)
    from torchao.quantization import Int8WeightOnlyConfig, quantize_  # type: ignore[import-not-found, unused-ignore]

    for name, layer in list(model.named_modules()):
        if isinstance(layer, Conv1D):  # which torchao does not know
            model.set_submodule(name, _as_linear(layer))
    head = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    quantize_(model, Int8WeightOnlyConfig(), lambda layer, _: type(layer) is nn.Linear and layer is not head)
