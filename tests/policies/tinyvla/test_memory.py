"""Tests for policies/tinyvla/memory.py and for what uses it."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from fakes import an_observation
from tiny_models import a_policy
from torch import nn

from tinyvla_gym.policies.tinyvla.memory import MOST, Memory


class Counting(nn.Module):
    """Doubles rows, and counts those that it is asked for."""

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor([2.0]))
        self.asked = 0

    def forward(self, rows):
        self.asked += len(rows)
        return rows.float() * self.factor


@pytest.fixture
def encoder():
    return Counting().eval()


@torch.no_grad()
def test_each_row_is_encoded_once(encoder) -> None:
    memory, rows = Memory(), torch.tensor([[1, 2], [3, 4], [1, 2]])

    for asked in (rows, rows[[1]], rows.flip(0)):
        assert torch.equal(memory.recall(encoder, asked), 2.0 * asked)

    assert encoder.asked == 2


@torch.no_grad()
@pytest.mark.parametrize(
    "change",
    [
        lambda encoder: encoder.factor.fill_(3.0),
        lambda encoder: encoder.load_state_dict({"factor": torch.tensor([3.0])}),
        lambda encoder: setattr(encoder, "factor", nn.Parameter(torch.tensor([3.0]))),
        lambda encoder: setattr(encoder.factor, "data", torch.tensor([3.0])),
    ],
)
def test_other_weights_are_noticed(encoder, change) -> None:
    memory, rows = Memory(), torch.tensor([[1]])
    memory.recall(encoder, rows)

    change(encoder)

    assert memory.recall(encoder, rows).item() == 3.0


def test_training_remembers_nothing(encoder) -> None:
    memory, rows = Memory(), torch.tensor([[1]])

    for _ in range(2):
        memory.recall(encoder, rows).sum().backward()
    with torch.no_grad():
        memory.recall(encoder.train(), rows)

    assert encoder.asked == 3
    assert encoder.factor.grad == 2.0


@torch.no_grad()
def test_memory_is_bounded(encoder) -> None:
    memory = Memory()

    for number in range(2 * MOST):
        memory.recall(encoder, torch.tensor([[number]]))

    assert len(memory._rows) <= MOST + 1


def test_a_policy_reads_a_sentence_and_embeds_a_level_once() -> None:
    policy, seen = a_policy(), []
    for part in (policy.model.backbone.text, policy.model.head.denoiser.step_encoder):
        part.register_forward_hook(lambda part, _given, _made: seen.append(type(part).__name__))

    first, again = (policy.plan_batch([an_observation()], noise=np.ones((1, 8, 2))) for _ in "ab")

    np.testing.assert_array_equal(first, again)
    assert seen == ["SentenceEncoder"] + 10 * ["Sequential"]


def test_remembered_plans_are_the_plans_without_memory(monkeypatch) -> None:
    policy, noise = a_policy(), np.ones((1, 8, 2), np.float32)
    seen = [an_observation(instruction=s) for s in ("go", "stop at the dot", "go")]
    remembered = [policy.plan_batch([one], noise=noise) for one in seen]
    monkeypatch.setattr(Memory, "recall", lambda _self, encoder, rows: encoder(rows))

    for one, wanted in zip(seen, remembered, strict=True):
        np.testing.assert_array_equal(policy.plan_batch([one], noise=noise), wanted)


def test_a_copy_of_a_policy_has_its_own_memory() -> None:
    policy, noise = a_policy(), np.ones((1, 8, 2), np.float32)
    before = policy.plan_batch([an_observation()], noise=noise)
    other = deepcopy(policy)

    with torch.no_grad():
        for weight in other.model.backbone.text.parameters():
            weight.add_(0.5)

    assert np.abs(other.plan_batch([an_observation()], noise=noise) - before).max() > 0
    np.testing.assert_array_equal(policy.plan_batch([an_observation()], noise=noise), before)


def test_a_compiled_policy_plans_the_same() -> None:
    policy, noise = a_policy(), np.ones((1, 8, 2), np.float32)
    wanted = policy.plan_batch([an_observation()], noise=noise)

    policy.compile(backend="eager")

    got = policy.plan_batch([an_observation()], noise=noise)
    np.testing.assert_allclose(got, wanted, atol=1e-5)
