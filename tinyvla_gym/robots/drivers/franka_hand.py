"""A Franka hand: its calls wait for the fingers, so a thread of its own makes them.

A command that comes while the fingers move does not replace the running one smoothly. So only the
newest target is kept, and sent when the fingers have come to rest.
"""

import threading
from typing import Protocol

from tinyvla_gym.robots.spec import GripperSpec

SPEED_M_S = 0.05
FORCE_N = 40.0
LEAST_M = 0.002  # smaller changes are not sent
_PERIOD_S = 0.05
_HOMED_M = 0.01  # a hand that knows a smaller width has not been homed since it was switched on


class Fingers(Protocol):
    """The vendors' gripper, which both libraries offer in this form. All calls wait."""

    @property
    def width(self) -> float:
        """Opening now [m]."""
        ...

    @property
    def max_width(self) -> float:
        """Largest opening, 0 before the hand was homed [m]."""
        ...

    def homing(self) -> bool:
        """Finds the largest width."""
        ...

    def move(self, width: float, speed: float) -> bool:
        """Moves to a width [m] at a speed [m/s]."""
        ...

    def grasp(
        self, width: float, speed: float, force: float, epsilon_inner: float, epsilon_outer: float
    ) -> bool:
        """Closes to a width [m] and keeps a force [N]; True if something is between."""
        ...


class FrankaHand:
    """One hand; ``read`` and ``move`` return at once."""

    def __init__(self, fingers: Fingers, spec: GripperSpec) -> None:
        """Starts the threads; nothing moves before ``move``.

        Args:
            fingers: The vendor's gripper, connected.
            spec: How wide it opens.
        """
        self._fingers, self._spec = fingers, spec
        self._width_m = fingers.width
        self._target_m: float | None = None
        self._asked_m: float | None = None
        self._fresh = threading.Event()
        self._over = threading.Event()
        self.broken = False
        """Whether the hand has stopped answering."""
        self._threads = [
            threading.Thread(target=loop, daemon=True) for loop in (self._watch, self._work)
        ]
        for thread in self._threads:
            thread.start()

    def read(self) -> float:
        """The opening, 0 closed to 1 open."""
        return min(1.0, max(0.0, self._width_m / self._spec.width_m))

    def move(self, open_frac: float) -> None:
        """Sets the opening wanted, 0 closed to 1 open; a change of 2 mm or less is not sent."""
        self._target_m = min(1.0, max(0.0, open_frac)) * self._spec.width_m
        self._fresh.set()

    def close(self) -> None:
        """Ends the threads; the fingers finish what they began. Safe any number of times."""
        self._over.set()
        self._fresh.set()
        for thread in self._threads:
            thread.join(timeout=2.0)

    def _watch(self) -> None:
        """Keeps the width up to date."""
        while not self._over.wait(_PERIOD_S):
            try:
                self._width_m = self._fingers.width
            except Exception:  # each library has its own
                self.broken = True
                return

    def _work(self) -> None:
        """Sends the newest target whenever the fingers rest."""
        while not self._over.is_set():
            self._fresh.wait()
            self._fresh.clear()
            target_m = self._target_m
            if target_m is None or self._over.is_set():
                continue
            if self._asked_m is not None and abs(target_m - self._asked_m) <= LEAST_M:
                continue
            try:
                self._send(target_m)
            except Exception:  # fingers that are blocked; ``_watch`` knows if nobody answers
                self._asked_m = None

    def _send(self, target_m: float) -> None:
        if self._fingers.max_width < _HOMED_M:
            self._fingers.homing()
        closing = target_m < self._width_m if self._asked_m is None else target_m < self._asked_m
        self._asked_m = target_m
        if closing:  # whatever it meets on the way is held
            wide_m = self._spec.width_m
            self._fingers.grasp(target_m, SPEED_M_S, FORCE_N, wide_m, wide_m)
        else:
            self._fingers.move(target_m, SPEED_M_S)
