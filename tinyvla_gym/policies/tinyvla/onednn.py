"""Layers on a CPU by oneDNN, which ships with torch, where torch itself would ask others.

For linear layers it asks MKL, which does not use all of an AMD processor: there a layer of a large
transformer takes half as long this way. For a convolution over a single chunk it has a plain loop,
which reads the weights at a third of the speed. The numbers differ in the last bits. Everything
else goes to torch as before: other devices and precisions, autocast, compilation and export.

Shapes: B any leading sizes, I and O features, K places, T width of a convolution.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


def use_onednn(network: nn.Module) -> None:
    """Has a network's linear layers and 1-D convolutions ask oneDNN; weights and names stay."""
    for part in network.modules():
        if type(part) is nn.Linear:
            part.__class__ = OneDnnLinear
        elif type(part) is nn.Conv1d and part.groups == 1 and part.dilation == (1,):
            part.__class__ = OneDnnConv1d


class OneDnnLinear(nn.Linear):
    """A linear layer that asks oneDNN where it can."""

    def forward(self, input: Tensor) -> Tensor:
        """Maps (B, I) to (B, O)."""
        if not _fits(input, self.weight):
            return super().forward(input)
        if torch.is_grad_enabled():
            return _Linear.apply(input, self.weight, self.bias)  # pyright: ignore
        return _linear(input, self.weight, self.bias)


class OneDnnConv1d(nn.Conv1d):
    """A convolution that is a linear layer of each place's surroundings where that is faster.

    Attributes:
        as_product: Whether to be one always, in an exported graph too: there only products of
            matrices can be rounded to 8 bits.
    """

    as_product = False

    def forward(self, input: Tensor) -> Tensor:
        """Maps (B, I, K) to (B, O, K / stride)."""
        alone = _fits(input, self.weight) and not torch.is_grad_enabled() and len(input) == 1
        if not (self.as_product or alone):
            return super().forward(input)
        padded = F.pad(input, (int(self.padding[0]),) * 2)
        near = padded.unfold(2, self.kernel_size[0], self.stride[0])  # (B, I, K, T)
        flat = near.transpose(1, 2).flatten(2)  # (B, K, I T)
        multiply = _linear if alone else F.linear
        return multiply(flat, self.weight.flatten(1), self.bias).transpose(1, 2)


@contextmanager
def convolutions_as_products(network: nn.Module) -> Iterator[None]:
    """Has a network's ``OneDnnConv1d`` be products of matrices, whatever they would rather be."""
    found = [part for part in network.modules() if isinstance(part, OneDnnConv1d)]
    for part in found:
        part.as_product = True
    try:
        yield
    finally:
        for part in found:
            part.as_product = False


def _fits(x: Tensor, weight: Tensor) -> bool:
    return (
        x.numel() > 0
        and x.device.type == "cpu"
        and type(weight) in (Tensor, nn.Parameter)  # none that is spread over processes
        and x.dtype == weight.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and not torch.compiler.is_exporting()
        and torch.backends.mkldnn.is_available()
    )


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")


class _Linear(torch.autograd.Function):
    """The same with gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        needs_weight = ctx.needs_input_grad[1]
        ctx.save_for_backward(x if needs_weight else None, weight)
        return _linear(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore
        (gradient,) = gradients
        x, weight = ctx.saved_tensors
        rows = gradient.reshape(-1, gradient.shape[-1])
        of_x, of_weight, of_bias = ctx.needs_input_grad
        return (
            _linear(gradient, weight.t(), None) if of_x else None,
            _linear(rows.t(), x.reshape(-1, x.shape[-1]).t(), None) if of_weight else None,
            rows.sum(0) if of_bias else None,
        )
