"""Tests for wrappers/noise.py."""

import gymnasium as gym
import numpy as np
import pytest
from fakes import ScriptedEnv

from tinyvla_gym.errors import ActionNotFiniteError, ConfigError
from tinyvla_gym.wrappers import ActionNoise

STILL = np.zeros(2, np.float32)


def sent_in(env, *, seed, action=STILL, ticks=20):
    env.reset(seed=seed)
    return np.stack([env.step(action)[4]["sent_action"] for _ in range(ticks)])


def test_noise_has_the_spread_that_was_asked_for() -> None:
    env = ActionNoise(ScriptedEnv(horizon=4000, terminate_on_success=False), std=[0.1, 0.2])

    sent = sent_in(env, seed=0, ticks=4000)

    np.testing.assert_allclose(sent.std(axis=0), [0.1, 0.2], rtol=0.05)
    np.testing.assert_allclose(sent.mean(axis=0), 0, atol=0.01)


def test_noise_follows_from_the_episodes_seed() -> None:
    env = ActionNoise(ScriptedEnv(), std=0.1)
    first, other = sent_in(env, seed=1), sent_in(env, seed=2)

    np.testing.assert_array_equal(sent_in(env, seed=1), first)
    assert not np.array_equal(other, first)


def test_what_is_sent_stays_within_bounds_and_the_label_stays_clean() -> None:
    env = ActionNoise(ScriptedEnv(), std=3.0)
    env.reset(seed=0)

    infos = [env.step(np.ones(2, np.float32))[4] for _ in range(20)]

    assert all(env.action_space.contains(info["sent_action"]) for info in infos)
    assert len({info["sent_action"].tobytes() for info in infos}) > 1
    np.testing.assert_array_equal([info["label"] for info in infos], np.ones((20, 2)))


def test_an_offset_lasts_for_hold_ticks_on_average() -> None:
    env = ActionNoise(ScriptedEnv(horizon=4000, terminate_on_success=False), std=0.1, hold=8)

    sent = sent_in(env, seed=1, ticks=4000)

    changes = int((np.diff(sent[:, 0]) != 0).sum())
    assert 4000 / 8 * 0.8 < changes < 4000 / 8 * 1.2


def test_a_share_of_the_offsets_is_zero() -> None:
    env = ActionNoise(
        ScriptedEnv(horizon=4000, terminate_on_success=False), std=0.1, calm_frac=0.25
    )

    sent = sent_in(env, seed=1, ticks=4000)

    assert np.mean((sent == 0).all(axis=1)) == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize("hold", [1, 5])
def test_advance_does_what_step_does(hold) -> None:
    stepped, advanced = (ActionNoise(ScriptedEnv(), std=0.1, hold=hold) for _ in range(2))
    stepped.reset(seed=4)
    advanced.reset(seed=4)

    for _ in range(10):
        _, reward, terminated, truncated, info = stepped.step(STILL)
        again = advanced.advance(STILL)
        assert (reward, terminated, truncated) == again[:3]
        np.testing.assert_array_equal(info["sent_action"], again[3]["sent_action"])
        np.testing.assert_array_equal(info["label"], again[3]["label"])
    assert advanced.unwrapped.looks == 1


def test_noise_upon_noise_keeps_the_first_clean_action() -> None:
    env = ActionNoise(ActionNoise(ScriptedEnv(), std=0.1), std=0.1)
    env.reset(seed=0)

    np.testing.assert_array_equal(env.step(STILL)[4]["label"], STILL)


def test_a_broken_action_stays_broken() -> None:
    env = ActionNoise(ScriptedEnv(), std=0.1)
    env.reset(seed=0)

    with pytest.raises(ActionNotFiniteError):
        env.step(np.float32([np.nan, 0]))


@pytest.mark.parametrize("std", [-0.1, [0.1, -0.1], [0.1] * 3, np.nan, np.inf])
def test_the_spread_must_make_sense(std) -> None:
    with pytest.raises(ConfigError, match="one std >= 0 or 2 of them"):
        ActionNoise(ScriptedEnv(), std=std)


@pytest.mark.parametrize("wrong", [{"hold": 0.5}, {"calm_frac": 1.5}, {"hold": float("nan")}])
def test_impossible_gusts_are_refused(wrong) -> None:
    with pytest.raises(ConfigError, match="hold >= 1 and calm_frac from 0 to 1"):
        ActionNoise(ScriptedEnv(), std=0.1, **wrong)


def test_only_continuous_actions_take_noise() -> None:
    with pytest.raises(ConfigError, match="needs a Box"):
        ActionNoise(gym.make("CartPole-v1"), std=0.1)


def test_the_wrapper_is_recorded_in_the_spec() -> None:
    env = ActionNoise(gym.make("TinyVLA/Reach-v0"), std=0.25, hold=5.0)
    rebuilt = gym.make(env.spec)

    still = np.zeros(4, np.float32)
    np.testing.assert_array_equal(
        sent_in(env, seed=3, action=still, ticks=3), sent_in(rebuilt, seed=3, action=still, ticks=3)
    )
