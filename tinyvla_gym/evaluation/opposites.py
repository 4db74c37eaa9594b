"""Does the sentence decide? Equal half-open starts, opposite sentences.

A drawer or window stands half open and the goal's marker is hidden, so that nothing but the
sentence says which way it should go. An episode succeeds when the object has moved by 2 cm the
way that was asked, and fails when it has moved by 2 cm the other way first.
"""

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.envs.sentences import sentences
from tinyvla_gym.interface import Observation

DISTANCE_M = 0.02


@dataclass(frozen=True, kw_only=True)
class Opposite:
    """One half of a pair.

    Attributes:
        scene: The MetaWorld task whose scene both halves share.
        asked: The task whose default sentence is given.
        entry: Where the object's coordinate stands in ``info["privileged"]``.
        sign: 1 if it should grow, -1 if it should shrink.
    """

    scene: str
    asked: str
    entry: int
    sign: int

    @property
    def reset_options(self) -> dict[str, Any]:
        """What ``env.reset`` is given."""
        return {
            "progress": 0.5,
            "goal_marker": False,
            "instruction": sentences(self.asked)[0],
        }


OPPOSITES = {
    "drawer-asked-to-open": Opposite(scene="drawer-open", asked="drawer-open", entry=5, sign=-1),
    "drawer-asked-to-close": Opposite(scene="drawer-open", asked="drawer-close", entry=5, sign=1),
    "window-asked-to-open": Opposite(scene="window-open", asked="window-open", entry=4, sign=1),
    "window-asked-to-close": Opposite(scene="window-open", asked="window-close", entry=4, sign=-1),
}


class MovedAsAsked(gym.Wrapper[Observation, NDArray[np.float32], Observation, NDArray[np.float32]]):
    """Replaces the task's success: the object has moved the way that was asked.

    The env inside must not terminate on success. The spaces do not change.
    """

    def __init__(self, env: gym.Env, opposite: Opposite) -> None:
        """Wraps ``env``, a MetaWorld drawer or window."""
        super().__init__(env)
        self._opposite = opposite
        self._start_m = 0.0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begins an episode and remembers where the object is."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._start_m = info["privileged"][self._opposite.entry]
        return observation, info

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Plays one control tick and looks."""
        observation, reward, _, truncated, info = self.env.step(action)
        success, over = self._judge(info)
        return observation, float(reward), over, truncated, {**info, "success": success}

    def advance(self, action: NDArray[np.float32]) -> tuple[float, bool, bool, dict[str, Any]]:
        """Plays one control tick without drawing a picture."""
        reward, _, truncated, info = self.env.get_wrapper_attr("advance")(action)
        success, over = self._judge(info)
        return reward, over, truncated, {**info, "success": success}

    def _judge(self, info: dict[str, Any]) -> tuple[bool, bool]:
        """Whether the object has moved as asked, and whether it has moved at all."""
        moved_m = info["privileged"][self._opposite.entry] - self._start_m
        return bool(moved_m * self._opposite.sign >= DISTANCE_M), bool(abs(moved_m) >= DISTANCE_M)
