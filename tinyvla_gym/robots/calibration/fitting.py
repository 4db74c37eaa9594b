"""Least squares for calibration: a rigid motion, a plane, the tip of a tool.

Every fit tells its largest error, not its mean: a rig is as badly known as its worst point.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.errors import TinyVLAError

Array = NDArray[np.float64]

LEAST_POINTS = 4
"""One more than a rigid motion or a plane needs, so that there is an error to see."""
_SPREAD_M = 0.02  # points that lie closer together than this say little about angles
_TURN_FRAC = 0.1  # so much must the tool's directions differ, 0 not at all to 1


class CalibrationError(TinyVLAError, ValueError):
    """Measurements from which nothing can be learned; the rig's file stays as it was."""


@dataclass(frozen=True, kw_only=True)
class RigidFit:
    """``target = rotation @ source + translation_m``.

    Attributes:
        rotation: Shape (3, 3).
        translation_m: Shape (3,).
        errors_m: Distance that is left between each pair of points, shape (N,).
    """

    rotation: Array
    translation_m: Array
    errors_m: Array


@dataclass(frozen=True, kw_only=True)
class PlaneFit:
    """A plane through points.

    Attributes:
        centre_m: Middle of the points, which lies in the plane, shape (3,).
        normal: Unit vector that points up (z above 0), shape (3,).
        errors_m: Distance of each point from the plane, shape (N,).
    """

    centre_m: Array
    normal: Array
    errors_m: Array


@dataclass(frozen=True, kw_only=True)
class TipFit:
    """A tool's tip that was held still while the flange turned about it.

    Attributes:
        offset_m: The tip in the flange's frame, shape (3,).
        errors_m: How far each pose puts the tip from the place common to all, shape (N,).
    """

    offset_m: Array
    errors_m: Array


def fit_rigid(source_m: Array, target_m: Array) -> RigidFit:
    """The rigid motion that takes points to points, by Kabsch's singular value decomposition.

    W. Kabsch, Acta Crystallographica A32 (1976) 922, with the reflection ruled out.

    Args:
        source_m: Shape (N, 3).
        target_m: The same points elsewhere, shape (N, 3).

    Raises:
        CalibrationError: If there are fewer than four, one is not finite, or all lie on a line.
    """
    source_m, target_m = _checked(source_m), _checked(target_m)
    _check_spread(source_m, 1, "on one line")
    source_mean, target_mean = source_m.mean(axis=0), target_m.mean(axis=0)
    u, _, vt = np.linalg.svd((target_m - target_mean).T @ (source_m - source_mean))
    upright = np.diag([1.0, 1.0, np.linalg.det(u @ vt)])
    rotation = u @ upright @ vt
    translation_m = target_mean - rotation @ source_mean
    left_m = source_m @ rotation.T + translation_m - target_m
    return RigidFit(
        rotation=rotation, translation_m=translation_m, errors_m=np.linalg.norm(left_m, axis=1)
    )


def fit_plane(points_m: Array) -> PlaneFit:
    """The plane with the least squared distances from points, shape (N, 3).

    Raises:
        CalibrationError: If there are fewer than four, one is not finite, or all lie on a line.
    """
    points_m = _checked(points_m)
    _check_spread(points_m, 1, "on one line")
    centre_m = points_m.mean(axis=0)
    normal = np.linalg.svd(points_m - centre_m)[2][2]
    normal = normal if normal[2] > 0 else -normal
    return PlaneFit(
        centre_m=centre_m, normal=normal, errors_m=np.abs((points_m - centre_m) @ normal)
    )


def fit_tip(flanges_m: Array, rotations: Array) -> TipFit:
    """The tip of a tool, from flange poses that all put it on one spot.

    For every pose, ``flange + rotation @ tip = spot``: linear in tip and spot.

    Args:
        flanges_m: Flange positions, shape (N, 3).
        rotations: Flange to base, shape (N, 3, 3).

    Raises:
        CalibrationError: If there are fewer than four, one is not finite, or the flange turned
            about one axis only, along which the tip is then unknown.
    """
    flanges_m = _checked(flanges_m)
    count = len(flanges_m)
    still = np.broadcast_to(-np.eye(3), (count, 3, 3))
    matrix = np.concatenate([rotations, still], axis=2).reshape(3 * count, 6)
    if np.linalg.svd(matrix)[1][-1] < _TURN_FRAC * np.sqrt(count):
        raise CalibrationError(
            "The flange must turn about two axes at least, by 20 degrees and more, while the tip "
            "rests on its spot."
        )
    solved: Array = np.linalg.lstsq(matrix, -flanges_m.reshape(-1), rcond=None)[0].astype(float)
    left_m = flanges_m + rotations @ solved[:3] - solved[3:]
    return TipFit(offset_m=solved[:3], errors_m=np.linalg.norm(left_m, axis=1))


def _checked(points_m: Array) -> Array:
    points_m = np.asarray(points_m, np.float64)
    if points_m.ndim != 2 or points_m.shape[1] != 3 or len(points_m) < LEAST_POINTS:
        raise CalibrationError(
            f"At least {LEAST_POINTS} points of 3 numbers are needed, got shape {points_m.shape}."
        )
    if not np.isfinite(points_m).all():
        raise CalibrationError("A point is not finite.")
    return points_m


def _check_spread(points_m: Array, axis: int, where: str) -> None:
    spread_m = np.linalg.svd(points_m - points_m.mean(axis=0))[1] / np.sqrt(len(points_m))
    if spread_m[axis] < _SPREAD_M:
        raise CalibrationError(
            f"The points lie {where}, {spread_m[axis]:.3f} m wide; spread them over the workspace."
        )
