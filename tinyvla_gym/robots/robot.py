"""What a driver of an arm promises. Nothing here imports a vendor's library."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.errors import TinyVLAError
from tinyvla_gym.robots.state import ArmCommand, ArmState


class ConnectError(TinyVLAError, ConnectionError):
    """An arm's controller that cannot be reached, or will not be driven."""

    def __init__(self, arm: str, host: str, problem: str) -> None:
        super().__init__(f"Arm {arm} at {host} cannot be driven: {problem}")


class ArmDriver(Protocol):
    """One arm behind its vendor's library."""

    def connect(self) -> None:
        """Opens the connection; nothing moves.

        Raises:
            ConnectError: If the controller is not there or not ready.
            MissingExtraError: If the vendor's library is not installed.
        """

    def read(self, now_s: float) -> ArmState:
        """The newest reading, without waiting for the next one.

        Args:
            now_s: The time now, on the controller's clock [s]; goes into the stamp of a reading
                that is new.
        """
        ...

    def servo(self, command: ArmCommand) -> None:
        """Sends one tick's command and returns at once; a stopped driver sends nothing."""

    def move_home(self, joints_rad: NDArray[np.float64], *, speed_rad_s: float) -> None:
        """Moves to joint angles and returns when it is there; for resets only.

        Raises:
            RigFault: If the arm cannot be moved.
        """

    def stay(self) -> None:
        """Keeps the watchdog of an arm quiet that rests while another one moves home."""

    def stop(self) -> None:
        """Stops and gives up control. Safe in any state, any number of times."""

    def recover(self) -> None:
        """Clears what software may clear.

        Raises:
            OperatorRequired: If a person must go to the robot.
        """

    def close(self) -> None:
        """Closes the connection; the arm holds. Safe any number of times."""
