"""Tests for policies/tinyvla/heads/tokens.py."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_heads import ACTIONS, CONDITION, HORIZON, a_head, seeded
from torch import nn

from tinyvla_gym.policies.tinyvla.heads.tokens import TokensHead


@given(st.floats(-1, 1), st.integers(2, 256))
def test_a_bins_middle_is_within_half_a_bin_of_its_actions(action, bins) -> None:
    head = TokensHead(1, 1, 1, bins=bins, width=4, heads=1, layers=0)
    number = torch.tensor([[action]], dtype=torch.float32)

    again = head.to_actions(head.to_bins(number))

    assert (again - number).abs() <= 1 / bins + 1e-6


def test_actions_outside_get_the_outermost_bins() -> None:
    head = a_head("tokens")

    assert head.to_bins(torch.tensor([-9.0, -1.0, 1.0, 9.0])).tolist() == [0, 0, 31, 31]


def test_a_plan_is_what_the_loss_finds_likeliest_token_by_token() -> None:
    """Sampling remembers keys and values; the loss reads the whole chunk anew."""
    head = a_head("tokens").eval()
    condition = torch.randn(3, CONDITION, generator=seeded())
    plan = head.sample(condition, torch.zeros(3, HORIZON, ACTIONS))
    seen = {}
    head.say.register_forward_hook(lambda _part, _given, made: seen.update(logits=made))

    head.loss(condition, plan, torch.zeros(3, HORIZON, dtype=torch.bool))

    assert torch.equal(seen["logits"].argmax(-1), head.to_bins(plan).flatten(1))


def test_no_token_sees_itself_or_what_comes_after() -> None:
    head = a_head("tokens").eval()
    condition, chunk = torch.zeros(1, CONDITION), torch.zeros(1, HORIZON, ACTIONS)
    changed = chunk.clone()
    changed[0, 2, 1] = 0.9  # the sixth token
    said = []
    head.say.register_forward_hook(lambda _part, _given, made: said.append(made))

    for actions in (chunk, changed):
        head.loss(condition, actions, torch.zeros(1, HORIZON, dtype=torch.bool))

    same = (said[0] == said[1]).all(-1)[0]
    assert same.tolist() == [True] * 6 + [False] * 2


def test_the_loss_of_a_head_that_knows_nothing_is_that_of_guessing() -> None:
    head = a_head("tokens")
    nn.init.zeros_(head.say.weight)
    nn.init.zeros_(head.say.bias)
    chunk = torch.rand(2, HORIZON, ACTIONS, generator=seeded())

    loss = head.loss(torch.zeros(2, CONDITION), chunk, torch.zeros(2, HORIZON) > 0)

    torch.testing.assert_close(loss, torch.tensor(32.0).log())
