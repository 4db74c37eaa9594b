"""Tests for loop.py: many episodes over many envs."""

import numpy as np
import pytest
from fakes import CountingPolicy, Log, ScriptedEnv, Stumbling, WanderingPolicy, replay

from tinyvla_gym.chunking import ExpertAgent, RecedingHorizon, TemporalEnsemble
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.loop import rollout, rollouts


@pytest.mark.parametrize("count", [1, 2, 3, 9])
@pytest.mark.parametrize("kind", [RecedingHorizon, TemporalEnsemble])
def test_rollouts_equal_single_rollouts_bit_by_bit(kind, count) -> None:
    seeds = [7, 3, 1, 12, 5, 7, 0]
    alone, together = [Log() for _ in seeds], [Log() for _ in seeds]
    agent = kind(WanderingPolicy(horizon=3))
    wanted = [
        rollout(ScriptedEnv(), agent, seed=seed, listeners=[log])
        for seed, log in zip(seeds, alone, strict=True)
    ]

    outcomes = rollouts(
        [ScriptedEnv() for _ in range(count)],
        agent,
        seeds,
        listeners=[[log] for log in together],
    )

    assert outcomes == wanted
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.asked, other.asked)
        assert one.ends == other.ends


def test_rollouts_plan_in_one_batch_and_free_envs_take_the_next_seed() -> None:
    policy = CountingPolicy(horizon=4)
    envs = [ScriptedEnv(horizon=4), ScriptedEnv(horizon=4)]

    rollouts(envs, RecedingHorizon(policy), [0, 1, 2])

    assert [len(seen) for seen, _ in policy.batches] == [2, 1]
    assert [env.looks for env in envs] == [4, 2]  # reset and the look after the chunk, each


def test_rollouts_tell_outcomes_as_they_come_and_return_them_in_order() -> None:
    told = {}
    quick, slow = ScriptedEnv(horizon=2), ScriptedEnv(horizon=5)

    outcomes = rollouts(
        [slow, quick],
        RecedingHorizon(CountingPolicy()),
        [10, 11, 12],
        options=[None, {"instruction": "first"}, {"instruction": "second"}],
        on_outcome=told.__setitem__,
    )

    assert list(told) == [1, 2, 0]
    assert [outcome.seed for outcome in outcomes] == [10, 11, 12]
    assert [outcome.instruction for outcome in outcomes] == ["touch the dot", "first", "second"]
    assert [told[i] for i in range(3)] == outcomes


def test_a_broken_rollout_breaks_off_every_running_episode() -> None:
    finished, running, stumbling, waiting = Log(), Log(), Stumbling("on_step"), Log()

    with pytest.raises(RuntimeError, match="stumbled in on_step"):
        rollouts(
            [ScriptedEnv(horizon=2), ScriptedEnv(horizon=5)],
            RecedingHorizon(CountingPolicy()),
            [0, 1, 2, 3],
            listeners=[[finished], [running], [stumbling], [waiting]],
        )

    assert [end.steps for end in finished.ends] == [2]
    assert running.ends == [None]
    assert stumbling.ends == [None]
    assert waiting.ends == []


def test_a_replay_rewinds_for_every_episode_of_one_env() -> None:
    logs = [Log(), Log()]

    rollouts(
        [ScriptedEnv(horizon=3)],
        replay(np.eye(3, 2), horizon=2),
        [0, 1],
        listeners=[[log] for log in logs],
    )

    np.testing.assert_array_equal(logs[0].asked, logs[1].asked)


def test_an_expert_drives_one_env() -> None:
    envs = [ScriptedEnv(), ScriptedEnv()]

    assert rollouts(envs[:1], ExpertAgent(envs[0]), [0, 1])[1].success
    with pytest.raises(ConfigError, match="ExpertAgent drives one env, not 2"):
        rollouts(envs, ExpertAgent(envs[0]), [0, 1])


def test_rollouts_need_envs_and_matching_lengths() -> None:
    agent = RecedingHorizon(CountingPolicy())

    with pytest.raises(ConfigError, match="at least one env"):
        rollouts([], agent, [0])
    with pytest.raises(ConfigError, match="2 seeds, 1 options and 2 collections"):
        rollouts([ScriptedEnv()], agent, [0, 1], options=[None])
    assert rollouts([ScriptedEnv(), ScriptedEnv()], agent, []) == []
