"""What a driver needs of the library that speaks to a Franka arm: franky, or panda-py."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.robots.drivers.franka_hand import Fingers
from tinyvla_gym.robots.state import ArmCommand, Condition

Array = NDArray[np.float64]

CONDITION_OF_MODE = {
    "Idle": Condition.OK,
    "Move": Condition.OK,
    "Reflex": Condition.REFLEX,
    "AutomaticErrorRecovery": Condition.REFLEX,
    "UserStopped": Condition.SAFEGUARD_STOP,  # the external activation device
    "Guiding": Condition.SAFEGUARD_STOP,  # somebody's hands are on the arm
    "Other": Condition.BRAKES_ENGAGED,
}
"""What the robot's mode, as libfranka names it, means for us."""

TRANSLATION_N_M, ROTATION_NM_RAD = 750.0, 40.0
"""Stiffness that holds the tool: firm enough to place things, soft enough to be pushed away."""
JOINT_NM_RAD = (600.0, 600.0, 600.0, 600.0, 250.0, 150.0, 50.0)
"""Stiffness of the joints, where joint angles are sent."""


class Interrupted(Exception):
    """The library said that the arm is not ours any more, and why."""

    def __init__(self, condition: Condition, words: object) -> None:
        self.condition = condition
        super().__init__(str(words))


@dataclass(frozen=True, kw_only=True)
class FrankaReading:
    """One state of the robot.

    Attributes:
        robot_s: The robot's own clock [s]; the same number twice is the same reading.
        joints_rad: Joint angles, shape (7,).
        joint_speeds_rad_s: Joint speeds, shape (7,).
        tcp: Tool to base, shape (4, 4).
        force_n: External force at the tool in the base frame [N], shape (3,).
        torques_nm: External torques at the joints, shape (7,).
        condition: What the robot says about itself.
    """

    robot_s: float
    joints_rad: Array
    joint_speeds_rad_s: Array
    tcp: Array
    force_n: Array
    torques_nm: Array
    condition: Condition


class FrankaSession(Protocol):
    """An open connection to one arm. Every method may raise ``Interrupted``."""

    software: str
    flange_to_tcp: Array
    """The tool as the robot knows it, shape (4, 4)."""
    load_kg: float
    """What the robot knows to hang on its hand [kg]."""

    @property
    def fingers(self) -> Fingers:
        """The hand's gripper."""
        ...

    def look(self) -> FrankaReading:
        """The newest state; raises what has ended the motion since the last look."""
        ...

    def follow(self, command: ArmCommand) -> None:
        """Sets the pose, or the joint angles, that an impedance pulls the arm to."""

    def go(self, joints_rad: Array, speed_frac: float) -> None:
        """Sets out for joint angles, at a share of the maker's speed."""

    def end(self) -> None:
        """Brings the motion to rest and gives up control; returns when it is over."""

    def recover(self) -> None:
        """Clears a reflex."""
