"""A device that plays what it is given: a person for tests and for documentation."""

import time
from collections.abc import Callable, Iterable, Iterator

from tinyvla_gym.robots.teleop.device import DeviceError, Reading


class ScriptedDevice:
    """Gives one reading after the other, stamped now, and is gone after the last."""

    def __init__(
        self, readings: Iterable[Reading], *, now: Callable[[], float] = time.monotonic
    ) -> None:
        """Prepares.

        Args:
            readings: What the person does; stamps are replaced.
            now: The clock [s].
        """
        self._readings: Iterator[Reading] = iter(readings)
        self._now = now

    def open(self) -> None:
        """See ``TeleopDevice``; there is nothing to open."""

    def read(self) -> Reading:
        """See ``TeleopDevice``."""
        for reading in self._readings:
            return reading_at(reading, self._now())
        raise DeviceError("script", "it is over.")

    def close(self) -> None:
        """See ``TeleopDevice``; there is nothing to let go of."""


def reading_at(reading: Reading, stamp_s: float) -> Reading:
    """The same reading at another time."""
    return Reading(**{**vars(reading), "stamp_s": stamp_s})
