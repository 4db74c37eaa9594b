"""Tests for wrappers/instruction.py, and for agents as stable-baselines3 calls them."""

import gymnasium as gym
import numpy as np
import pytest
from fakes import INTERFACE, CountingPolicy, ScriptedEnv, WanderingPolicy, an_observation, stacked
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecTransposeImage

from tinyvla_gym.chunking import RecedingHorizon, TemporalEnsemble
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.loop import rollout
from tinyvla_gym.wrappers.instruction import (
    InstructionAsBytes,
    bytes_to_instruction,
)


def test_the_wrapped_env_shows_what_its_space_says() -> None:
    env = InstructionAsBytes(ScriptedEnv())

    observation, _ = env.reset(seed=0)

    assert env.observation_space.contains(observation)
    assert bytes_to_instruction(observation["instruction"]) == "touch the dot"


def test_a_wrapped_env_passes_stable_baselines_check() -> None:
    cameras = {"top": 48, "front": 48}  # stable-baselines3 warns below 36 px

    check_env(InstructionAsBytes(gym.make("TinyVLA/Reach-v0", cameras=cameras)))


def test_the_wrapper_is_recorded_in_the_spec() -> None:
    env = InstructionAsBytes(gym.make("TinyVLA/Reach-v0"))

    assert gym.make(env.spec).observation_space == env.observation_space


def test_an_env_without_sentences_is_refused() -> None:
    with pytest.raises(ConfigError, match="no instruction"):
        InstructionAsBytes(gym.make("CartPole-v1"))


@pytest.mark.parametrize("kind", [RecedingHorizon, TemporalEnsemble])
@pytest.mark.parametrize("transposed", [False, True])
def test_stable_baselines_evaluates_an_agent_as_it_is(kind, transposed) -> None:
    envs = [ScriptedEnv(horizon=length, terminate_on_success=False) for length in (7, 5)]
    vector = DummyVecEnv([lambda env=env: Monitor(InstructionAsBytes(env)) for env in envs])
    vector = VecTransposeImage(vector) if transposed else vector
    policy = WanderingPolicy(horizon=3)

    returns, lengths = evaluate_policy(
        kind(policy), vector, n_eval_episodes=6, return_episode_rewards=True
    )

    assert sorted(lengths) == [5, 5, 5, 7, 7, 7]
    assert np.isfinite(returns).all()
    seen = [one for observations, _ in policy.batches for one in observations]
    assert all(INTERFACE.observation_space().contains(one) for one in seen)


def test_stable_baselines_and_our_loop_agree() -> None:
    policy = CountingPolicy(horizon=8, execute=3)
    env = ScriptedEnv(horizon=10)
    vector = DummyVecEnv([lambda: Monitor(InstructionAsBytes(env))])
    vector.seed(21)

    returns, _ = evaluate_policy(
        RecedingHorizon(policy), vector, n_eval_episodes=1, return_episode_rewards=True
    )

    outcome = rollout(ScriptedEnv(horizon=10), RecedingHorizon(policy), seed=21)
    assert returns == pytest.approx([outcome.episode_return])


def test_an_env_that_starts_again_gets_a_new_plan_and_the_others_keep_theirs() -> None:
    policy = CountingPolicy(horizon=8)
    agent = RecedingHorizon(policy)
    seen = stacked(an_observation(), an_observation())
    _, state = agent.predict(seen, None, np.array([True, True]))

    actions, state = agent.predict(seen, state, np.array([False, True]))
    later, _ = agent.predict(seen, state, np.array([False, False]))

    np.testing.assert_array_equal(actions[:, 0], [1, 0])
    np.testing.assert_array_equal(later[:, 0], [2, 1])
    assert policy.resets == [None]  # only while nobody else had a plan


def test_predict_draws_its_noise_from_the_agents_seed() -> None:
    agent = RecedingHorizon(WanderingPolicy(horizon=2))
    seen = stacked(an_observation(), an_observation())

    def predicted(seed):
        agent.reset(seed=seed)
        return agent.predict(seen)[0]

    first = predicted(1)

    np.testing.assert_array_equal(predicted(1), first)
    assert not np.array_equal(predicted(2), first)
    assert not np.array_equal(first[0], first[1])
