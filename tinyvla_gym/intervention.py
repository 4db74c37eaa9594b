"""A person at the controls: alone, or over the shoulder of a policy."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.chunking import Agent
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.events import Source
from tinyvla_gym.interface import Observation
from tinyvla_gym.robots.teleop.device import TeleopDevice, teleop_device
from tinyvla_gym.robots.teleop.pilot import Handling, Pilot


class TeleopAgent:
    """A person drives; while the dead-man switch is released, the arms hold still."""

    source: Source = "human"
    planned = True

    def __init__(self, pilot: Pilot) -> None:
        """Takes the pilot, whose devices must be open."""
        self.pilot = pilot

    def reset(self, *, seed: int | None = None) -> None:
        """Forgets the targets; a person has no seed."""
        self.pilot.reset()

    def needs_observation(self) -> bool:
        """Always: motions start from where the tools are."""
        return True

    def act(self, observation: Observation | None) -> NDArray[np.float32]:
        """The person's action, shape (A,)."""
        return self.pilot.fly(_seen(observation))


class Intervention:
    """A person beats the agent for as long as the dead-man switch is held.

    Every step's ``source`` says who acted, and its ``label`` is the person's action where that
    was the person. What was left of the agent's chunk is dropped at engagement, so that the agent
    plans anew from what it then sees. A device that falls silent while it is engaged keeps the
    arms still: the agent gets them back only when somebody is seen to let go.
    """

    def __init__(self, agent: Agent, pilot: Pilot) -> None:
        """Wraps an agent.

        Args:
            agent: Acts while nobody intervenes.
            pilot: The person's; its devices must be open.
        """
        self.agent, self.pilot = agent, pilot
        self.source: Source = agent.source
        self.planned = False

    @property
    def policy(self) -> Any:
        """The agent's policy, so that the loop can check that it fits the env."""
        return getattr(self.agent, "policy", None)

    def reset(self, *, seed: int | None = None) -> None:
        """Resets both."""
        self.agent.reset(seed=seed)
        self.pilot.reset()
        self.source = self.agent.source

    def needs_observation(self) -> bool:
        """Always: a person may take over at any tick, from where the tools are then."""
        return True

    def act(self, observation: Observation | None) -> NDArray[np.float32]:
        """This tick's action, the person's or the agent's, shape (A,)."""
        seen = _seen(observation)
        human = self.pilot.fly(seen)
        if self.pilot.engaged:
            if self.source != "human":
                _drop_plan(self.agent)
            self.source, self.planned = "human", True
            return human
        self.pilot.take_over()  # whoever engages next starts from where the agent got to
        action = self.agent.act(seen)
        self.source, self.planned = self.agent.source, self.agent.planned
        return action


@contextmanager
def piloted(env: gym.Env, device: str, *, handling: Handling | None = None) -> Iterator[Pilot]:
    """Opens devices and yields a pilot for an env; closes them however the block is left.

    Args:
        env: Made with ``action_mode="ee"``.
        device: Names as ``teleop_device`` knows them, with a comma between those of two arms.
        handling: Scale, axes and the like.

    Raises:
        UnknownNameError: If there is no such device.
        DeviceError: If one is not there.
        MissingExtraError: If its library is not installed.
        ConfigError: If the env cannot be driven.
    """
    devices: list[TeleopDevice] = [teleop_device(name) for name in device.split(",")]
    pilot = Pilot(env.get_wrapper_attr("interface"), devices, handling=handling)
    with ExitStack() as stack:
        for one in devices:
            stack.callback(one.close)
            one.open()
        yield pilot


def _drop_plan(agent: Agent) -> None:
    drop = getattr(agent, "drop_plan", None)
    if drop is not None:
        drop()


def _seen(observation: Observation | None) -> Observation:
    if observation is None:
        raise ConfigError("A person needs an observation at every tick.")
    return observation
