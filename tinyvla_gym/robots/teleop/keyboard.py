"""Teleoperation by a terminal's keyboard; needs no library and works over ssh.

A terminal tells of presses and repeats, not of releases. So the dead-man switch is time: a motion
lasts as long as its key repeats, and the hand counts as off the keys shortly after the last one.
"""

import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable

import numpy as np

from tinyvla_gym.robots.teleop.device import DeviceError, Reading, Verdict

MOTIONS = {  # key: which entry of the twist, and its sign
    **{"w": (0, 1), "s": (0, -1), "a": (1, 1), "d": (1, -1), "r": (2, 1), "f": (2, -1)},
    **{"u": (3, 1), "o": (3, -1), "i": (4, 1), "k": (4, -1), "j": (5, 1), "l": (5, -1)},
}
GRIPPER = {"z": 1.0, "x": -1.0}
VERDICTS: dict[str, Verdict] = {"\n": "keep", "\r": "keep", "\x7f": "discard", "\b": "discard"}
OTHER_ARM = "\t"
HOLD = " "
HELP = (
    "w/s forward/back, a/d left/right, r/f up/down, u/o i/k j/l turn, z/x open/close, "
    "space hold still, tab other arm, Enter keep, Backspace discard"
)

MOVES_S = 0.15
"""A motion lasts so long after its key; repeats come faster."""
ENGAGED_S = 0.6
"""The dead-man switch lasts so long after the last key; longer than the pause before repeats."""


class Keyboard:
    """The keyboard of the terminal that this program runs in."""

    def __init__(
        self, *, descriptor: int | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        """Prepares.

        Args:
            descriptor: Of the terminal; standard input when None.
            now: The clock [s].
        """
        self._given, self._now = descriptor, now
        self._terminal = -1
        self._before: list | None = None
        self._pressed_s: dict[str, float] = {}
        self._last_s = -np.inf
        self._arm = 0

    def open(self) -> None:
        """See ``TeleopDevice``. The terminal stops echoing; Ctrl-C still interrupts."""
        self._terminal = sys.stdin.fileno() if self._given is None else self._given
        if not os.isatty(self._terminal):
            raise DeviceError("keyboard", "standard input is no terminal.")
        self._before = termios.tcgetattr(self._terminal)
        tty.setcbreak(self._terminal)

    def read(self) -> Reading:
        """See ``TeleopDevice``."""
        now_s = self._now()
        verdict = None
        for key in self._keys():
            self._last_s = now_s
            if key == OTHER_ARM:
                self._arm = 1 - self._arm
            elif key == HOLD:
                self._pressed_s.clear()
            elif key in VERDICTS:
                verdict = VERDICTS[key]
            else:
                self._pressed_s[key.lower()] = now_s
        held = [key for key, at_s in self._pressed_s.items() if now_s - at_s <= MOVES_S]
        twist = np.zeros(6)
        for entry, sign in (MOTIONS[key] for key in held if key in MOTIONS):
            twist[entry] += sign
        return Reading(
            stamp_s=now_s,
            engaged=now_s - self._last_s <= ENGAGED_S,
            twist=twist,
            gripper=float(np.sign(sum(GRIPPER.get(key, 0.0) for key in held))),
            arm=self._arm,
            verdict=verdict,
        )

    def close(self) -> None:
        """See ``TeleopDevice``. The terminal is as it was."""
        if self._before is not None:
            termios.tcsetattr(self._terminal, termios.TCSADRAIN, self._before)
            self._before = None
        self._pressed_s.clear()
        self._last_s = -np.inf

    def _keys(self) -> str:
        if self._before is None:
            raise DeviceError("keyboard", "it is not open.")
        keys = b""
        while select.select([self._terminal], [], [], 0)[0]:
            try:
                more = os.read(self._terminal, 1024)
            except OSError as error:
                raise DeviceError("keyboard", f"the terminal is gone: {error.strerror}.") from error
            if not more:
                raise DeviceError("keyboard", "the terminal is gone.")
            keys += more
        return keys.decode("utf-8", "replace")
