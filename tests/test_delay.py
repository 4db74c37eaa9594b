"""Tests for delay.py."""

from dataclasses import replace

import numpy as np
import pytest
from fakes import INTERFACE, CountingPolicy, ScriptedEnv, WanderingPolicy, an_observation
from hypothesis import given
from hypothesis import strategies as st

from tinyvla_gym.chunking import RecedingHorizon
from tinyvla_gym.delay import DelayedHorizon, standing
from tinyvla_gym.envs.reach import ReachEnv
from tinyvla_gym.errors import ChunkLengthError, ConfigError
from tinyvla_gym.loop import rollout, rollouts
from tinyvla_gym.policies.simple import ReplayPolicy


class StampingPolicy(CountingPolicy):
    """Row k of the plan from tick t holds (t, k); the observation's x position is t / 1000."""

    def plan_batch(self, observations, *, noise=None):
        self.batches.append((list(observations), noise))
        ticks = [round(1000 * float(seen["state"][0])) for seen in observations]
        rows = range(self.spec.horizon)
        return np.float32([[(tick, row) for row in rows] for tick in ticks])


def played(agent, ticks):
    """(tick of the look, row) of the action of every tick."""
    agent.reset(seed=0)
    return [tuple(agent.act(an_observation(x_m=tick / 1000)).tolist()) for tick in range(ticks)]


def looks(agent):
    return [round(1000 * float(seen[0]["state"][0])) for seen, _ in agent.policy.batches]


def test_a_plan_governs_only_after_the_delay_and_skips_what_has_passed() -> None:
    agent = DelayedHorizon(StampingPolicy(horizon=12), execute=4, delay=3)

    actions = played(agent, 12)

    assert actions == [
        *[(0, 0)] * 3,  # nothing is there yet: the arm stands still
        *[(0, 3), (0, 4), (0, 5), (0, 6)],  # the plan of tick 0, while that of tick 4 is made
        *[(4, 3), (4, 4), (4, 5), (4, 6)],
        (8, 3),
    ]
    assert looks(agent) == [0, 4, 8]


def test_one_brain_looks_again_only_when_it_has_finished() -> None:
    agent = DelayedHorizon(StampingPolicy(horizon=12), execute=2, delay=5)

    actions = played(agent, 12)

    assert looks(agent) == [0, 5, 10]
    assert actions[5:] == [(0, row) for row in (5, 6, 7, 8, 9)] + [(5, 5), (5, 6)]


def test_no_action_depends_on_what_was_seen_within_the_delay() -> None:
    delay = 6
    agent = DelayedHorizon(StampingPolicy(horizon=16), execute=3, delay=delay)

    actions = played(agent, 60)

    for tick, (look, row) in enumerate(actions[delay:], start=delay):
        assert tick - look >= delay
        assert tick - look == row


@given(execute=st.integers(1, 8), seed=st.integers(0, 5))
def test_no_delay_is_the_receding_horizon(execute, seed) -> None:
    outcomes = [
        rollout(ScriptedEnv(), agent, seed=seed)
        for agent in (
            RecedingHorizon(WanderingPolicy(), execute=execute),
            DelayedHorizon(WanderingPolicy(), execute=execute, delay=0),
        )
    ]

    assert outcomes[0] == outcomes[1]


def test_many_envs_are_each_as_late_as_one_alone() -> None:
    def agent():
        return DelayedHorizon(WanderingPolicy(), execute=3, delay=4)

    alone = [rollout(ScriptedEnv(), agent(), seed=seed) for seed in range(5)]
    together = rollouts([ScriptedEnv() for _ in range(3)], agent(), range(5))

    assert together == alone


def test_past_its_chunk_the_arm_stands_still_and_keeps_its_grip() -> None:
    grips = replace(INTERFACE, action=("hand_dx_cm", "gripper_close_frac"))
    chunk = np.float32([(0.5, 1.0)] * 4)
    agent = DelayedHorizon(ReplayPolicy(grips, chunk, horizon=4), execute=4, delay=2)

    actions = played(agent, 6)

    assert actions == [(0, 0), (0, 0), (0.5, 1), (0.5, 1), (0, 1), (0, 1)]


def test_in_places_standing_still_is_staying_where_one_is() -> None:
    env = ReachEnv(action_mode="ee")
    observation, _ = env.reset(seed=3)

    action = standing(env.interface, observation["state"])
    after = env.step(action)[0]["state"]

    np.testing.assert_allclose(after, observation["state"], atol=1e-6)


def test_nobody_stands_still_without_knowing_where() -> None:
    places = replace(INTERFACE, action=("tcp_x_m", "gripper_open_frac"), action_mode="ee")

    with pytest.raises(ConfigError, match="the state has no gripper_open_frac"):
        standing(places, np.zeros(2, np.float32))


@pytest.mark.parametrize("delay", [-1, 8])
def test_a_plan_must_have_something_to_say(delay) -> None:
    with pytest.raises(ConfigError, match=f"comes {delay} ticks late says nothing"):
        DelayedHorizon(CountingPolicy(horizon=8), delay=delay)


def test_execute_must_fit_the_chunk() -> None:
    with pytest.raises(ChunkLengthError, match="execute=9"):
        DelayedHorizon(CountingPolicy(horizon=8), execute=9, delay=1)
