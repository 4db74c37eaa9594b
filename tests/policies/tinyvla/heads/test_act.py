"""Tests for policies/tinyvla/heads/act.py."""

import pytest
import torch
from tiny_heads import ACTIONS, CONDITION, HORIZON, a_head, seeded
from torch import nn

COUNTS = torch.zeros(2, HORIZON, dtype=torch.bool)


def frames():
    draw = seeded()
    return torch.randn(2, CONDITION, generator=draw), torch.rand(
        2, HORIZON, ACTIONS, generator=draw
    )


@pytest.mark.parametrize(
    ("mean", "log_variance", "divergence"), [(0.0, 0.0, 0.0), (2.0, 0.0, 2.0), (0.0, 1.0, 0.35914)]
)
def test_the_latents_divergence_is_added_with_its_weight(mean, log_variance, divergence) -> None:
    head, (condition, actions) = a_head("act"), frames()
    nn.init.zeros_(head.to_latent.weight)
    nn.init.zeros_(head.read_latent.weight)  # so that what is rebuilt does not depend on it
    with torch.no_grad():
        head.to_latent.bias.copy_(torch.tensor([mean, log_variance]).repeat_interleave(4))
    plan = head._rebuild(condition, torch.zeros(2, 4))

    loss = head.loss(condition, actions, COUNTS, generator=seeded())

    wanted = (plan - actions).abs().mean() + 10 * 4 * divergence  # of four entries
    torch.testing.assert_close(loss, wanted, rtol=1e-3, atol=1e-3)


def test_the_latent_can_say_in_which_manner_a_chunk_was_done() -> None:
    head, (condition, _) = a_head("act").eval(), frames()

    one, other = (head._rebuild(condition, torch.full((2, 4), z)) for z in (-1.0, 1.0))

    assert (one - other).abs().max() > 1e-2


def test_a_plan_takes_the_mean_manner() -> None:
    head, (condition, actions) = a_head("act").eval(), frames()

    plan = head.sample(condition, torch.randn_like(actions))

    with torch.no_grad():
        torch.testing.assert_close(plan, head._rebuild(condition, torch.zeros(2, 4)).clamp(-1, 1))
