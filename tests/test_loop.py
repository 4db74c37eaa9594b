"""Tests for loop.py."""

import logging
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from fakes import (
    INTERFACE,
    PUSH,
    CountingPolicy,
    Log,
    ScriptedEnv,
    Stumbling,
    WanderingPolicy,
    replay,
)
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, RecordEpisodeStatistics

from tinyvla_gym.chunking import ExpertAgent, RecedingHorizon, TemporalEnsemble
from tinyvla_gym.envs.env import UNSEEDED
from tinyvla_gym.errors import InterfaceMismatchError
from tinyvla_gym.events import Outcome
from tinyvla_gym.loop import rollout, rollouts
from tinyvla_gym.policies.simple import RandomPolicy
from tinyvla_gym.wrappers import ActionNoise, InstructionAsBytes


def test_the_outcome_counts_what_happened() -> None:
    env = ScriptedEnv(horizon=3)
    log = Log()

    outcome = rollout(env, replay(), seed=11, listeners=[log])

    assert outcome == Outcome(
        seed=11,
        instruction="touch the dot",
        steps=3,
        episode_return=sum(step.reward for step in log.steps),
        success=False,
        success_step=None,
    )
    places_m = np.cumsum(np.full((3, 2), 0.05), axis=0)
    wanted = -np.linalg.norm(env.goal_m - places_m, axis=1).sum()
    assert outcome.episode_return == pytest.approx(wanted, rel=1e-6)


def test_success_latches_at_its_first_tick() -> None:
    env = ScriptedEnv(terminate_on_success=False)
    expert = ExpertAgent(env)
    log = Log()

    class Passer:  # goes to the dot and then away from it
        source, planned = "human", False

        def reset(self, *, seed=None):
            self.left = 12

        def needs_observation(self):
            return False

        def act(self, observation):
            self.left -= 1
            return expert.act(None) if self.left > 0 else np.ones(2, np.float32)

    outcome = rollout(env, Passer(), seed=0, listeners=[log])

    assert outcome.success
    assert log.steps[outcome.success_step - 1].info["success"]
    assert not any(step.info["success"] for step in log.steps[: outcome.success_step - 1])
    assert not log.steps[-1].info["success"]
    assert outcome.steps == 30
    assert {step.source for step in log.steps} == {"human"}


def test_listeners_hear_every_tick_with_what_was_seen_before_and_after() -> None:
    log = Log(needs_images=True)

    outcome = rollout(ScriptedEnv(horizon=4), replay(horizon=2), seed=1, listeners=[log])

    [(first, info)] = log.resets
    assert info["seed"] == 1
    assert log.steps[0].observation is first
    for before, after in zip(log.steps, log.steps[1:], strict=False):
        assert after.observation is before.next_observation
    assert [step.chunk_start for step in log.steps] == [True, False, True, False]
    assert [step.truncated for step in log.steps] == [False, False, False, True]
    np.testing.assert_array_equal(log.asked, PUSH[:4])
    assert log.ends == [outcome]


def test_ticks_inside_a_chunk_draw_nothing_unless_someone_needs_pictures() -> None:
    blind, seeing = ScriptedEnv(horizon=10), ScriptedEnv(horizon=10)
    log = Log()

    rollout(blind, replay(), seed=1, listeners=[log])
    rollout(seeing, replay(), seed=1, listeners=[Log(needs_images=True), Log()])

    assert blind.looks == 3  # reset, and before the second and the third chunk
    assert seeing.looks == 11
    assert [step.observation is None for step in log.steps] == [False, *[True] * 4] * 2


@pytest.mark.parametrize("kind", [RecedingHorizon, TemporalEnsemble])
def test_recording_does_not_change_the_episode(kind) -> None:
    agent = kind(WanderingPolicy(horizon=4))
    plain, recorded = Log(), Log(needs_images=True)

    one = rollout(ScriptedEnv(), agent, seed=5, listeners=[plain])
    two = rollout(ScriptedEnv(), agent, seed=5, listeners=[recorded])

    assert one == two
    np.testing.assert_array_equal(plain.asked, recorded.asked)


@pytest.mark.parametrize(
    ("wrap", "looks"),
    [
        (lambda env: OrderEnforcing(PassiveEnvChecker(env)), 2),
        (lambda env: OrderEnforcing(ActionNoise(OrderEnforcing(env), std=0.1)), 2),
        (RecordEpisodeStatistics, 7),  # it counts ticks in step, so it must see them all
        (lambda env: ActionNoise(RecordEpisodeStatistics(env), std=0.1), 7),
    ],
)
def test_chunks_are_played_blind_only_if_every_wrapper_hears_of_it(wrap, looks) -> None:
    env = ScriptedEnv(horizon=6)

    rollout(wrap(env), replay(horizon=6), seed=1)

    assert env.looks == looks  # one more when the chunk is used up
    assert env.ticks == 6


def test_noise_is_sent_and_the_clean_action_is_the_label() -> None:
    log = Log()
    env = ActionNoise(ScriptedEnv(horizon=5), std=0.1)

    rollout(env, replay(), seed=1, listeners=[log])

    for step in log.steps:
        np.testing.assert_array_equal(step.asked, [0.5, 0.5])
        np.testing.assert_array_equal(step.label, [0.5, 0.5])
        assert not np.array_equal(step.sent, step.asked)
    np.testing.assert_array_equal([step.sent for step in log.steps], env.unwrapped.sent)


def test_a_label_that_the_env_gives_takes_the_place_of_the_action() -> None:
    class Relabelled(ScriptedEnv):
        def _tick(self, action):
            reward, sent, success, more = super()._tick(action)
            return reward, sent, success, {**more, "label": self.expert_action()}

    log = Log()
    rollout(Relabelled(horizon=1), replay(), seed=1, listeners=[log])

    [step] = log.steps
    assert not np.array_equal(step.label, step.asked)


def test_the_whole_episode_follows_from_its_seed() -> None:
    agent = RecedingHorizon(RandomPolicy(INTERFACE))
    logs = [Log(), Log(), Log()]

    first = rollout(ScriptedEnv(), agent, listeners=[logs[0]])
    again = rollout(ScriptedEnv(), agent, seed=first.seed, listeners=[logs[1]])
    rollout(ScriptedEnv(), agent, seed=first.seed + 1, listeners=[logs[2]])

    assert UNSEEDED[0] <= first.seed < UNSEEDED[1]
    assert first == again
    np.testing.assert_array_equal(logs[0].asked, logs[1].asked)
    assert not np.array_equal(logs[0].asked[:5], logs[2].asked[:5])


def test_options_reach_the_env() -> None:
    outcome = rollout(ScriptedEnv(), replay(), seed=0, options={"instruction": "shoo"})

    assert outcome.instruction == "shoo"


def test_a_policy_for_another_interface_never_moves_the_env() -> None:
    env = ScriptedEnv()
    agent = RecedingHorizon(CountingPolicy(interface=replace(INTERFACE, control_hz=5.0)))
    wanted = "counting cannot drive Scripted:\n  - control_hz: 5.0 against 20.0"

    for play in (lambda: rollout(env, agent, seed=0), lambda: rollouts([env, env], agent, [0])):
        with pytest.raises(InterfaceMismatchError, match=wanted):
            play()
    assert env.looks == 0


def test_other_pictures_are_refused_unless_allowed() -> None:
    policy = CountingPolicy()
    policy.spec = replace(policy.spec, profile="fast-1")
    agent = RecedingHorizon(policy)

    with pytest.raises(InterfaceMismatchError, match="render profile: fast-1 against none"):
        rollout(ScriptedEnv(), agent, seed=0)
    assert rollout(ScriptedEnv(), agent, seed=0, any_profile=True).steps == 30


def test_listeners_are_told_of_a_broken_episode() -> None:
    logs = [Log(), Stumbling("on_step"), Stumbling("on_end"), Log()]

    with pytest.raises(RuntimeError, match="stumbled in on_step"):
        rollout(ScriptedEnv(), replay(), seed=0, listeners=logs)

    assert [log.ends for log in logs] == [[None]] * 4


def test_a_failure_while_breaking_off_goes_to_the_log(caplog) -> None:
    with (
        caplog.at_level(logging.ERROR),
        pytest.raises(RuntimeError, match="stumbled in on_step"),
    ):
        rollout(
            ScriptedEnv(), replay(), seed=0, listeners=[Stumbling("on_step"), Stumbling("on_end")]
        )

    assert "stumbled in on_end" in caplog.text


def test_no_listener_misses_the_end_because_another_failed() -> None:
    logs = [Stumbling("on_end"), Stumbling("on_end"), Log()]

    with pytest.raises(RuntimeError, match="stumbled in on_end"):
        rollout(ScriptedEnv(horizon=2), replay(), seed=0, listeners=logs)

    assert [end.steps for log in logs for end in log.ends] == [2, 2, 2]


def test_a_wrapped_env_plays_blind_too() -> None:
    env = ScriptedEnv(horizon=5)
    log = Log()

    rollout(InstructionAsBytes(env), replay(), seed=1, listeners=[log])

    assert env.looks == 2
    assert log.steps[0].observation["instruction"].dtype == np.uint8


def test_an_env_from_gym_make_plays_blind() -> None:
    env = gym.make("TinyVLA/Reach-v0", horizon=8)
    agent = RecedingHorizon(RandomPolicy(env.unwrapped.interface, horizon=8))
    log = Log()

    rollout(env, agent, seed=1, listeners=[log])

    assert [step.next_observation is None for step in log.steps] == [True] * 7 + [False]
