"""Noise on what an agent asks for, so that demonstrations show how to recover."""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.interface import Observation

_NOISE_STREAM = 2  # keeps this noise apart from the env's and the agent's numbers


class ActionNoise(
    gym.Wrapper[Observation, NDArray[np.float32], Observation, NDArray[np.float32]],
    RecordConstructorArgs,
):
    """Adds Gaussian noise to every action and clips the sum to the action space.

    The noise comes in gusts, as in DART (Laskey et al., arXiv 1703.09327): at a high control
    rate, noise that changes at every tick averages out and takes the arm nowhere new.

    ``info["label"]`` is the action as it was asked for, which training should imitate;
    ``info["sent_action"]`` is what reached the robot. The noise follows from the episode's
    seed. The spaces do not change.
    """

    def __init__(
        self,
        env: gym.Env[Observation, NDArray[np.float32]],
        *,
        std: float | Sequence[float],
        hold: float = 1.0,
        calm_frac: float = 0.0,
    ) -> None:
        """Wraps ``env``.

        Args:
            env: An env of this package.
            std: Standard deviation in the action's own units, one for all entries or one each.
            hold: Control ticks that one offset lasts, on average, 1 or more.
            calm_frac: Share of the offsets that are zero, 0 to 1.

        Raises:
            ConfigError: If ``std`` is negative, not finite, or has a wrong number of entries,
                or ``hold`` or ``calm_frac`` is out of its range.
        """
        RecordConstructorArgs.__init__(self, std=std, hold=hold, calm_frac=calm_frac)
        gym.Wrapper.__init__(self, env)
        space = env.action_space
        if not isinstance(space, Box):
            raise ConfigError(f"ActionNoise needs a Box of actions, {env} has {space}.")
        if not (hold >= 1 and 0 <= calm_frac <= 1):
            raise ConfigError(
                "ActionNoise needs hold >= 1 and calm_frac from 0 to 1, "
                f"got hold={hold}, calm_frac={calm_frac}."
            )
        spread = np.asarray(std, np.float32)
        if (
            spread.shape not in ((), space.shape)
            or not (spread >= 0).all() & (spread < np.inf).all()
        ):
            raise ConfigError(
                f"ActionNoise needs one std >= 0 or {space.shape[0]} of them, got std={std}."
            )
        self._low, self._high = space.low, space.high
        self._std = np.broadcast_to(spread, space.shape)
        self._hold, self._calm_frac = hold, calm_frac
        self._start(seed=0)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begins an episode, and its noise with it."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._start(seed=info["seed"])
        return observation, info

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Plays one control tick with noise and looks."""
        label = np.asarray(action, np.float32)
        observation, reward, terminated, truncated, info = self.env.step(self._noisy(label))
        return observation, float(reward), terminated, truncated, {**info, "label": label}

    def advance(self, action: NDArray[np.float32]) -> tuple[float, bool, bool, dict[str, Any]]:
        """Plays one control tick with noise without drawing a picture."""
        label = np.asarray(action, np.float32)
        play = self.env.get_wrapper_attr("advance")
        reward, terminated, truncated, info = play(self._noisy(label))
        return reward, terminated, truncated, {**info, "label": label}

    def _start(self, *, seed: int) -> None:
        self._generator = np.random.default_rng((seed, _NOISE_STREAM))
        self._noise = np.zeros(self._std.shape, np.float32)

    def _noisy(self, action: NDArray[np.float32]) -> NDArray[np.float32]:
        rng = self._generator
        if rng.random() < 1 / self._hold:
            gust = self._std * rng.standard_normal(self._std.shape).astype(np.float32)
            self._noise = gust * np.float32(rng.random() < 1 - self._calm_frac)
        return np.clip(action + self._noise, self._low, self._high)
