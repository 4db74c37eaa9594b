"""From the name of a policy to an agent for an env, and how long its plans take."""

import time
from collections.abc import Sequence

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.chunking import Agent, ExpertAgent, RecedingHorizon
from tinyvla_gym.delay import DelayedHorizon
from tinyvla_gym.envs.env import refuse_live
from tinyvla_gym.errors import ConfigError, UnknownNameError
from tinyvla_gym.events import Source
from tinyvla_gym.interface import ActionChunk, Observation
from tinyvla_gym.policies.load import bundled, load_policy
from tinyvla_gym.policies.policy import Policy, PolicySpec, check_alive
from tinyvla_gym.policies.simple import RandomPolicy

SCRIPTED = ("expert", "random")
"""Names that need no checkpoint."""

RANDOM_HORIZON = 8
"""Actions in one chunk of ``random``."""


class TimedPolicy:
    """Another policy, with a stopwatch; what it plans does not change."""

    def __init__(self, policy: Policy) -> None:
        self.plans_ms: list[float] = []
        self._policy = policy

    @property
    def spec(self) -> PolicySpec:
        """The other policy's."""
        return self._policy.spec

    def reset(self, *, seed: int | None = None) -> None:
        """Resets the other policy."""
        self._policy.reset(seed=seed)

    def check_alive(self) -> None:
        """Asks the other policy."""
        check_alive(self._policy)

    def plan(self, observation: Observation) -> ActionChunk:
        """Plans, timed."""
        return self.plan_batch([observation])[0]

    def plan_batch(
        self, observations: Sequence[Observation], *, noise: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Plans, timed: each call counts once, divided by its batch."""
        began_s = time.perf_counter()
        chunks = self._policy.plan_batch(observations, noise=noise)
        self.plans_ms.append((time.perf_counter() - began_s) * 1e3 / len(observations))
        return chunks


def open_policy(name: str) -> TimedPolicy | None:
    """Loads what a name stands for, with a stopwatch; None for ``expert`` and ``random``.

    Raises:
        UnknownNameError: If there is no policy of that name.
        TinyVLAError: If it cannot be loaded; see ``load_policy``.
    """
    if name in SCRIPTED:
        return None
    try:
        return TimedPolicy(load_policy(name))
    except UnknownNameError as error:
        raise UnknownNameError("policy", name, [*SCRIPTED, *bundled()]) from error


class SampleAgent:
    """Plays samples of an env's action space, where those make more sense than its bounds."""

    source: Source = "policy"
    planned = True

    def __init__(self, env: gym.Env) -> None:
        self._space = env.action_space

    def reset(self, *, seed: int | None = None) -> None:
        """Draws the same again for the same seed."""
        self._space.seed(seed)

    def needs_observation(self) -> bool:
        """Never."""
        return False

    def act(self, observation: Observation | None) -> NDArray[np.float32]:
        """Draws one action, shape (A,)."""
        return self._space.sample()


def make_agent(
    name: str,
    policy: Policy | None,
    env: gym.Env,
    *,
    execute: int | None = None,
    delay: int = 0,
    pad_to: int | None = None,
) -> Agent:
    """Builds the agent that plays an env.

    Args:
        name: ``expert``, ``random``, or the name of ``policy``.
        policy: What ``open_policy`` gave.
        env: One of the envs that will be played.
        execute: Actions per chunk; the policy's own choice when None.
        delay: Control ticks from a look to the first action of its plan.
        pad_to: See ``PlanningAgent``.

    Raises:
        ConfigError: If the expert should be late: it plans nothing.
        LiveEnvError: If ``random`` should move real arms.
    """
    if name == "expert" and delay:
        raise ConfigError("The scripted expert plans nothing, so its plans cannot be late.")
    if name == "expert":
        return ExpertAgent(env)
    if policy is None:
        refuse_live(env, "random")
        if hasattr(env.unwrapped, "rig"):  # a pose from anywhere is a jump, and no rotation
            return SampleAgent(env)
        policy = RandomPolicy(env.get_wrapper_attr("interface"), horizon=RANDOM_HORIZON)
    if delay:
        return DelayedHorizon(policy, delay=delay, execute=execute, pad_to=pad_to)
    return RecedingHorizon(policy, execute=execute, pad_to=pad_to)
