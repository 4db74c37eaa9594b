"""Whether a foreseen motion keeps the speeds: rule 9 for the tool, rule 11 for the joints."""

from math import sin

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.robots.limits import SafetyLimits
from tinyvla_gym.robots.smoothing import PAST
from tinyvla_gym.robots.spec import ArmSpec

Array = NDArray[np.float64]

_EXACT = 1.0 + 1e-9


class Envelope:
    """The speeds of one arm, by differences between the rows of ``Smoother.foresee``.

    All comparisons ask for what is allowed, so that a NaN is always a breach.
    """

    def __init__(
        self, arm: ArmSpec, limits: SafetyLimits, *, row_s: float, in_joints: bool
    ) -> None:
        """Keeps the bounds.

        Args:
            arm: Whose motion it is.
            limits: What is allowed.
            row_s: Time between two rows [s].
            in_joints: Whether the rows are joint angles.
        """
        self._speed_frac = limits.joint_speed_frac
        self._row_s = row_s
        bounds = (
            ("tcp_speed", limits.tcp_speed_m_s * row_s),
            ("tcp_acceleration", limits.tcp_acceleration_m_s2 * row_s**2),
            ("tcp_jerk", limits.tcp_jerk_m_s3 * row_s**3),
        )
        self._tool_bounds = [(name, (most_m * _EXACT) ** 2) for name, most_m in bounds]
        # Rotations an angle apart differ by sqrt(8) sin(angle / 2) in the Frobenius norm.
        turn_rad = limits.tcp_rotation_speed_rad_s * row_s
        self._turn_bound = 8 * sin(turn_rad / 2) ** 2 * _EXACT
        self._model = arm.arm if in_joints else None
        self._low = np.array(arm.arm.joint_low_rad) + limits.joint_margin_rad - 1e-9
        self._high = np.array(arm.arm.joint_high_rad) - limits.joint_margin_rad + 1e-9

    def breach(
        self, foreseen: Array, positions_m: Array, rotations: Array
    ) -> tuple[int, str] | None:
        """Rule and name of the first limit that a motion exceeds, or None.

        Args:
            foreseen: Joint angles or tool coordinates, shape (R, n).
            positions_m: Tool positions, shape (R, 3).
            rotations: Tool to base, shape (R, 3, 3).
        """
        return self._tool_breach(positions_m, rotations) or self._joint_breach(foreseen)

    def _tool_breach(self, positions_m: Array, rotations: Array) -> tuple[int, str] | None:
        change = positions_m
        for order, (name, most_squared) in enumerate(self._tool_bounds, 1):
            change = change[1:] - change[:-1]
            new = change[PAST - order :]  # differences that end at a command still to be sent
            if not np.einsum("bi,bi->b", new, new).max() <= most_squared:
                return 9, name
        turned = (rotations[PAST:] - rotations[PAST - 1 : -1]).reshape(-1, 9)
        if not np.einsum("bi,bi->b", turned, turned).max() <= self._turn_bound:
            return 9, "tcp_rotation_speed"
        return None

    def _joint_breach(self, foreseen: Array) -> tuple[int, str] | None:
        if self._model is None:
            return None
        ahead = foreseen[PAST:]
        if not ((ahead >= self._low) & (ahead <= self._high)).all():
            return 11, "joint_limit"
        if self._model.speed_laws:
            speed = (ahead - foreseen[PAST - 1 : -1]) / self._row_s
            down, up = self._model.joint_speed_max(ahead)
            share = self._speed_frac
            if not ((speed <= share * up + 1e-9) & (speed >= share * down - 1e-9)).all():
                return 11, "joint_speed"
        return None
