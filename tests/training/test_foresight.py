"""Tests for training/foresight.py."""

import pytest
import torch
from tiny_models import a_model

from tinyvla_gym.policies.tinyvla.model import Inputs
from tinyvla_gym.training.batches import Batch
from tinyvla_gym.training.foresight import Learner


def a_batch(size=4, future=0.0):
    draw = torch.Generator().manual_seed(0)
    pictures = [
        torch.randint(0, 255, (size, *shape, 3), generator=draw, dtype=torch.uint8)
        for shape in ((12, 16), (8, 8))
    ]
    return Batch(
        inputs=Inputs(
            images=pictures,
            words=a_model().tokenize(["open it"] * size),
            state=torch.randn(size, 2, generator=draw),
        ),
        actions=torch.zeros(size, 8, 2),
        is_pad=torch.zeros(size, 8, dtype=torch.bool),
        future=torch.full((size, 3, 2), future),
    )


def a_learner(times=3, weight=1.0):
    return Learner(a_model(), times=times, state_size=2, weight=weight)


def loss_of(learner, batch):
    return learner.loss(batch, draws=1, generator=torch.Generator().manual_seed(1))


def test_without_foresight_the_loss_is_the_models() -> None:
    learner, batch = a_learner(times=0), a_batch()

    plain = learner.model.loss(
        batch.inputs, batch.actions, batch.is_pad, generator=torch.Generator().manual_seed(1)
    )

    assert torch.equal(loss_of(learner, batch), plain)


@pytest.mark.parametrize("weight", [0.0, 0.5, 2.0])
def test_the_error_of_what_is_foretold_is_added_with_its_weight(weight) -> None:
    learner = a_learner(weight=weight)
    torch.nn.init.zeros_(learner.foretell.weight)
    torch.nn.init.zeros_(learner.foretell.bias)  # foretells 0 everywhere

    added = loss_of(learner, a_batch(future=3.0)) - loss_of(learner, a_batch(future=0.0))

    assert added.item() == pytest.approx(9 * weight, abs=1e-4)


def test_foresight_teaches_the_backbone() -> None:
    learner, batch = a_learner(), a_batch(future=1.0)
    for parameter in learner.model.head.parameters():
        parameter.requires_grad_(False)

    loss = loss_of(learner, batch) - loss_of(a_learner(times=0), batch).detach()
    loss.backward()

    assert all(
        parameter.grad is not None and parameter.grad.any()
        for name, parameter in learner.model.backbone.named_parameters()
        if "towers.0.stem.weight" in name
    )


def test_in_half_precision_the_loss_is_nearly_the_same_and_the_head_stays_whole() -> None:
    torch.manual_seed(0)
    learner, batch = a_learner(), a_batch()
    whole = loss_of(learner, batch)
    learner.in_half = True
    seen = []
    for part in (learner.model.norm, learner.model.fusion):
        part.register_forward_hook(lambda _part, _given, made: seen.append(made.dtype))
    errors = learner.model.head.errors
    learner.model.head.errors = lambda condition, *rest: (
        seen.append(condition.dtype) or errors(condition, *rest)
    )

    half = loss_of(learner, batch)

    assert seen == [torch.float32] * 3
    assert half.item() != whole.item()  # something was computed otherwise
    assert half.item() == pytest.approx(whole.item(), rel=0.02)
