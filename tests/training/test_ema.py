"""Tests for training/ema.py."""

import pytest
import torch
from torch import nn

from tinyvla_gym.training.ema import Ema


class OneWeight(nn.Module):
    def __init__(self, value=0.0):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([value]))
        self.register_buffer("mean", torch.tensor([value]))
        self.register_buffer("count", torch.tensor([0]))
        self.drop = nn.Dropout()


def moved(model, value):
    with torch.no_grad():
        model.weight.fill_(value)
        model.mean.fill_(value)
    return model


@pytest.mark.parametrize(
    ("decay", "step", "kept"),
    [(0.999, 0, 0.1), (0.999, 90, 0.91), (0.5, 90, 0.5), (0.999, 100_000, 0.999), (0.0, 5, 0.0)],
)
def test_one_update_keeps_the_lesser_of_decay_and_warm_up(decay, step, kept) -> None:
    model = OneWeight(1.0)
    ema = Ema(model, decay)

    ema.update(moved(model, 0.0), step)

    assert ema.model.weight.item() == pytest.approx(kept)
    assert ema.model.mean.item() == pytest.approx(kept)


def test_many_updates_are_the_moving_average() -> None:
    model, wanted = OneWeight(), 0.0
    ema = Ema(model, 0.9)

    for step in range(1_000, 1_020):
        ema.update(moved(model, float(step % 7)), step)
        wanted = 0.9 * wanted + 0.1 * (step % 7)

    assert ema.model.weight.item() == pytest.approx(wanted, rel=1e-5)


def test_counters_are_copied() -> None:
    model = OneWeight()
    ema = Ema(model, 0.999)
    model.count.fill_(41)

    ema.update(model, 10_000)

    assert ema.model.count.item() == 41


def test_the_average_is_a_copy_for_evaluation_and_the_model_stays_as_it_is() -> None:
    model = OneWeight(2.0).train()
    ema = Ema(model, 0.9)

    ema.update(moved(model, 3.0), 1_000)

    assert model.weight.item() == 3.0
    assert model.training
    assert model.weight.requires_grad
    assert not ema.model.training
    assert not ema.model.drop.training
    assert not ema.model.weight.requires_grad
