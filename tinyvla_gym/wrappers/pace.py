"""A simulator at the speed of real time, for whoever drives it by hand."""

import time
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.interface import Observation


class RealTime(gym.Wrapper[Observation, NDArray[np.float32], Observation, NDArray[np.float32]]):
    """Every step takes at least one period of the control rate; one that is late is not made up.

    The spaces do not change, and what happens does not depend on the clock.
    """

    def __init__(
        self,
        env: gym.Env[Observation, NDArray[np.float32]],
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Wraps ``env``.

        Args:
            env: An env of this package.
            now: The clock [s].
            sleep: Waits [s].
        """
        super().__init__(env)
        self._now, self._sleep = now, sleep
        self._period_s = 1.0 / env.get_wrapper_attr("interface").control_hz
        self._due_s = -np.inf

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Plays one control tick, and waits until its period is over."""
        stepped = self.env.step(action)
        now_s = self._now()
        if now_s < self._due_s:
            self._sleep(self._due_s - now_s)
        # From here on: hurrying to catch up would jerk what a hand does.
        self._due_s = max(now_s, self._due_s) + self._period_s
        observation, reward, terminated, truncated, info = stepped
        return observation, float(reward), terminated, truncated, info
