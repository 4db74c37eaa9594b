"""In which numbers an arm is moved: joint angles, or the tool's pose where the arm is compliant.

A *place* is what a path runs through, an *input* is what is smoothed and sent. They differ where
an action names tool poses and the arm follows joint angles: there, inverse kinematics lies between.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.robots.actions import JointTarget, PoseTarget, Target
from tinyvla_gym.robots.kinematics import Kinematics
from tinyvla_gym.robots.limits import SafetyLimits
from tinyvla_gym.robots.rotations import (
    TOOL_DOWN,
    nearest_turn,
    rotation_from_rotvec,
    rotations_from_rotvecs,
    rotvec_from_rotation,
)
from tinyvla_gym.robots.smoothing import share_of_each, share_of_vector
from tinyvla_gym.robots.spec import ArmSpec, RigSpec
from tinyvla_gym.robots.state import ArmState
from tinyvla_gym.robots.ur_forward import UrKinematics
from tinyvla_gym.robots.ur_inverse import nearest_solution, ur_solutions_near

Array = NDArray[np.float64]

SPARE = 0.9
"""Share of the tool's speed that inputs use: joint averages bend tool paths a little."""
_BRANCH_RAD = 0.5  # a solution farther away than this is another posture, not the next step
_ACCELERATE_S = 0.35  # joints that could go faster than this acceleration time allows do not


class Coordinates(Protocol):
    """How one arm is moved."""

    speed_window_s: float
    jerk_window_s: float

    def start(self, state: ArmState) -> Array:
        """The input at which a motion begins, from a reading of the arm, shape (n,)."""
        ...

    def place_of_target(self, target: Target, near: Array) -> Array:
        """The place of a target, in the numbers nearest to another place."""
        ...

    def place_of_input(self, value: Array, near: Array) -> Array:
        """The place at which an input stands."""
        ...

    def input_of_place(self, place: Array, near: Array) -> Array | None:
        """The input for a place, near another input; None if there is none."""
        ...

    def share(self, step: Array, leaving: Array, period_s: float) -> float:
        """Largest share of an input step that keeps speed, acceleration and jerk."""
        ...

    def tool_path(self, inputs: Array) -> tuple[Array, Array]:
        """Tool positions (B, 3) and rotations (B, 3, 3) for inputs of shape (B, n)."""
        ...

    def pace(self, value: Array) -> float:
        """By how much to slow down near a singularity, 1 not at all to 0 stand still."""
        ...


class JointCoordinates:
    """Joint angles all the way: a ``joint`` action, or the base of what follows."""

    def __init__(self, arm: ArmSpec, limits: SafetyLimits, kinematics: Kinematics) -> None:
        """Works the bounds out; see ``smoothing.py`` for why they have this form."""
        model = arm.arm
        acceleration = limits.joint_acceleration_rad_s2
        speed = limits.joint_speed_frac * np.array(model.joint_speed_rad_s)
        self._speed = np.minimum(speed, acceleration * _ACCELERATE_S).tolist()
        tool_s = limits.tcp_speed_m_s / limits.tcp_acceleration_m_s2
        self.speed_window_s = max(max(self._speed) / acceleration, tool_s)
        self.jerk_window_s = 2 * max(
            acceleration / limits.joint_jerk_rad_s3,
            limits.tcp_acceleration_m_s2 / limits.tcp_jerk_m_s3,
        )
        self._change = acceleration * self.speed_window_s
        self._kinematics = kinematics

    def start(self, state: ArmState) -> Array:
        """See ``Coordinates``."""
        return np.array(state.joints_rad, np.float64)

    def place_of_target(self, target: Target, near: Array) -> Array:
        """See ``Coordinates``."""
        assert isinstance(target, JointTarget)
        return target.joints_rad

    def place_of_input(self, value: Array, near: Array) -> Array:
        """See ``Coordinates``."""
        return value

    def input_of_place(self, place: Array, near: Array) -> Array | None:
        """See ``Coordinates``."""
        return place

    def share(self, step: Array, leaving: Array, period_s: float) -> float:
        """See ``Coordinates``."""
        most = [speed * period_s for speed in self._speed]
        return share_of_each(step.tolist(), leaving.tolist(), most, self._change * period_s)

    def tool_path(self, inputs: Array) -> tuple[Array, Array]:
        """See ``Coordinates``."""
        if isinstance(self._kinematics, UrKinematics):
            return self._kinematics.tool_path(inputs)
        frames = self._kinematics.forward(inputs)
        return frames.position_m, frames.rotation

    def pace(self, value: Array) -> float:
        """See ``Coordinates``."""
        return 1.0


class UrToolCoordinates(JointCoordinates):
    """Tool poses asked for, joint angles sent: the Universal Robots arms in ``ee`` control."""

    def __init__(self, arm: ArmSpec, limits: SafetyLimits, kinematics: UrKinematics) -> None:
        """See ``JointCoordinates``."""
        super().__init__(arm, limits, kinematics)
        self._ur = kinematics
        self._low = np.array(arm.arm.joint_low_rad) + limits.joint_margin_rad
        self._high = np.array(arm.arm.joint_high_rad) - limits.joint_margin_rad
        self._condition_max = limits.condition_max

    def place_of_target(self, target: Target, near: Array) -> Array:
        """See ``Coordinates``."""
        assert isinstance(target, PoseTarget)
        return _place(target.position_m, target.rotation, near)

    def place_of_input(self, value: Array, near: Array) -> Array:
        """See ``Coordinates``."""
        positions_m, rotations = self._ur.tool_path(value[None])
        return _place(positions_m[0], rotations[0], near)

    def input_of_place(self, place: Array, near: Array) -> Array | None:
        """See ``Coordinates``."""
        tool = rotation_from_rotvec(place[3:]) @ TOOL_DOWN
        flange = tool @ self._ur.flange_to_tcp_rotation.T
        flange_m = place[:3] - flange @ self._ur.flange_to_tcp_m
        found = ur_solutions_near(self._ur.model, flange_m, flange, near, _BRANCH_RAD)
        if not len(found):
            return None
        joints_rad = nearest_solution(found, near, self._low, self._high)
        return None if np.abs(joints_rad - near).max() > _BRANCH_RAD else joints_rad

    def pace(self, value: Array) -> float:
        """1 up to half the largest condition number, from there falling to 0."""
        return min(1.0, max(0.0, 2.0 - 2.0 * self._ur.condition(value) / self._condition_max))


class ToolCoordinates:
    """Tool poses all the way: an arm whose controller follows them with compliance.

    A place and an input are the tool's position [m] and its rotation vector from straight down
    [rad], shape (6,).
    """

    def __init__(self, arm: ArmSpec, limits: SafetyLimits, kinematics: Kinematics) -> None:
        """Works the bounds out; see ``smoothing.py``."""
        self._limits = limits
        self.speed_window_s = limits.tcp_speed_m_s / limits.tcp_acceleration_m_s2
        self.jerk_window_s = 2 * limits.tcp_acceleration_m_s2 / limits.tcp_jerk_m_s3

    def start(self, state: ArmState) -> Array:
        """See ``Coordinates``."""
        return _place(state.tcp_position_m, state.tcp_rotation, np.zeros(6))

    def place_of_target(self, target: Target, near: Array) -> Array:
        """See ``Coordinates``."""
        assert isinstance(target, PoseTarget)
        return _place(target.position_m, target.rotation, near)

    def place_of_input(self, value: Array, near: Array) -> Array:
        """See ``Coordinates``."""
        return value

    def input_of_place(self, place: Array, near: Array) -> Array | None:
        """See ``Coordinates``."""
        return place

    def share(self, step: Array, leaving: Array, period_s: float) -> float:
        """See ``Coordinates``."""
        speed_m = self._limits.tcp_speed_m_s * period_s
        turn_rad = self._limits.tcp_rotation_speed_rad_s * period_s
        position = share_of_vector(step[:3], leaving[:3], speed_m, speed_m)
        return min(position, share_of_vector(step[3:], leaving[3:], turn_rad, turn_rad))

    def tool_path(self, inputs: Array) -> tuple[Array, Array]:
        """See ``Coordinates``."""
        return inputs[:, :3], rotations_from_rotvecs(inputs[:, 3:]) @ TOOL_DOWN

    def pace(self, value: Array) -> float:
        """See ``Coordinates``."""
        return 1.0


def kinematics_of(arm: ArmSpec) -> Kinematics:
    """The kinematics of an arm, in closed form where there is one."""
    kind = UrKinematics if arm.model.startswith("ur") else Kinematics
    return kind.of(arm)


def coordinates_of(rig: RigSpec, arm: ArmSpec) -> Coordinates:
    """How an arm of a rig is moved."""
    kinematics = kinematics_of(arm)
    if rig.control == "joint":
        return JointCoordinates(arm, rig.limits, kinematics)
    if isinstance(kinematics, UrKinematics):
        return UrToolCoordinates(arm, rig.limits, kinematics)
    return ToolCoordinates(arm, rig.limits, kinematics)


def _place(position_m: Array, rotation: Array, near: Array) -> Array:
    rotvec = nearest_turn(rotvec_from_rotation(rotation @ TOOL_DOWN.T), near[3:])
    return np.concatenate([position_m, rotvec])
