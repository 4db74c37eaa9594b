"""The actions of a rig as a space whose samples may be tried: near home, and never on metal."""

from typing import Any

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from tinyvla_gym import pose
from tinyvla_gym.errors import LiveEnvError
from tinyvla_gym.robots.codecs import rig_interface
from tinyvla_gym.robots.coordinates import kinematics_of
from tinyvla_gym.robots.rotations import rotation_from_rotvec
from tinyvla_gym.robots.spec import ArmSpec, RigSpec

_NEAR_M = 0.02
_NEAR_RAD = 0.05


class RigActions(Box):
    """Every action within its bounds; ``sample`` draws tool poses or joint angles near home.

    Six uniform numbers are no rotation, and a pose drawn from a whole workspace is a jump that
    the safety filter refuses.
    """

    def __init__(self, rig: RigSpec, *, live: bool) -> None:
        """Takes the bounds from the rig; a live one is not sampled from."""
        interface = rig_interface(rig)
        low, high = interface.action_low, interface.action_high
        super().__init__(  # pyright: ignore[reportCallIssue] (its overloads leave subclasses out)
            np.array(low, np.float32), np.array(high, np.float32)
        )
        self._rig, self._live = rig, live

    def sample(self, mask: Any = None, probability: Any = None) -> NDArray[Any]:
        """Draws one action near home, shape (A,).

        Raises:
            LiveEnvError: If the rig is live.
        """
        if self._live:
            raise LiveEnvError("a sample of its action space")
        parts = [self._near_home(arm) for arm in self._rig.arms]
        return np.clip(np.concatenate(parts), self.low, self.high).astype(np.float32)

    def _near_home(self, arm: ArmSpec) -> NDArray[np.float64]:
        home_rad = np.array(arm.home_rad, np.float64)
        opening = self.np_random.uniform(0.0, 1.0)
        if self._rig.control == "joint":
            moved = self.np_random.uniform(-_NEAR_RAD, _NEAR_RAD, len(home_rad))
            return np.append(home_rad + moved, opening)
        position_m, rotation = kinematics_of(arm).tool_pose(home_rad)
        position_m = position_m + self.np_random.uniform(-_NEAR_M, _NEAR_M, 3)
        turned = rotation_from_rotvec(self.np_random.uniform(-_NEAR_RAD, _NEAR_RAD, 3))
        return pose.pack(position_m, turned @ rotation, opening).astype(np.float64)
