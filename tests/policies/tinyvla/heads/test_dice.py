"""Tests for policies/tinyvla/heads/dice.py."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from tinyvla_gym.policies.tinyvla.heads.dice import Dice


def drawn(rows, part=0, parts=1):
    dice = Dice(torch.Generator().manual_seed(3), part=part, parts=parts)
    return dice.normal((rows, 2, 3)), dice.uniform(rows), dice.integers(100, rows)


@given(st.integers(0, 4), st.integers(1, 5))
def test_parts_put_together_are_what_the_whole_batch_draws(rows, parts) -> None:
    whole = drawn(rows * parts)

    found = [drawn(rows, part, parts) for part in range(parts)]

    for one, *pieces in zip(whole, *found, strict=True):
        assert torch.equal(torch.cat(pieces), one)
        assert all(len(piece) == rows for piece in pieces)
