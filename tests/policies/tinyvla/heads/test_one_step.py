"""Tests for policies/tinyvla/heads/one_step.py."""

import torch
from tiny_heads import ACTIONS, CONDITION, HORIZON, a_head, seeded
from torch import nn

from tinyvla_gym.policies.tinyvla.heads.dice import Dice
from tinyvla_gym.policies.tinyvla.heads.one_step import OneStepHead


class Field(nn.Module):
    """A mean velocity whose slopes can be written down."""

    def forward(self, place, start, condition):
        return place.sin() * start[:, None, None] ** 2 + condition[:, None, :1]


def a_field():
    head = OneStepHead(Field(), CONDITION, step_size=16, span_share=0.5)
    nn.init.zeros_(head.span_encoder[1].weight)
    nn.init.zeros_(head.span_encoder[1].bias)
    return head


def test_a_plan_is_one_evaluation_over_the_whole_of_time() -> None:
    head, seen = a_head("one_step"), []
    head.denoiser.register_forward_pre_hook(lambda _part, given: seen.append(given[1].tolist()))

    head.sample(torch.zeros(2, CONDITION), torch.zeros(2, HORIZON, ACTIONS))

    assert seen == [[0.0, 0.0]]


def test_slopes_are_derivatives_along_the_way() -> None:
    draw = seeded()
    place, velocity = torch.randn(2, 5, HORIZON, ACTIONS, generator=draw)
    start, condition = torch.rand(5, generator=draw), torch.randn(5, CONDITION, generator=draw)
    end = torch.where(torch.arange(5) < 4, start + 0.2, start)  # the last one has no span

    slopes = a_field()._slopes(place, velocity, start, end, condition)

    time = start[:, None, None]
    wanted = velocity * place.cos() * time**2 + place.sin() * 2 * time
    torch.testing.assert_close(slopes[:4], wanted[:4], rtol=0, atol=2e-3)
    assert not slopes[4].any()


def test_the_true_mean_velocity_has_no_error() -> None:
    """Of one chunk alone, all ways are straight, and the mean velocity is the velocity."""
    answer = torch.rand(1, HORIZON, ACTIONS, generator=seeded())

    class Knows(nn.Module):
        def forward(self, place, start, condition):
            return (answer - place) / (1 - start[:, None, None])

    head = OneStepHead(Knows(), CONDITION, step_size=16)
    counts = torch.zeros(1, HORIZON, dtype=torch.bool)

    loss = head.loss(torch.zeros(1, CONDITION), answer, counts, draws=100, generator=seeded())
    plan = head.sample(torch.zeros(1, CONDITION), torch.randn(answer.shape, generator=seeded(1)))

    assert loss < 0.05
    torch.testing.assert_close(plan, answer)


def test_spans_lie_in_order_and_the_asked_share_has_one() -> None:
    start, end = OneStepHead(Field(), CONDITION, span_share=0.3)._spans(10_000, Dice(seeded()))

    assert ((start > 0) & (start <= end) & (end < 1)).all()
    assert 0.27 < (start < end).float().mean() < 0.33
