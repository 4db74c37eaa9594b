"""Rotations as matrices and as rotation vectors, small enough for a servo tick.

A rotation vector points along the axis and is as long as the angle [rad]. Its rate bounds the
angular speed: |angular velocity| <= |d(vector)/dt|, because the left Jacobian of SO(3) never
stretches (Sola et al., arXiv 1812.01537, equation 145).
"""

from math import acos, cos, pi, sin, sqrt

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Rotation = NDArray[np.float64]
"""A rotation matrix, shape (3, 3)."""

TOOL_DOWN = np.diag([1.0, -1.0, -1.0])
"""The tool points straight down, its x axis along the base's."""


def rotation_from_rotvec(rotvec_rad: Vector) -> Rotation:
    """Rodrigues' formula, shape (3,) to shape (3, 3)."""
    x, y, z = (float(entry) for entry in rotvec_rad)
    angle = sqrt(x * x + y * y + z * z)
    if angle < 1e-12:
        return np.array([[1.0, -z, y], [z, 1.0, -x], [-y, x, 1.0]])
    x, y, z = x / angle, y / angle, z / angle
    c, s = cos(angle), sin(angle)
    v = 1.0 - c
    return np.array(
        [
            [c + x * x * v, x * y * v - z * s, x * z * v + y * s],
            [y * x * v + z * s, c + y * y * v, y * z * v - x * s],
            [z * x * v - y * s, z * y * v + x * s, c + z * z * v],
        ]
    )


def rotvec_from_rotation(rotation: Rotation) -> Vector:
    """The shortest rotation vector of a rotation, shape (3, 3) to shape (3,)."""
    (a, b, c), (d, e, f), (g, h, i) = rotation.tolist()
    cosine = min(1.0, max(-1.0, (a + e + i - 1.0) / 2.0))
    angle = acos(cosine)
    twice_sine = np.array([h - f, c - g, d - b])
    if angle < 1e-6:
        return twice_sine / 2.0
    if pi - angle > 1e-4:
        return twice_sine * (angle / (2.0 * sin(angle)))
    # Near half a turn the antisymmetric part vanishes: read the axis off R + R' instead.
    squares = (rotation + rotation.T) / 2.0 - cosine * np.eye(3)
    column = squares[:, int(np.argmax(np.diag(squares)))]
    axis = column / np.linalg.norm(column)
    return axis * angle * (1.0 if axis @ twice_sine >= 0 else -1.0)


def angle_between(first: Rotation, second: Rotation) -> float:
    """The angle of the turn from one rotation to another [rad], in 0 to pi."""
    cosine = (float(np.sum(first * second)) - 1.0) / 2.0
    if cosine < 0.99:
        return acos(max(-1.0, cosine))
    return 2.0 * float(np.arcsin(min(1.0, np.linalg.norm(first - second) / sqrt(8.0))))


def nearest_turn(rotvec_rad: Vector, near_rad: Vector) -> Vector:
    """The vector of the same rotation, whole turns apart, that lies nearest to another.

    Args:
        rotvec_rad: A rotation vector, shape (3,).
        near_rad: The vector to come near to, shape (3,).
    """
    angle = float(np.linalg.norm(rotvec_rad))
    axis = rotvec_rad / angle if angle > 1e-9 else near_rad / max(np.linalg.norm(near_rad), 1e-9)
    turns = round((float(axis @ near_rad) - angle) / (2.0 * pi))
    return axis * (angle + 2.0 * pi * turns)


def rotations_from_rotvecs(rotvecs_rad: Vector) -> Rotation:
    """``rotation_from_rotvec`` for many: shape (B, 3) to shape (B, 3, 3)."""
    angle = np.sqrt((rotvecs_rad * rotvecs_rad).sum(axis=1))
    safe = np.maximum(angle, 1e-12)
    axis = rotvecs_rad / safe[:, None]
    cross = np.zeros((len(angle), 3, 3))
    cross[:, 0, 1], cross[:, 0, 2], cross[:, 1, 2] = -axis[:, 2], axis[:, 1], -axis[:, 0]
    cross -= cross.transpose(0, 2, 1).copy()
    s, v = np.sin(angle)[:, None, None], (1.0 - np.cos(angle))[:, None, None]
    return np.eye(3) + s * cross + v * (cross @ cross)
