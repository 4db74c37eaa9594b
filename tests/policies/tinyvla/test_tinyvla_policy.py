"""Tests for policies/tinyvla/policy.py; saving and loading is in test_checkpoint.py."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from fakes import INTERFACE, an_observation
from tiny_models import CONFIG, NORMALIZER, SPEC, a_policy

from tinyvla_gym.contracts import check_policy
from tinyvla_gym.errors import ConfigError, InterfaceMismatchError

SEEN = [an_observation(x_m=x, instruction=s) for x, s in ((-0.5, "go"), (0.0, ""), (0.9, "stop"))]
NOISE = np.random.default_rng(0).standard_normal((3, 8, 2), np.float32)


@pytest.fixture(scope="module")
def policy():
    return a_policy()


def test_it_keeps_every_promise_of_a_policy(policy) -> None:
    check_policy(policy)


def test_a_batch_is_planned_as_its_rows_are(policy) -> None:
    together = policy.plan_batch(SEEN, noise=NOISE)

    alone = [policy.plan_batch([SEEN[row]], noise=NOISE[[row]])[0] for row in range(3)]

    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_equal_noise_gives_equal_plans_and_other_noise_others(policy) -> None:
    seen = [SEEN[0]] * 3

    plans = policy.plan_batch(seen, noise=np.stack([NOISE[0], NOISE[0], NOISE[1]]))

    np.testing.assert_allclose(plans[0], plans[1], atol=1e-5)
    assert np.abs(plans[0] - plans[2]).max() > 0.01


def test_noise_of_any_kind_of_array_is_taken(policy) -> None:
    wanted = policy.plan_batch(SEEN[:1], noise=NOISE[:1])
    frozen = NOISE[:1].astype(np.float64)
    frozen.flags.writeable = False

    np.testing.assert_array_equal(policy.plan_batch(SEEN[:1], noise=frozen), wanted)


def test_given_noise_leaves_the_generator_alone(policy) -> None:
    policy.reset(seed=3)
    wanted = policy.plan(SEEN[0])
    policy.reset(seed=3)

    policy.plan_batch(SEEN, noise=NOISE)

    np.testing.assert_array_equal(policy.plan(SEEN[0]), wanted)


def test_torchs_global_generator_has_no_say(policy) -> None:
    plans = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        policy.reset(seed=0)
        plans.append(policy.plan(SEEN[0]))

    np.testing.assert_array_equal(*plans)


@pytest.mark.parametrize(
    "change",
    [
        {"image_front": np.full((12, 16, 3), 200, np.uint8)},
        {"image_wrist": np.full((8, 8, 3), 200, np.uint8)},
        {"state": np.float32([0.4, 0.4])},
        {"instruction": "do something else"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_everything_that_is_seen_matters(change, policy) -> None:
    usual, other = policy.plan_batch(
        [SEEN[0], {**SEEN[0], **change}], noise=np.stack([NOISE[0], NOISE[0]])
    )

    assert np.abs(usual - other).max() > 1e-5


def test_plans_are_physical_and_within_the_interfaces_bounds(policy, monkeypatch) -> None:
    """The model's -1 and 1 are -0.5 and 1.5 of the second entry, of which 1 is allowed."""
    ends = torch.ones(2, 8, 2) * torch.tensor([-1.0, 1.0])[:, None, None]
    monkeypatch.setattr(policy.model, "sample", lambda _condition, _noise: ends)

    low, high = policy.plan_batch(SEEN[:2])

    np.testing.assert_allclose(low, np.tile([-1, -0.5], (8, 1)), atol=1e-6)
    np.testing.assert_allclose(high, np.ones((8, 2)), atol=1e-6)
    assert all(INTERFACE.action_space().contains(action) for action in [*low, *high])


def test_the_model_sees_normalised_states(policy) -> None:
    inputs = policy.inputs([{**SEEN[0], "state": np.float32([1.0, 0.5])}])

    assert inputs.state.tolist() == [[2.0, 0.5]]
    assert [image.shape for image in inputs.images] == [(1, 12, 16, 3), (1, 8, 8, 3)]
    assert all(image.dtype == torch.uint8 for image in inputs.images)


def test_it_is_in_evaluation_mode_and_keeps_no_graph(policy) -> None:
    policy.plan(SEEN[0])

    assert not any(part.training for part in policy.model.modules())
    assert all(weight.grad is None for weight in policy.model.parameters())


def test_its_weights_are_counted(policy) -> None:
    assert policy.parameters == sum(w.numel() for w in policy.model.state_dict().values())


def test_facts_are_the_policys_own_copy() -> None:
    facts = {"seed": 0}
    policy = a_policy(facts=facts)
    facts["seed"] = 1

    assert policy.facts == {"seed": 0}
    assert a_policy().facts == {}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"horizon": 12}, r"chunks \(8, 2\), the spec's horizon says \(12, 2\)"),
        ({"noise_shape": (8, 3)}, r"noise_shape says \(8, 3\)"),
        ({"noise_shape": None}, "noise_shape says None"),
    ],
)
def test_a_spec_must_promise_the_models_chunks(changes, complaint) -> None:
    with pytest.raises(ConfigError, match=complaint):
        a_policy(spec=replace(SPEC, **changes))


def test_spec_and_statistics_are_what_was_given(policy) -> None:
    assert policy.spec is SPEC
    assert policy.normalizer is NORMALIZER
    assert policy.config is CONFIG


def test_pictures_of_another_size_are_refused_not_resized(policy) -> None:
    small = {**SEEN[0], "image_front": np.zeros((6, 8, 3), np.uint8)}

    with pytest.raises(InterfaceMismatchError, match="front: 12 x 16 px against 6 x 8 px"):
        policy.plan(small)
