"""Tests for training/descent.py."""

import copy

import pytest
import torch
from torch import nn

from tinyvla_gym.training.config import TrainConfig
from tinyvla_gym.training.descent import descend
from tinyvla_gym.training.ema import Ema
from tinyvla_gym.training.rates import learning_share
from tinyvla_gym.training.team import Team

SLOPES = (0.1, 0.2, 300.0)  # only the last is clipped
OPTIMIZERS = {
    "as it comes": {},
    "with other means": {"betas": (0.5, 0.6)},
    "with another epsilon": {"epsilon": 10.0},
    "with decay": {"weight_decay": 0.3},
    "unclipped": {"clip_norm": None},
}


def descended(network, tmp_path, **settings):
    """The weights after three steps down given slopes, the last ones."""
    config = TrainConfig(steps=3, warmup_steps=1, ema_decay=0.0, **settings)
    learner = copy.deepcopy(network)

    def take(step):
        for weight in learner.parameters():
            weight.grad = torch.full_like(weight, SLOPES[step])
        return 0.0, 0.0

    ema = Ema(learner, config.ema_decay)
    kept = descend(learner, ema, take, config, tmp_path, Team(0, 1), lambda _: None)
    return torch.cat([weight.flatten() for weight in kept.parameters()]), config


@pytest.mark.parametrize("settings", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_the_steps_are_adamws_with_what_the_settings_say(settings, tmp_path) -> None:
    network = nn.Linear(2, 1)

    found, config = descended(network, tmp_path, **settings)

    theirs = torch.optim.AdamW(
        network.parameters(),
        betas=config.betas,
        eps=config.epsilon,
        weight_decay=config.weight_decay,
    )
    for step in range(config.steps):
        theirs.param_groups[0]["lr"] = config.learning_rate * learning_share(step, config)
        for weight in network.parameters():
            weight.grad = torch.full_like(weight, SLOPES[step])
        if config.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(network.parameters(), config.clip_norm)
        theirs.step()
    expected = torch.cat([weight.flatten() for weight in network.parameters()])
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_every_setting_of_the_optimiser_matters(tmp_path) -> None:
    network = nn.Linear(2, 1)

    ends = [
        descended(network, tmp_path / str(place), **settings)[0]
        for place, settings in enumerate(OPTIMIZERS.values())
    ]

    for place, one in enumerate(ends[1:], 1):
        assert not torch.equal(ends[0], one), list(OPTIMIZERS)[place]
