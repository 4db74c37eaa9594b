"""Every head learns what follows from its condition; some can also choose between two manners."""

import pytest
import torch
from tiny_heads import HORIZON, a_head, demonstrations, distances, seeded, taught
from torch import nn

from tinyvla_gym.policies.tinyvla.config import HEADS


@pytest.mark.parametrize("name", HEADS)
def test_one_small_batch_is_learned_by_heart(name) -> None:
    head, generator = a_head(name), seeded(1)
    condition, _, chunk = demonstrations(4, seeded(), manners=1)
    counts = torch.zeros(4, HORIZON, dtype=torch.bool)
    optimizer = torch.optim.AdamW(head.parameters(), lr=3e-3)
    noise = torch.randn(chunk.shape, generator=seeded(2))
    before = (head.eval().sample(condition, noise) - chunk).abs().mean()

    for _ in range(150):
        loss = head.loss(condition, chunk, counts, draws=8, generator=generator)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        optimizer.step()

    after = (head.eval().sample(condition, noise) - chunk).abs().mean()
    assert after < 0.4 * before


@pytest.mark.parametrize("name", ["act", "regression"])
def test_between_two_manners_a_median_is_neither(name) -> None:
    head = taught(name, steps=200, manners=2)

    nearer = distances(head).min(0).values

    assert nearer.mean() > 0.2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "steps"), [("diffusion", 450), ("flow", 450), ("one_step", 450), ("tokens", 200)]
)
def test_some_heads_choose_one_of_two_manners(name, steps) -> None:
    head = taught(name, steps=steps, manners=2)

    nearer, farther = distances(head).sort(0).values

    assert nearer.median() < 0.1
    assert farther.median() > 0.4
