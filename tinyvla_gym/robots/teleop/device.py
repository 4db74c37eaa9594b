"""What a teleoperation device promises, and how one is found by name."""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.errors import TinyVLAError, UnknownNameError

Array = NDArray[np.float64]
Verdict = Literal["keep", "discard"]
"""What the person wants to become of the episode."""


class DeviceError(TinyVLAError, ConnectionError):
    """A device that is not there, or is gone."""

    def __init__(self, device: str, problem: str) -> None:
        super().__init__(f"Teleoperation by {device}: {problem}")


@dataclass(frozen=True, kw_only=True, eq=False)
class ToolPose:
    """Where a leader's tool is, in the leader's own base frame.

    Attributes:
        position_m: Shape (3,).
        rotation: Tool to base, shape (3, 3).
        gripper_open_frac: 0 closed, 1 open.
    """

    position_m: Array
    rotation: Array
    gripper_open_frac: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Reading:
    """What a person's hand says. A device gives a twist or, if it is a leader arm, a pose.

    Attributes:
        stamp_s: When the device was last heard, ``time.monotonic`` [s].
        engaged: The dead-man switch is held. Without it nothing moves.
        twist: Share of full speed along x, y, z and about them, -1 to 1, shape (6,).
        gripper: 1 opens, -1 closes, 0 leaves it.
        pose: Where the leader's tool is; its motions since engagement are followed.
        arm: Which arm is meant, where one device drives two: 0 or 1.
        verdict: What shall become of the episode, if the person has said so.
    """

    stamp_s: float
    engaged: bool
    twist: Array = field(default_factory=lambda: np.zeros(6))
    gripper: float = 0.0
    pose: ToolPose | None = None
    arm: int = 0
    verdict: Verdict | None = None


class TeleopDevice(Protocol):
    """One device; whoever writes another gives ``module:Class`` as its name."""

    def open(self) -> None:
        """Opens it.

        Raises:
            DeviceError: If it is not there.
            MissingExtraError: If its library is not installed.
        """

    def read(self) -> Reading:
        """What it says now, without waiting.

        Raises:
            DeviceError: If it is gone.
        """
        ...

    def close(self) -> None:
        """Lets go of it. Safe any number of times."""


DEVICES = {
    "keyboard": "tinyvla_gym.robots.teleop.keyboard:Keyboard",
    "spacemouse": "tinyvla_gym.robots.teleop.spacemouse:SpaceMouse",
}


def teleop_device(name: str) -> TeleopDevice:
    """Prepares a device; nothing is opened.

    Args:
        name: ``keyboard``, ``spacemouse``, or ``module:Callable`` of one's own, called without
            arguments.

    Raises:
        UnknownNameError: If it is none of them.
    """
    module, _, maker = DEVICES.get(name, name).partition(":")
    try:
        make: Callable[[], TeleopDevice] = getattr(import_module(module), maker)
    except (ImportError, AttributeError, ValueError) as error:
        known = (*DEVICES, "module:Class")
        raise UnknownNameError("teleoperation device", name, known) from error
    return make()
