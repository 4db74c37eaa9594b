"""Tests for policies/tinyvla/heads/flow.py."""

import pytest
import torch
from tiny_heads import ACTIONS, CONDITION, HORIZON, a_head, seeded
from torch import nn

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.policies.tinyvla.heads.flow import FlowHead

ANSWER = torch.rand(1, HORIZON, ACTIONS, generator=seeded()) * 2 - 1


class Knows(nn.Module):
    """The true velocity, when there is one chunk only."""

    def forward(self, between, level, condition):
        return (ANSWER - between) / (1 - level[:, None, None] / 100)


@pytest.mark.parametrize("steps", [1, 3, 10])
def test_the_true_velocity_has_no_loss_and_leads_to_the_answer(steps) -> None:
    head, condition = FlowHead(Knows(), sample_steps=steps), torch.zeros(1, CONDITION)
    counts = torch.zeros(1, HORIZON, dtype=torch.bool)

    loss = head.loss(condition, ANSWER, counts, draws=100, generator=seeded())
    plan = head.sample(condition, torch.randn(ANSWER.shape, generator=seeded(1)))

    assert loss < 1e-6
    torch.testing.assert_close(plan, ANSWER, rtol=0, atol=1e-5)


def test_a_plan_takes_as_many_evaluations_as_steps_evenly_spaced() -> None:
    head, seen = a_head("flow", sample_steps=4), []
    head.denoiser.register_forward_pre_hook(lambda _part, given: seen.append(given[1].item()))

    head.sample(torch.zeros(1, CONDITION), torch.zeros(1, HORIZON, ACTIONS))

    assert seen == [0.0, 25.0, 50.0, 75.0]


def test_a_plan_needs_a_step() -> None:
    with pytest.raises(ConfigError, match="sample_steps must be at least 1, got 0"):
        FlowHead(Knows(), sample_steps=0)
