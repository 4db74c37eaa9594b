"""A person ends an episode by a key: keep it as a success, or discard it."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.interface import Observation
from tinyvla_gym.robots.teleop.device import Verdict


class HumanVerdict(gym.Wrapper[Observation, NDArray[np.float32], Observation, NDArray[np.float32]]):
    """Ends the episode in the tick in which a person says so.

    ``keep`` terminates it as a success, ``discard`` truncates it and takes back any success of its
    last tick. ``info["verdict"]`` is what was said, or None. The spaces do not change.
    """

    def __init__(
        self,
        env: gym.Env[Observation, NDArray[np.float32]],
        *,
        verdict: Callable[[], Verdict | None],
    ) -> None:
        """Wraps ``env``.

        Args:
            env: An env of this package.
            verdict: What the person has said of the running episode; asked once per tick.
        """
        super().__init__(env)
        self._verdict = verdict

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Plays one control tick, and asks."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        said = self._verdict()
        if said is not None:
            keep = said == "keep"
            terminated, truncated = keep, not keep
            info = {**info, "success": keep}
        return observation, float(reward), terminated, truncated, {**info, "verdict": said}
