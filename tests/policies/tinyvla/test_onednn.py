"""Tests for policies/tinyvla/onednn.py: another library, the same numbers."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tinyvla_gym.policies.tinyvla import onednn
from tinyvla_gym.policies.tinyvla.llava_pythia.vision import QuickGelu
from tinyvla_gym.policies.tinyvla.onednn import (
    OneDnnConv1d,
    OneDnnLinear,
    convolutions_as_products,
    use_onednn,
)


def both(make):
    """A network as torch computes it, and its copy that asks oneDNN."""
    torch.manual_seed(0)
    plain = make()
    quick = copy.deepcopy(plain)
    use_onednn(quick)
    return plain, quick


def perceptron():
    return nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 4, bias=False))


def test_classes_change_and_weights_and_their_names_do_not() -> None:
    plain, quick = both(perceptron)

    assert [type(part) for part in quick] == [OneDnnLinear, nn.GELU, OneDnnLinear]
    torch.testing.assert_close(quick.state_dict(), plain.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize("shape", [(6,), (5, 6), (2, 3, 6), (0, 6)])
def test_linear_layers_give_the_same_with_and_without_gradients(shape) -> None:
    plain, quick = both(perceptron)
    x = torch.randn(shape)

    with torch.no_grad():
        torch.testing.assert_close(quick(x), plain(x))
    inputs = [x.clone().requires_grad_() for _ in range(2)]
    for network, given in zip((plain, quick), inputs, strict=True):
        network(given).square().sum().backward()
    torch.testing.assert_close(inputs[1].grad, inputs[0].grad)
    for ours, theirs in zip(quick.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_of_a_frozen_layer_only_the_input_gets_a_gradient() -> None:
    layer = both(lambda: nn.Linear(6, 8))[1].requires_grad_(False)
    x = torch.randn(2, 6, requires_grad=True)

    layer(x).sum().backward()

    assert layer.weight.grad is None
    torch.testing.assert_close(x.grad, layer.weight.sum(0).expand(2, -1))


CONVOLUTIONS = {
    "kept length": {"kernel_size": 5, "padding": 2},
    "halved length": {"kernel_size": 3, "stride": 2, "padding": 1},
    "one place": {"kernel_size": 1},
}


@pytest.mark.parametrize("settings", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
@pytest.mark.parametrize("rows", [1, 3])
@torch.no_grad()
def test_convolutions_give_the_same_for_one_chunk_and_for_many(rows, settings) -> None:
    plain, quick = both(lambda: nn.Conv1d(4, 6, **settings))
    x = torch.randn(rows, 4, 8)

    assert isinstance(quick, OneDnnConv1d)
    torch.testing.assert_close(quick(x), plain(x))
    with convolutions_as_products(quick):
        torch.testing.assert_close(quick(x), plain(x))


def test_a_convolution_that_is_no_plain_product_stays_as_it_is() -> None:
    grouped, spread = nn.Conv1d(4, 4, 3, groups=2), nn.Conv1d(4, 4, 3, dilation=2)

    use_onednn(nn.ModuleList([grouped, spread]))

    assert type(grouped) is type(spread) is nn.Conv1d


@torch.no_grad()
def test_what_onednn_is_not_asked_for_goes_to_torch(monkeypatch) -> None:
    quick = both(perceptron)[1]

    def refuse(*_):
        raise AssertionError("asked oneDNN")

    monkeypatch.setattr(onednn, "_linear", refuse)

    with torch.autocast("cpu", torch.bfloat16):
        quick(torch.randn(2, 6))
    quick.double()(torch.randn(2, 6, dtype=torch.float64))


def test_the_quick_gelu_is_clips_and_overwrites_only_what_nobody_differentiates() -> None:
    x = torch.linspace(-4, 4, 33, requires_grad=True)
    wanted = x * torch.sigmoid(1.702 * x)

    torch.testing.assert_close(QuickGelu()(x), wanted)
    assert torch.equal(x, torch.linspace(-4, 4, 33))
    with torch.no_grad():
        torch.testing.assert_close(QuickGelu()(F.relu(x) - F.relu(-x)), wanted)
