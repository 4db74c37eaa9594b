"""Small stand-ins: an env, policies and a listener that do something a test can foresee."""

from dataclasses import replace

import numpy as np

from tinyvla_gym.chunking import RecedingHorizon
from tinyvla_gym.envs.env import ManipulationEnv
from tinyvla_gym.interface import Camera, Interface
from tinyvla_gym.policies.policy import PolicySpec
from tinyvla_gym.policies.simple import ReplayPolicy
from tinyvla_gym.policies.stacked import instruction_to_bytes

INTERFACE = Interface(
    cameras=(Camera(name="front", height=12, width=16), Camera(name="wrist", height=8, width=8)),
    state=("tcp_x_m", "tcp_y_m"),
    state_low=(-1.0, -1.0),
    state_high=(1.0, 1.0),
    action=("tcp_dx_dm", "tcp_dy_dm"),
    action_low=(-1.0, -1.0),
    action_high=(1.0, 1.0),
    control_hz=20.0,
    action_mode="native",
)
REACH_M = 0.02
STEP_M = 0.1  # what an action of 1 moves
PUSH = np.full((5, 2), 0.5, np.float32)


def an_observation(x_m=0.0, y_m=0.0, instruction="touch the dot"):
    """An observation of INTERFACE whose pictures show the position too."""
    brightness = round(127 * (x_m + 1))
    return {
        "image_front": np.full((12, 16, 3), brightness, np.uint8),
        "image_wrist": np.full((8, 8, 3), 255 - brightness, np.uint8),
        "state": np.array([x_m, y_m], np.float32),
        "instruction": instruction,
    }


def stacked(*observations):
    """Observations of N envs as stable-baselines3 shows them."""
    shown = [
        {**one, "instruction": instruction_to_bytes(one["instruction"])} for one in observations
    ]
    return {key: np.stack([one[key] for one in shown]) for key in shown[0]}


class ScriptedEnv(ManipulationEnv):
    """A point in the plane that must touch a dot; the seed places the dot."""

    def __init__(self, *, horizon=30, terminate_on_success=True, name="Scripted", expert=True):
        super().__init__(
            INTERFACE, name=name, horizon=horizon, terminate_on_success=terminate_on_success
        )
        self.looks = 0  # pictures taken
        self.sent = []  # actions of the running episode
        if expert:
            self.expert_action = self._expert

    def _begin(self, seed, options):
        self.place_m = np.zeros(2)
        self.goal_m = np.random.default_rng(seed).uniform(-0.8, 0.8, 2)
        self.instruction = "touch the dot"
        self.sent = []
        return {}

    def _tick(self, action):
        sent = np.clip(action, -1, 1).astype(np.float32)
        self.sent.append(sent)
        self.place_m = np.clip(self.place_m + STEP_M * sent, -1, 1)
        apart_m = float(np.linalg.norm(self.goal_m - self.place_m))
        return -apart_m, sent, apart_m < REACH_M, {}

    def observe(self):
        self.looks += 1
        return an_observation(*self.place_m, instruction=self.instruction)

    def _expert(self):
        return np.clip((self.goal_m - self.place_m) / STEP_M, -1, 1).astype(np.float32)

    def render(self):
        picture = np.zeros((90, 121, 3), np.uint8)
        picture[self.ticks % 90] = 255
        return picture


class CountingPolicy:
    """Row k of each chunk holds k; counts what it is asked."""

    def __init__(self, *, horizon=8, execute=None, interface=INTERFACE, noise_shape=None):
        self.spec = PolicySpec(
            name="counting",
            interface=interface,
            horizon=horizon,
            execute=horizon if execute is None else execute,
            noise_shape=noise_shape,
        )
        self.resets = []  # seeds
        self.batches = []  # (observations, noise) of every plan_batch

    @property
    def plans(self):
        return len(self.batches)

    def reset(self, *, seed=None):
        self.resets.append(seed)

    def plan(self, observation):
        return self.plan_batch([observation])[0]

    def plan_batch(self, observations, *, noise=None):
        self.batches.append((list(observations), noise))
        rows = np.arange(self.spec.horizon, dtype=np.float32)[:, None]
        chunk = np.tile(rows, (1, len(self.spec.interface.action)))
        return np.tile(chunk, (len(observations), 1, 1))


class WanderingPolicy(CountingPolicy):
    """Drives ScriptedEnv by what it sees and by its noise, each plan for itself alone."""

    def __init__(self, **settings):
        super().__init__(**settings)
        shape = (self.spec.horizon, len(self.spec.interface.action))
        self.spec = replace(self.spec, noise_shape=shape)

    def plan_batch(self, observations, *, noise=None):
        self.batches.append((list(observations), noise))
        steady = [0.5 - seen["state"] + seen["image_front"].mean() / 255 for seen in observations]
        return np.clip(np.stack(steady)[:, None] + noise, -1, 1).astype(np.float32)


class Log:
    """A listener that keeps what it hears."""

    def __init__(self, *, needs_images=False):
        self.needs_images = needs_images
        self.resets, self.steps, self.ends = [], [], []

    def on_reset(self, observation, info):
        self.resets.append((observation, info))

    def on_step(self, step):
        self.steps.append(step)

    def on_end(self, outcome):
        self.ends.append(outcome)

    @property
    def asked(self):
        return np.array([step.asked for step in self.steps])


class Stumbling(Log):
    """A listener that raises in on_step or in on_end."""

    def __init__(self, where):
        super().__init__()
        self._where = where

    def on_step(self, step):
        super().on_step(step)
        if self._where == "on_step":
            raise RuntimeError("stumbled in on_step")

    def on_end(self, outcome):
        super().on_end(outcome)
        if self._where == "on_end":
            raise RuntimeError("stumbled in on_end")


def replay(actions=PUSH, *, horizon=5):
    """An agent that pushes the point along, five ticks to a chunk."""
    return RecedingHorizon(ReplayPolicy(INTERFACE, actions, horizon=horizon))
