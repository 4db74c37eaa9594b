"""Time-stamped waypoints, and the place between them at any time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Waypoint:
    """A place to be at a time.

    Attributes:
        due_s: When [s], on the controller's clock.
        place: Tool position [m] and rotation vector [rad], or joint angles, shape (n,).
        gripper_open_frac: Opening of the gripper on the way there.
    """

    due_s: float
    place: Array
    gripper_open_frac: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What became of the waypoints when they were made to fit the speed limits.

    Attributes:
        retimed: Factor by which the slowest leg takes longer than asked, at least 1.
        dropped: Waypoints given up because they would have been reached too late.
    """

    retimed: float
    dropped: int


class Path:
    """Straight legs between waypoints, travelled by a clock of its own.

    The clock follows the controller's time; where the arm could not keep up it stays behind.
    Waypoints are never moved, only reached later.
    """

    def __init__(self, place: Array, gripper_open_frac: float, now_s: float) -> None:
        """Stands still at a place, shape (n,)."""
        self.clock_s = now_s
        self._from = Waypoint(due_s=now_s, place=place, gripper_open_frac=gripper_open_frac)
        self._ahead: tuple[Waypoint, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether the last waypoint has been passed."""
        return not self._ahead

    @property
    def gripper_open_frac(self) -> float:
        """What the gripper should be doing now."""
        return (self._ahead[0] if self._ahead else self._from).gripper_open_frac

    def stop(self, place: Array, now_s: float) -> None:
        """Forgets what lies ahead and stands still at a place."""
        self.clock_s = now_s
        opening = self.gripper_open_frac
        self._from = Waypoint(due_s=now_s, place=place, gripper_open_frac=opening)
        self._ahead = ()

    def replan(
        self,
        place: Array,
        start_s: float,
        waypoints: Sequence[Waypoint],
        *,
        speed_m_s: float,
        rotation_speed_rad_s: float,
        late_s: float,
    ) -> Plan:
        """Takes new waypoints in place of the old ones from the first new one's time on.

        Args:
            place: Where the path starts now, shape (n,).
            start_s: When it starts, which may be the tick before [s].
            waypoints: New ones, in order of time.
            speed_m_s: Largest speed of the first three entries; infinite for joint angles.
            rotation_speed_rad_s: Largest speed of the others.
            late_s: Lateness beyond which a waypoint and all that follow it are given up [s].
        """
        kept = [old for old in self._ahead if start_s < old.due_s < waypoints[0].due_s]
        leg = Waypoint(due_s=start_s, place=place, gripper_open_frac=self.gripper_open_frac)
        self.clock_s, self._from = start_s, leg
        ahead: list[Waypoint] = []
        slowest, total = 1.0, len(kept) + len(waypoints)
        for wanted in (*kept, *waypoints):
            step = wanted.place - leg.place
            least_s = max(
                float(np.linalg.norm(step[:3])) / speed_m_s,
                float(np.linalg.norm(step[3:])) / rotation_speed_rad_s,
            )
            arrival_s = max(wanted.due_s, leg.due_s + least_s)
            if arrival_s - wanted.due_s > late_s:
                break
            slowest = max(slowest, least_s / max(wanted.due_s - leg.due_s, 1e-3))
            leg = Waypoint(
                due_s=arrival_s, place=wanted.place, gripper_open_frac=wanted.gripper_open_frac
            )
            ahead.append(leg)
        self._ahead = tuple(ahead)
        return Plan(retimed=slowest, dropped=total - len(ahead))

    def look(self, clock_s: float) -> Array:
        """Where the path is at a time not before the clock's, shape (n,)."""
        start = self._from
        for end in self._ahead:
            if clock_s < end.due_s:
                share = (clock_s - start.due_s) / (end.due_s - start.due_s)
                return start.place + share * (end.place - start.place)
            start = end
        return start.place

    def advance(self, clock_s: float) -> None:
        """Moves the clock, and forgets the waypoints that it has passed."""
        self.clock_s = clock_s
        while self._ahead and self._ahead[0].due_s <= clock_s:
            self._from, *rest = self._ahead
            self._ahead = tuple(rest)
