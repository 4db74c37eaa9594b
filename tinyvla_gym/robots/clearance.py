"""How near two arms are to each other: rule 13, with the arms as chains of capsules."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.robots.spec import RigSpec
from tinyvla_gym.robots.ur_forward import UrKinematics

Array = NDArray[np.float64]

RADII_M = (0.08, 0.08, 0.065, 0.06, 0.06)
"""Thickness of the tubes between the corners of ``UrKinematics.skeleton``; the last is the hand."""
_LOOKS = 3  # at which moments of a stop
_RADII_SUM_M = np.add.outer(RADII_M, RADII_M)


class Clearance:
    """The distance between the two arms of a rig, which must be Universal Robots arms."""

    def __init__(self, rig: RigSpec) -> None:
        """Keeps where the arms stand."""
        self._limits = rig.limits
        self._to_base = np.stack([arm.base_rotation.T for arm in rig.arms])  # (2, 3, 3)
        self._base_m = np.array([arm.base_position_m for arm in rig.arms])[:, None]  # (2, 1, 3)
        self._kinematics = UrKinematics.of(rig.arms[0])  # both are of one model
        hands_m = [UrKinematics.of(arm).hand_m for arm in rig.arms]
        self._hands_m = np.repeat(hands_m, _LOOKS)

    def between(self, stopping_rad: Sequence[Array]) -> float:
        """Least distance between the surfaces of two arms while both come to rest [m].

        Args:
            stopping_rad: Joint angles of each arm from now until rest, shape (R, 6); now, half
                way and at rest are looked at.

        Returns:
            The distance, negative where the arms overlap.
        """
        joints_rad = np.array(
            [way[index] for way in stopping_rad for index in (0, len(way) // 2, -1)]
        )
        corners_m = self._kinematics.skeleton(joints_rad, self._hands_m).reshape(2, -1, 3)
        corners_m = (corners_m @ self._to_base + self._base_m).reshape(2, _LOOKS, -1, 3)
        first, second = (
            corners_m[0][:, :, None],
            corners_m[1][:, None],
        )  # every tube with every other
        apart_m = segment_distances(
            first[:, :-1], first[:, 1:], second[:, :, :-1], second[:, :, 1:]
        )
        return float((apart_m - _RADII_SUM_M).min())

    def pace(self, distance_m: float) -> float:
        """Rule 13: by how much both slow down, 1 not at all to 0 stand still."""
        slow, hold = self._limits.arms_slow_m, self._limits.arms_hold_m
        return min(1.0, max(0.0, (distance_m - hold) / (slow - hold)))


def segment_distances(a: Array, b: Array, c: Array, d: Array) -> Array:
    """Distances between segments from a to b and from c to d, shapes (..., 3) that broadcast.

    Method: C. Ericson, Real-Time Collision Detection, section 5.1.9.
    """
    u, v, w = b - a, d - c, a - c
    uu, vv, uv, uw, vw = (_dot(x, y) for x, y in ((u, u), (v, v), (u, v), (u, w), (v, w)))
    area = uu * vv - uv * uv
    parallel = area <= 1e-9 * uu * vv
    s = np.where(parallel, 0.0, (uv * vw - uw * vv) / np.where(parallel, 1.0, area))
    s = _within(s)
    t = _within((uv * s + vw) / np.maximum(vv, 1e-12))
    s = _within((t * uv - uw) / np.maximum(uu, 1e-12))
    apart = w + s[..., None] * u - t[..., None] * v
    return np.sqrt(_dot(apart, apart))


def _dot(x: Array, y: Array) -> Array:
    return np.einsum("...i,...i->...", x, y)


def _within(share: Array) -> Array:
    """Between the ends of a segment; ``np.clip`` takes three times as long for so few."""
    return np.minimum(np.maximum(share, 0.0), 1.0)
