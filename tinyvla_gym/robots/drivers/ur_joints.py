"""The joint angles of a Universal Robots arm, read without taking control: for guiding by hand."""

import socket
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.errors import MissingExtraError
from tinyvla_gym.robots.robot import ConnectError
from tinyvla_gym.robots.spec import ArmSpec

_PORT = 30004
_ANSWER_S = 2.0


class UrJoints:
    """Reads, and can do nothing else: no program is uploaded, the teach button works."""

    def __init__(self, spec: ArmSpec) -> None:
        """Prepares; nothing is opened before ``connect``."""
        self._spec = spec
        self._receive: Any = None

    def connect(self) -> None:
        """Opens the connection.

        Raises:
            ConnectError: If the controller is not there.
            MissingExtraError: If ``ur-rtde`` is not installed.
        """
        try:
            import rtde_receive
        except ImportError as error:
            raise MissingExtraError("A Universal Robots arm", "ur") from error
        try:  # a knock at the door first: where nobody is, the library waits for ever
            socket.create_connection((self._spec.host, _PORT), _ANSWER_S).close()
            self._receive = rtde_receive.RTDEReceiveInterface(self._spec.host)
        except (OSError, RuntimeError) as error:  # the latter is all that the library raises
            raise ConnectError(self._spec.name, self._spec.host, str(error)) from error

    def read(self) -> NDArray[np.float64]:
        """Joint angles now [rad], shape (6,)."""
        if self._receive is None or not self._receive.isConnected():
            raise ConnectError(self._spec.name, self._spec.host, "the connection is gone.")
        return np.array(self._receive.getActualQ(), np.float64)

    def close(self) -> None:
        """Closes the connection. Safe any number of times."""
        if self._receive is not None:
            self._receive.disconnect()
            self._receive = None
