"""A person takes over from a policy, and gives back."""

import gymnasium as gym
import numpy as np
import pytest

import tinyvla_gym  # noqa: F401 (registers the ids)
from tinyvla_gym.chunking import ExpertAgent, RecedingHorizon, TemporalEnsemble
from tinyvla_gym.data.recorder import Recorder
from tinyvla_gym.errors import ConfigError, UnknownNameError
from tinyvla_gym.intervention import Intervention, TeleopAgent, piloted
from tinyvla_gym.loop import rollout
from tinyvla_gym.policies.policy import PolicySpec
from tinyvla_gym.robots.teleop import scripted
from tinyvla_gym.robots.teleop.device import DeviceError, Reading
from tinyvla_gym.robots.teleop.pilot import Handling, Pilot
from tinyvla_gym.robots.teleop.scripted import ScriptedDevice
from tinyvla_gym.wrappers import HumanVerdict

REACH = "TinyVLA/Reach-v0"
MOVING = Reading(stamp_s=0.0, engaged=True, twist=np.eye(6)[0])
STILL = Reading(stamp_s=0.0, engaged=False)
CHUNK = 8


class Planner:
    """Plans to stay, and notes from where it planned."""

    def __init__(self, interface):
        self.spec = PolicySpec(
            interface=interface, horizon=CHUNK, execute=CHUNK, profile="", name="stay"
        )
        self.planned_from = []

    def reset(self, *, seed=None):
        pass

    def plan(self, observation):
        self.planned_from.append(np.array(observation["state"]))
        return np.repeat(observation["state"][None], CHUNK, axis=0)

    def plan_batch(self, observations, *, noise=None):
        return np.stack([self.plan(one) for one in observations])


class Listener:
    needs_images = False

    def __init__(self):
        self.steps = []

    def on_reset(self, observation, info):
        pass

    def on_step(self, step):
        self.steps.append(step)

    def on_end(self, outcome):
        pass


class Shelf:
    def __init__(self):
        self.episodes = []

    def add(self, episode):
        self.episodes.append(episode)


@pytest.fixture
def env():
    env = gym.make(REACH, action_mode="ee", horizon=20, terminate_on_success=False)
    yield env
    env.close()


def a_pilot(env, readings, **handling):
    device = ScriptedDevice(readings)
    return Pilot(env.get_wrapper_attr("interface"), [device], handling=Handling(**handling))


@pytest.mark.parametrize("kind", [RecedingHorizon, TemporalEnsemble])
def test_the_person_wins_while_engaged_and_the_policy_plans_anew_afterwards(env, kind) -> None:
    planner = Planner(env.get_wrapper_attr("interface"))
    pilot = a_pilot(env, [STILL] * 3 + [MOVING] * 6 + [STILL] * 11)
    heard = Listener()

    rollout(env, Intervention(kind(planner), pilot), seed=3, listeners=[heard], any_profile=True)

    sources = [step.source for step in heard.steps]
    assert sources == ["policy"] * 3 + ["human"] * 6 + ["policy"] * 11
    for step in heard.steps:
        np.testing.assert_array_equal(step.label, step.asked)
    x_m = [float(step.observation["state"][0]) for step in heard.steps]
    assert x_m[9] > x_m[3] + 0.01  # the person moved the hand
    np.testing.assert_allclose(x_m[9:], x_m[9], atol=1e-6)  # and the policy did not move it back
    assert heard.steps[9].chunk_start
    assert planner.planned_from[0][0] < planner.planned_from[-1][0]


def test_without_an_intervention_nothing_changes(env) -> None:
    alone, watched = Listener(), Listener()

    rollout(env, ExpertAgent(env), seed=5, listeners=[alone])
    agent = Intervention(ExpertAgent(env), a_pilot(env, [STILL] * 20))
    rollout(env, agent, seed=5, listeners=[watched])

    assert [step.source for step in watched.steps] == ["expert"] * 20
    for one, other in zip(alone.steps, watched.steps, strict=True):
        np.testing.assert_array_equal(one.asked, other.asked)


def test_a_mixed_episode_is_recorded_with_who_did_what(env) -> None:
    shelf = Shelf()
    agent = Intervention(ExpertAgent(env), a_pilot(env, [STILL] * 5 + [MOVING] * 15))

    rollout(env, agent, seed=1, listeners=[Recorder(shelf, keep_failures=True)])

    (episode,) = shelf.episodes
    assert episode.source == "expert 5, human 15"
    assert list(episode.sources) == ["expert"] * 5 + ["human"] * 15


def test_a_person_alone_holds_still_without_the_switch(env) -> None:
    heard = Listener()

    rollout(env, TeleopAgent(a_pilot(env, [STILL] * 20)), seed=1, listeners=[heard])

    assert {step.source for step in heard.steps} == {"human"}
    first = heard.steps[0].observation["state"]
    for step in heard.steps:
        np.testing.assert_allclose(step.next_observation["state"], first, atol=1e-6)


def test_a_device_that_is_gone_breaks_the_episode_off(env) -> None:
    with pytest.raises(DeviceError, match="it is over"):
        rollout(env, TeleopAgent(a_pilot(env, [MOVING] * 3)), seed=1)


@pytest.mark.parametrize(("said", "success", "kept"), [("keep", True, 1), ("discard", False, 0)])
def test_a_person_ends_an_episode_and_says_what_becomes_of_it(env, said, success, kept) -> None:
    readings = [MOVING] * 4 + [Reading(stamp_s=0.0, engaged=True, verdict=said)] + [MOVING] * 20
    pilot = a_pilot(env, readings)
    judged = HumanVerdict(env, verdict=lambda: pilot.verdict)
    shelf = Shelf()

    outcome = rollout(judged, TeleopAgent(pilot), seed=1, listeners=[Recorder(shelf)])

    assert (outcome.steps, outcome.success) == (5, success)
    assert len(shelf.episodes) == kept


@pytest.mark.slow
def test_metaworld_is_driven_by_hand() -> None:
    env = gym.make("TinyVLA/MetaWorld-reach-v3", action_mode="ee", horizon=25, cameras={})
    heard = Listener()
    agent = TeleopAgent(a_pilot(env, [MOVING] * 25, speed_m_s=0.3))

    rollout(env, agent, seed=2, listeners=[heard])

    x_m = [float(step.observation["state"][0]) for step in heard.steps]
    assert x_m[-1] > x_m[0] + 0.02
    env.close()


def test_an_env_without_tool_poses_cannot_be_driven() -> None:
    env = gym.make(REACH)

    with pytest.raises(ConfigError, match='action_mode="ee"'):
        a_pilot(env, [])


def test_a_device_is_found_by_name_and_closed_however_the_block_is_left(env, monkeypatch) -> None:
    made = []

    class Mine(ScriptedDevice):
        def __init__(self):
            super().__init__([STILL])
            self.events = []
            made.append(self)

        def open(self):
            self.events.append("open")

        def close(self):
            self.events.append("close")

    monkeypatch.setattr(scripted, "Mine", Mine, raising=False)
    with pytest.raises(KeyError), piloted(env, f"{scripted.__name__}:Mine") as pilot:
        pilot.fly({})  # not what an env shows

    assert made[0].events == ["open", "close"]
    with pytest.raises(UnknownNameError, match="Did you mean 'keyboard'"), piloted(env, "keybord"):
        pass
