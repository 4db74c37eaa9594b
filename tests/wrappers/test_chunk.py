"""Tests for wrappers/chunk.py."""

import gymnasium as gym
import numpy as np
import pytest

import tinyvla_gym  # noqa: F401
from tinyvla_gym.errors import ActionNotFiniteError, ConfigError
from tinyvla_gym.wrappers import ActionNoise, ExecuteChunk


def reach(**options) -> gym.Env:
    return gym.make("TinyVLA/Reach-v0", **options)


def random_actions(count: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (count, 4)).astype(np.float32)


def test_a_chunk_is_its_single_steps() -> None:
    single, whole = reach(), ExecuteChunk(reach(), execute=4)
    actions = random_actions(20)
    single.reset(seed=3)
    whole.reset(seed=3)

    for chunk in actions.reshape(5, 4, 4):
        steps = [single.step(action) for action in chunk]
        observation, reward, terminated, truncated, info = whole.step(chunk)

        for name, value in steps[-1][0].items():
            np.testing.assert_array_equal(observation[name], value)
        assert reward == pytest.approx(sum(step[1] for step in steps))
        assert (terminated, truncated) == steps[-1][2:4]
        np.testing.assert_array_equal(
            info["sent_actions"], [step[4]["sent_action"] for step in steps]
        )


def test_it_looks_once_per_chunk(monkeypatch) -> None:
    env = ExecuteChunk(reach(), execute=8)
    env.reset(seed=0)
    looks = []
    world = env.unwrapped
    observe = world.observe
    monkeypatch.setattr(world, "observe", lambda: looks.append(1) or observe())

    env.step(np.zeros((8, 4), np.float32))

    assert len(looks) == 1


def test_an_episode_that_ends_inside_a_chunk_stops_there() -> None:
    env = ExecuteChunk(reach(horizon=6, terminate_on_success=False), execute=4)
    env.reset(seed=0)
    env.step(np.zeros((4, 4), np.float32))

    _, _, terminated, truncated, info = env.step(np.zeros((4, 4), np.float32))

    assert (terminated, truncated) == (False, True)
    assert len(info["rewards"]) == 2


def test_noise_inside_reaches_every_tick() -> None:
    env = ExecuteChunk(ActionNoise(reach(), std=0.3), execute=4)
    env.reset(seed=0)

    info = env.step(np.zeros((4, 4), np.float32))[4]

    assert (np.abs(info["sent_actions"]).max(axis=1) > 0).all()


def test_wrong_chunks_are_refused() -> None:
    env = ExecuteChunk(reach(), execute=4)
    env.reset(seed=0)

    with pytest.raises(ConfigError, match=r"\(4, 4\), got \(3, 4\)"):
        env.step(np.zeros((3, 4), np.float32))
    with pytest.raises(ActionNotFiniteError):
        env.step(np.full((4, 4), np.nan, np.float32))
    with pytest.raises(ConfigError, match="at least 1"):
        ExecuteChunk(reach(), execute=0)
    with pytest.raises(ConfigError, match="no advance"):
        ExecuteChunk(gym.make("CartPole-v1"), execute=2)
