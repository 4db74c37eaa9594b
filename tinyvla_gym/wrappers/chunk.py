"""A whole chunk as one action: h control ticks, one look."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray

from tinyvla_gym.envs.env import find_advance
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.interface import Observation


class ExecuteChunk(
    gym.Wrapper[Observation, NDArray[np.float32], Observation, NDArray[np.float32]],
    RecordConstructorArgs,
):
    """Plays h actions per step and draws one observation, after the last.

    The states are those of h single steps. Only the action space changes: to h rows. An episode
    that ends inside a chunk stops there; the reward is the sum over the ticks played. ``info`` is
    the last tick's, with ``success`` true if any tick succeeded, ``rewards`` (ticks,) and
    ``sent_actions`` (ticks, A) of all that were played.
    """

    def __init__(self, env: gym.Env[Observation, NDArray[np.float32]], *, execute: int) -> None:
        """Wraps ``env``.

        Args:
            env: An env of this package; wrappers in between must have ``advance``.
            execute: Control ticks per step, h.

        Raises:
            ConfigError: If ``execute`` is below 1, or the env cannot advance without looking.
        """
        RecordConstructorArgs.__init__(self, execute=execute)
        gym.Wrapper.__init__(self, env)
        if execute < 1:
            raise ConfigError(f"ExecuteChunk needs execute of at least 1, got {execute}.")
        advance, tick = find_advance(env), env.action_space
        if advance is None or not isinstance(tick, Box):
            raise ConfigError(f"{env} cannot play ticks without drawing: it has no advance().")
        self.execute = execute
        self._advance = advance
        self.action_space: Box = Box(
            np.repeat(tick.low[None], execute, 0), np.repeat(tick.high[None], execute, 0)
        )

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Plays a chunk.

        Args:
            action: Shape (h, A).

        Raises:
            ConfigError: If the shape is another; nothing moves.
            ActionNotFiniteError: At the first row with NaN or infinity.
        """
        chunk = np.asarray(action, np.float32)
        if chunk.shape != self.action_space.shape:
            raise ConfigError(
                f"A chunk has the shape {self.action_space.shape}, got {chunk.shape}."
            )
        schedule = getattr(self.env.unwrapped, "schedule", None)
        if schedule is not None:  # a rig drives through a chunk better than from row to row
            schedule(chunk)
        rewards: list[float] = []
        sent: list[NDArray[np.float32]] = []
        success = terminated = truncated = False
        info: dict[str, Any] = {}
        for row in chunk:
            reward, terminated, truncated, info = self._advance(row)
            rewards.append(float(reward))
            sent.append(info["sent_action"])
            success = success or info["success"]
            if terminated or truncated:
                break
        more = {"success": success, "rewards": np.array(rewards), "sent_actions": np.stack(sent)}
        observation = self.env.get_wrapper_attr("observe")()
        return observation, sum(rewards), terminated, truncated, {**info, **more}
