"""What a rollout says while it runs, and who listens."""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.interface import Observation

Source = Literal["policy", "human", "expert"]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One control tick, as it happened.

    Attributes:
        observation: What was to be seen before the tick; None when the tick was played inside
            a chunk and nobody asked for pictures.
        next_observation: The same after the tick.
        asked: The action the agent chose, shape (A,).
        sent: The action that reached the robot after noise and limits, shape (A,).
        label: The action that training should imitate, shape (A,); ``asked`` unless relabelled.
        reward: Reward for this tick.
        terminated: The task ended the episode.
        truncated: Something else ended it: the horizon, an operator, a safety stop.
        info: The env's own remarks.
        chunk_start: The agent planned anew for this tick.
        source: Who chose the action.
    """

    observation: Observation | None
    next_observation: Observation | None
    asked: NDArray[np.float32]
    sent: NDArray[np.float32]
    label: NDArray[np.float32]
    reward: float
    terminated: bool
    truncated: bool
    info: dict[str, Any]
    chunk_start: bool
    source: Source


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How an episode ended.

    Attributes:
        seed: The integer from which the whole episode follows.
        instruction: The sentence given to the policy.
        steps: Control ticks played.
        episode_return: Sum of the rewards.
        success: The task was solved at some tick.
        success_step: The first tick that solved it, counted from 1; None if none did.
    """

    seed: int
    instruction: str
    steps: int
    episode_return: float
    success: bool
    success_step: int | None


class Listener(Protocol):
    """Watches a rollout: a recorder, a video writer, a live display. It cannot steer."""

    needs_images: bool
    """Whether every tick must carry its pictures; if not, ticks inside a chunk skip them."""

    def on_reset(self, observation: Observation, info: dict[str, Any]) -> None:
        """Called when an episode begins."""
        ...

    def on_step(self, step: Step) -> None:
        """Called after every control tick."""
        ...

    def on_end(self, outcome: Outcome | None) -> None:
        """Called once per episode; ``outcome`` is None when the episode was broken off."""
        ...
