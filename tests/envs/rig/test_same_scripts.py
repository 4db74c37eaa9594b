"""One scripted agent and the README's script, unchanged on MetaWorld and on rigs."""

import gymnasium as gym
import numpy as np
import pytest
from rigs import FRANKA, PAIR
from simulated_rigs import simulated

from tinyvla_gym import RecedingHorizon, VideoListener, rollout
from tinyvla_gym.envs.registration import metaworld_id
from tinyvla_gym.policies.policy import PolicySpec

WORLDS = {
    "metaworld": (metaworld_id("reach"), {"cameras": {"corner": 32}}),
    "franka": ("TinyVLA/FrankaRig-v0", {"rig": simulated(FRANKA, 32)}),
    "pair": ("TinyVLA/UR5Rig-v0", {"rig": simulated(PAIR, 32)}),
}


class ReachAndGrasp:
    """Brings the first arm's tool somewhere near, then closes its gripper. Knows ``ee`` only."""

    source = "expert"
    planned = True
    STEP_M = 0.01

    def __init__(self, offset_m):
        self.offset_m = np.array(offset_m, np.float32)

    def reset(self, *, seed=None):
        self._goal_m = None

    def needs_observation(self):
        return True

    def act(self, observation):
        action = observation["state"].copy()
        if self._goal_m is None:
            self._goal_m = action[:3] + self.offset_m
            self._rest = action
        action = self._rest.copy()
        away_m = self._goal_m - observation["state"][:3]
        far_m = float(np.linalg.norm(away_m))
        self.arrived = far_m < 0.01
        action[:3] = observation["state"][:3] + away_m * min(
            1.0, 5 * self.STEP_M / max(far_m, 1e-6)
        )
        action[9] = 0.0 if self.arrived else 1.0
        return action


@pytest.mark.parametrize("world", WORLDS)
def test_one_agent_reaches_and_grasps_everywhere(world) -> None:
    name, options = WORLDS[world]
    env = gym.make(name, **options, action_mode="ee", horizon=60, terminate_on_success=False)
    agent = ReachAndGrasp((0.03, 0.0, 0.04))
    states = []

    class Watch:
        needs_images = False

        def on_reset(self, observation, info):
            states.append(observation["state"])

        def on_step(self, step):
            if step.next_observation is not None:
                states.append(step.next_observation["state"])

        def on_end(self, outcome):
            pass

    outcome = rollout(env, agent, seed=1_000_000, listeners=[Watch()])
    env.close()

    assert outcome.steps == 60
    assert agent.arrived
    np.testing.assert_allclose(states[-1][:3], states[0][:3] + agent.offset_m, atol=0.012)
    assert states[-1][9] < states[0][9] - 0.2  # it has closed its gripper


class Steady:
    """A policy that plans to stay where it first was, with the env's options in its spec."""

    def __init__(self, env_id, options):
        self.options = dict(options)
        interface = gym.make(env_id, **options).unwrapped.interface
        self.spec = PolicySpec(
            name="steady", interface=interface, horizon=4, execute=4, env_options=self.options
        )

    def reset(self, *, seed=None):
        pass

    def plan(self, observation):
        return self.plan_batch([observation])[0]

    def plan_batch(self, observations, *, noise=None):
        return np.stack([np.tile(one["state"], (4, 1)) for one in observations])


@pytest.mark.parametrize("world", WORLDS)
def test_the_readmes_script_runs_everywhere(world, tmp_path) -> None:
    name, options = WORLDS[world]
    policy = Steady(name, {**options, "action_mode": "ee", "horizon": 6})

    env = gym.make(name, **policy.spec.env_options)
    film = VideoListener(tmp_path / "film.mp4", interface=env.unwrapped.interface, frame=env.render)
    outcome = rollout(env, RecedingHorizon(policy), seed=1_000_000, listeners=[film])

    assert outcome.steps == 6
    assert list(tmp_path.glob("film*.mp4"))
