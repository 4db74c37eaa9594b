"""What an arm says about itself, and what it is told: the two things that cross a driver."""

from dataclasses import dataclass
from enum import Enum
from math import isfinite

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Condition(Enum):
    """How an arm is, as its controller reports it; anything but ``OK`` stops the rig."""

    OK = "ready"
    REFLEX = "a reflex stopped the arm"
    PROTECTIVE_STOP = "a protective stop"
    PROGRAM_STOPPED = "the program on the controller is not running"
    CONTROL_LOST = "the connection to the controller broke"
    EMERGENCY_STOP = "an emergency stop"
    SAFEGUARD_STOP = "a safeguard stop"
    BRAKES_ENGAGED = "the brakes are engaged"
    REMOTE_CONTROL_OFF = "remote control is switched off"


@dataclass(frozen=True, kw_only=True)
class ArmState:
    """One reading of an arm. Every field was measured; none is made up.

    Attributes:
        stamp_s: When it was measured, on the controller's clock [s].
        joints_rad: Joint angles, shape (J,).
        joint_speeds_rad_s: Joint speeds, shape (J,).
        tcp_position_m: Tool position in the base frame [m], shape (3,).
        tcp_rotation: Tool to base, shape (3, 3).
        force_n: External force at the tool in the base frame [N], shape (3,).
        gripper_open_frac: Opening, 0 closed, 1 open.
        condition: What the arm's controller says about itself.
        external_torques_nm: What acts on the joints from outside, as the arm's controller
            estimates it, shape (J,); None where it tells nothing of that.
    """

    stamp_s: float
    joints_rad: Array
    joint_speeds_rad_s: Array
    tcp_position_m: Array
    tcp_rotation: Array
    force_n: Array
    gripper_open_frac: float
    condition: Condition = Condition.OK
    external_torques_nm: Array | None = None

    @property
    def is_finite(self) -> bool:
        """Whether every number of the reading is one."""
        total = self.stamp_s + self.gripper_open_frac  # one NaN makes all of it NaN
        for numbers in (self.joints_rad, self.joint_speeds_rad_s, self.force_n):
            total += sum(numbers.tolist())  # so few are sooner added up here than by numpy
        total += sum(self.tcp_position_m.tolist()) + sum(map(sum, self.tcp_rotation.tolist()))
        return isfinite(total)


@dataclass(frozen=True, kw_only=True)
class ArmCommand:
    """What one arm is told in one tick; how depends on what its driver follows.

    Attributes:
        joints_rad: Joint angles, shape (J,); None for an arm that follows tool poses.
        tcp_position_m: Tool position in the base frame [m], shape (3,).
        tcp_rotation: Tool to base, shape (3, 3).
        gripper_open_frac: Opening wanted.
        release: Whether the driver shall stop the arm and give up control: a fault is latched
            and the commanded motion has come to rest.
    """

    joints_rad: Array | None
    tcp_position_m: Array
    tcp_rotation: Array
    gripper_open_frac: float
    release: bool
