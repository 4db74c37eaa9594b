"""Tests for policies/simple.py."""

from dataclasses import replace

import numpy as np
import pytest
from fakes import INTERFACE, an_observation
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.policies.simple import RandomPolicy, ReplayPolicy, ZeroPolicy

LOPSIDED = replace(INTERFACE, action_low=(0.1, -2.0), action_high=(0.5, -1.0))
SEEN = an_observation()


def test_zero_asks_for_zero() -> None:
    np.testing.assert_array_equal(ZeroPolicy(INTERFACE).plan(SEEN), np.zeros((8, 2)))


def test_zero_stays_within_bounds_that_exclude_it() -> None:
    chunks = ZeroPolicy(LOPSIDED, horizon=3).plan_batch([SEEN, SEEN])

    assert chunks.dtype == np.float32
    np.testing.assert_array_equal(chunks, np.tile(np.float32([0.1, -1.0]), (2, 3, 1)))


def test_random_fills_its_bounds_evenly() -> None:
    policy = RandomPolicy(LOPSIDED, horizon=20_000)
    policy.reset(seed=0)

    share = (policy.plan(SEEN) - [0.1, -2.0]) / [0.4, 1.0]  # (K, A)

    np.testing.assert_allclose(
        np.quantile(share, [0.1, 0.5, 0.9], axis=0).T, [[0.1, 0.5, 0.9]] * 2, atol=0.01
    )


@given(noise=arrays(np.float32, (2, 4, 2), elements=st.floats(-100, 100, width=32)))
def test_random_never_leaves_its_bounds(noise) -> None:
    chunks = RandomPolicy(LOPSIDED, horizon=4).plan_batch([SEEN, SEEN], noise=noise)

    assert chunks.dtype == np.float32
    assert all(LOPSIDED.action_space().contains(action) for action in chunks.reshape(-1, 2))


def test_random_repeats_itself_after_a_seeded_reset_and_not_before() -> None:
    policy = RandomPolicy(INTERFACE)
    policy.reset(seed=1)
    first, second = policy.plan(SEEN), policy.plan(SEEN)

    policy.reset(seed=1)

    np.testing.assert_array_equal(policy.plan(SEEN), first)
    assert not np.array_equal(first, second)


def test_noise_takes_the_place_of_the_generator() -> None:
    policy = RandomPolicy(INTERFACE, horizon=3)
    noise = np.stack([np.zeros((3, 2), np.float32), np.full((3, 2), 1.0, np.float32)])

    chunks = policy.plan_batch([SEEN, SEEN], noise=noise)

    np.testing.assert_allclose(chunks[0], 0.0)  # the middle of [-1, 1]
    np.testing.assert_allclose(chunks[1], 2 * 0.8413447 - 1, rtol=1e-6)


def test_replay_goes_through_its_recording_and_rests_on_the_last_action() -> None:
    actions = np.arange(10, dtype=np.float32).reshape(5, 2)
    policy = ReplayPolicy(INTERFACE, actions, horizon=3)

    played = [policy.plan(SEEN), policy.plan_batch([SEEN])[0], policy.plan(SEEN)]

    np.testing.assert_array_equal(np.concatenate(played), actions[[0, 1, 2, 3, 4, 4, 4, 4, 4]])


def test_reset_rewinds_a_replay() -> None:
    policy = ReplayPolicy(INTERFACE, np.eye(2), horizon=1)
    first = policy.plan(SEEN)

    policy.reset(seed=0)

    np.testing.assert_array_equal(policy.plan(SEEN), first)


def test_a_replay_drives_one_env() -> None:
    policy = ReplayPolicy(INTERFACE, np.eye(2))

    with pytest.raises(ConfigError, match="drives one env, not 2"):
        policy.plan_batch([SEEN, SEEN])


@pytest.mark.parametrize("shape", [(0, 2), (5, 3), (2,)])
def test_a_replay_needs_rows_of_the_interface(shape) -> None:
    with pytest.raises(ConfigError, match=r"shape \(T, 2\) with T >= 1"):
        ReplayPolicy(INTERFACE, np.zeros(shape))
