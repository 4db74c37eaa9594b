"""Teleoperation by a SpaceMouse through ``pyspacemouse``. Not yet run on a device.

The left button is the dead-man switch, the right one opens and closes the gripper in turn.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from tinyvla_gym.errors import MissingExtraError
from tinyvla_gym.robots.teleop.device import DeviceError, Reading

_DEAD_ZONE = 0.08
_PAUSE_S = 0.002  # reports come every 8 ms


class SpaceMouse:
    """One SpaceMouse, read by a thread, since its reports wait in line."""

    def __init__(self, *, path: str = "", now: Callable[[], float] = time.monotonic) -> None:
        """Prepares.

        Args:
            path: Such as ``/dev/hidraw3``, where there are several; the first one when empty.
            now: The clock [s].
        """
        self._path, self._now = path, now
        self._mouse: Any = None
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._problem = ""
        self._twist = np.zeros(6)
        self._buttons = (0, 0)
        self._heard_s = -np.inf
        self._report = -1.0
        self._opens = True
        self._gripper = 0.0

    def open(self) -> None:
        """See ``TeleopDevice``."""
        try:
            import pyspacemouse  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise MissingExtraError("A SpaceMouse", "teleop") from error
        convention = pyspacemouse.AxisConvention.ROS  # x ahead, y left, z up: as a base's frame
        try:
            if self._path:
                mouse = pyspacemouse.open_by_path(self._path, axis_convention=convention)
            else:
                mouse = pyspacemouse.open(axis_convention=convention)
        except Exception as error:  # its kinds of error differ from release to release
            raise DeviceError("SpaceMouse", f"{error}. Is it plugged in, and readable?") from error
        self._mouse = mouse
        self._problem = ""
        self._closing.clear()
        self._thread = threading.Thread(target=self._listen, name="SpaceMouse", daemon=True)
        self._thread.start()

    def read(self) -> Reading:
        """See ``TeleopDevice``."""
        if self._problem or self._mouse is None:
            raise DeviceError("SpaceMouse", self._problem or "it is not open.")
        return Reading(
            stamp_s=self._heard_s,
            engaged=bool(self._buttons[0]),
            twist=self._twist.copy(),
            gripper=self._gripper,
        )

    def close(self) -> None:
        """See ``TeleopDevice``."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(1.0)
            self._thread = None
        if self._mouse is not None:
            self._mouse.close()
            self._mouse = None

    def _listen(self) -> None:
        while not self._closing.is_set():
            try:
                state = self._mouse.read()
            except Exception as error:  # an unplugged device: whatever the library makes of it
                self._problem = f"it is gone: {error}."
                return
            if not self._mouse.connected:
                self._problem = "it is gone."
                return
            self._take(state)
            self._closing.wait(_PAUSE_S)

    def _take(self, state: Any) -> None:
        twist = np.array([state.x, state.y, state.z, state.roll, state.pitch, state.yaw])
        self._twist = np.where(np.abs(twist) < _DEAD_ZONE, 0.0, twist)
        buttons = (*map(int, state.buttons[:2]), 0, 0)[:2]
        if buttons[1] and not self._buttons[1]:
            self._opens = not self._opens
            self._gripper = 1.0 if self._opens else -1.0
        self._buttons = buttons
        # At rest it says nothing; a cap that is pushed and says nothing has lost its radio.
        if state.t != self._report or not self._twist.any():
            self._heard_s = self._now()
        self._report = state.t
