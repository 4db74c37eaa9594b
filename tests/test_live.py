"""Tests for live.py."""

from itertools import count

import gymnasium as gym
import pytest

from tinyvla_gym import ExpertAgent, LiveListener, rollout
from tinyvla_gym.envs.registration import REACH_ID


class Breaks:
    source, planned = "policy", True

    def reset(self, *, seed=None):
        pass

    def needs_observation(self):
        return False

    def act(self, observation):
        raise RuntimeError("no idea")


def test_it_says_every_so_often_how_the_episode_goes_and_then_how_it_ended() -> None:
    env, said, seconds = gym.make(REACH_ID), [], count()

    outcome = rollout(
        env,
        ExpertAgent(env),
        seed=1,
        listeners=[LiveListener(said.append, every_s=4, clock=lambda: float(next(seconds)))],
    )

    title = f'seed 1, "{outcome.instruction}": '
    assert all(line.startswith(title) for line in said)
    assert 1 < len(said) < outcome.steps
    assert said[0].endswith("not solved")
    assert said[-1] == (
        f"{title}ended after {outcome.steps} steps, solved at step {outcome.success_step}"
    )


def test_it_says_that_an_episode_was_broken_off() -> None:
    said = []

    with pytest.raises(RuntimeError, match="no idea"):
        rollout(gym.make(REACH_ID), Breaks(), seed=1, listeners=[LiveListener(said.append)])

    assert said[-1].endswith("broken off, not solved")


def test_it_needs_no_pictures() -> None:
    assert not LiveListener.needs_images
