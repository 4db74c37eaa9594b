"""A leader arm, such as a GELLO: a small copy of the arm whose joints a person moves.

Its motors' library is its owner's business: ``JointLeader`` is all that is asked of it.
"""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.robots.kinematics import Kinematics
from tinyvla_gym.robots.spec import ArmSpec
from tinyvla_gym.robots.teleop.device import Reading, ToolPose


class JointLeader(Protocol):
    """The leader's motors."""

    def open(self) -> None:
        """Opens them; raises ``DeviceError`` if they are not there."""

    def read(self) -> tuple[NDArray[np.float64], float, bool]:
        """Joint angles [rad] (J,), trigger (0 closed, 1 open), and whether the switch is held.

        Raises ``DeviceError`` when they are gone.
        """
        ...

    def close(self) -> None:
        """Lets go of them. Safe any number of times."""


class LeaderArm:
    """A teleoperation device from a leader's joints; the follower follows its tool's motions.

    The clutch: only motions since engagement are followed, so that a leader may be taken up
    anywhere, and put back while it is released.
    """

    def __init__(
        self,
        leader: JointLeader,
        arm: ArmSpec,
        *,
        signs: Sequence[int] | None = None,
        offsets_rad: Sequence[float] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepares.

        Args:
            leader: The motors.
            arm: The arm whose copy the leader is.
            signs: 1 or -1 per joint, where a motor turns the other way.
            offsets_rad: Added to each joint after its sign [rad].
            now: The clock [s].

        Raises:
            ConfigError: If there are not as many signs or offsets as joints.
        """
        joints = arm.arm.joints
        self._signs = np.array([1] * joints if signs is None else signs, np.float64)
        self._offsets = np.array([0.0] * joints if offsets_rad is None else offsets_rad, np.float64)
        if self._signs.shape != (joints,) or self._offsets.shape != (joints,):
            raise ConfigError(f"A leader of arm {arm.name} has {joints} signs and offsets.")
        self._leader, self._now = leader, now
        self._kinematics = Kinematics.of(arm)

    def open(self) -> None:
        """See ``TeleopDevice``."""
        self._leader.open()

    def read(self) -> Reading:
        """See ``TeleopDevice``. Joints that are not numbers count as a released switch."""
        motors_rad, open_frac, engaged = self._leader.read()
        joints_rad = self._signs * np.asarray(motors_rad, np.float64) + self._offsets
        now_s = self._now()
        if not (np.isfinite(joints_rad).all() and np.isfinite(open_frac)):
            return Reading(stamp_s=now_s, engaged=False)
        position_m, rotation = self._kinematics.tool_pose(joints_rad)
        pose = ToolPose(
            position_m=position_m,
            rotation=rotation,
            gripper_open_frac=float(np.clip(open_frac, 0.0, 1.0)),
        )
        return Reading(stamp_s=now_s, engaged=bool(engaged), pose=pose)

    def close(self) -> None:
        """See ``TeleopDevice``."""
        self._leader.close()
