"""Small policies for rigs: one that lifts a tool, and one that plans in another process."""

import json
from itertools import chain, repeat
from multiprocessing.connection import Client, Listener

import numpy as np

from tinyvla_gym.errors import PolicyLostError
from tinyvla_gym.policies.policy import PolicySpec
from tinyvla_gym.robots.codecs import rig_interface
from tinyvla_gym.robots.rig_file import load_rig
from tinyvla_gym.robots.teleop.device import Reading
from tinyvla_gym.robots.teleop.scripted import ScriptedDevice

KINDS = {"lifting": "rig_policies:Lifting", "elsewhere": "rig_policies:Elsewhere"}
HEIGHT, OPENING = 2, 9  # entries of the first arm's pose
RELEASED = Reading(stamp_s=0.0, engaged=False)
PUSHING = Reading(stamp_s=0.0, engaged=True, twist=np.array([0.0, 0.2, 0.0, 0.0, 0.0, 0.0]))


def save(folder, kind, rig_file, **facts):
    """Writes the folder of such a policy; ``load_policy`` finds it if it knows KINDS."""
    folder.mkdir()
    config = {"format_version": 1, "kind": kind, "rig": str(rig_file), **facts}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def hand():
    """A person who pushes sideways for eight ticks, after ten."""
    return ScriptedDevice(chain(repeat(RELEASED, 10), repeat(PUSHING, 8), repeat(RELEASED)))


class Lifting:
    """Lifts the first tool by 6 cm, beginning from wherever it is, and closes its gripper."""

    horizon = 8
    step_m = 0.005

    def __init__(self, folder, name):
        self.facts = json.loads((folder / "config.json").read_text())
        interface = rig_interface(load_rig(self.facts["rig"]))
        self.spec = PolicySpec(
            name=name, interface=interface, horizon=self.horizon, execute=self.horizon
        )

    @classmethod
    def from_pretrained(cls, folder):
        return cls(folder, "lifting")

    def reset(self, *, seed=None):
        self._top_m = None

    def plan(self, observation):
        state = observation["state"]
        if self._top_m is None:
            self._top_m = state[HEIGHT] + 0.06
        chunk = np.tile(state, (self.horizon, 1))
        risen_m = self.step_m * np.arange(1, self.horizon + 1)
        chunk[:, HEIGHT] = np.minimum(state[HEIGHT] + risen_m, self._top_m)
        chunk[:, OPENING] = 0.3
        return chunk

    def plan_batch(self, observations, *, noise=None):
        return np.stack([self.plan(one) for one in observations])


class Elsewhere(Lifting):
    """Another process plans; see ``plan_for_ever``."""

    horizon = 16  # a second: longer than anybody may drive on without a planner

    @classmethod
    def from_pretrained(cls, folder):
        policy = cls(folder, "elsewhere")
        policy.connection = Client(tuple(policy.facts["address"]))
        return policy

    def reset(self, *, seed=None):
        pass

    def check_alive(self):
        if self.connection.poll(0):  # nothing was asked, so this is the end
            raise PolicyLostError(self.spec.name, "its server is gone.")

    def plan(self, observation):
        try:
            self.connection.send(observation["state"])
            return self.connection.recv()
        except (EOFError, OSError) as error:
            raise PolicyLostError(self.spec.name, "its server is gone.") from error


def plan_for_ever(pipe):
    """A policy server: tells where it listens, then moves all tools up and down."""
    with Listener(("127.0.0.1", 0)) as listener:
        pipe.send(listener.address)
        connection = listener.accept()
        home, tick = None, 0
        while True:
            state = connection.recv()
            home = state if home is None else home
            chunk = np.tile(home, (Elsewhere.horizon, 1))
            times = (tick + np.arange(Elsewhere.horizon)) / 15
            chunk[:, HEIGHT::10] += 0.08 * np.sin(2.5 * times)[:, None].astype(np.float32)
            tick += Elsewhere.horizon
            connection.send(chunk)
