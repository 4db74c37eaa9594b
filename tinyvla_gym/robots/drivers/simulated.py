"""An arm that exists in numbers only: it is where it was told to be, one tick later."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.robots.coordinates import kinematics_of
from tinyvla_gym.robots.spec import ArmSpec
from tinyvla_gym.robots.state import ArmCommand, ArmState, Condition

_GRIPPER_FRAC = 0.02  # how far the gripper opens or closes per tick


class SimulatedArm:
    """Perfect obedience, no mass. An arm that follows tool poses keeps its joints as they were."""

    def __init__(self, spec: ArmSpec, *, period_s: float, start: ArmState | None = None) -> None:
        """Stands still.

        Args:
            spec: Which arm.
            period_s: Time between two commands [s].
            start: Where it stands; at home with an open gripper when None.
        """
        self.spec = spec
        self._period_s = period_s
        self._released = False
        self._state = start or self._standing(np.array(spec.home_rad, np.float64))

    def connect(self) -> None:
        """See ``ArmDriver``; there is nothing to open."""

    def read(self, now_s: float) -> ArmState:
        """See ``ArmDriver``."""
        condition = Condition.PROGRAM_STOPPED if self._released else Condition.OK
        return replace(self._state, stamp_s=now_s, condition=condition)

    def servo(self, command: ArmCommand) -> None:
        """See ``ArmDriver``."""
        if self._released:
            return
        if command.release:
            self.stop()
            return
        before = self._state
        joints_rad = before.joints_rad if command.joints_rad is None else command.joints_rad
        away = command.gripper_open_frac - before.gripper_open_frac
        opening = before.gripper_open_frac + float(np.clip(away, -_GRIPPER_FRAC, _GRIPPER_FRAC))
        self._state = replace(
            before,
            joints_rad=joints_rad.copy(),
            joint_speeds_rad_s=(joints_rad - before.joints_rad) / self._period_s,
            tcp_position_m=command.tcp_position_m.copy(),
            tcp_rotation=command.tcp_rotation.copy(),
            gripper_open_frac=opening,
        )

    def move_home(self, joints_rad: NDArray[np.float64], *, speed_rad_s: float) -> None:
        """See ``ArmDriver``; it is there at once, with an open gripper."""
        self._state = self._standing(joints_rad)

    def stay(self) -> None:
        """See ``ArmDriver``; there is no watchdog."""

    def stop(self) -> None:
        """See ``ArmDriver``."""
        self._released = True

    def recover(self) -> None:
        """See ``ArmDriver``."""
        self._released = False
        resting = np.zeros(len(self._state.joints_rad))
        self._state = replace(self._state, joint_speeds_rad_s=resting)

    def close(self) -> None:
        """See ``ArmDriver``; there is nothing to close."""

    def _standing(self, joints_rad: NDArray[np.float64]) -> ArmState:
        position_m, rotation = kinematics_of(self.spec).tool_pose(joints_rad)
        return ArmState(
            stamp_s=0.0,
            joints_rad=joints_rad.copy(),
            joint_speeds_rad_s=np.zeros(len(joints_rad)),
            tcp_position_m=position_m,
            tcp_rotation=rotation,
            force_n=np.zeros(3),
            gripper_open_frac=1.0,
        )
