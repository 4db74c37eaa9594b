"""Inverse kinematics of the Universal Robots arms in closed form: all eight solutions.

Method: K. Hawkins, "Analytic Inverse Kinematics for the Universal Robots UR-5/UR-10 Arms",
Georgia Tech, 2013, with the lengths of each make taken from ``hardware.py``.
"""

from collections.abc import Sequence
from math import acos, atan2, cos, hypot, inf, pi, sin, sqrt

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.robots.hardware import ArmModel

Array = NDArray[np.float64]

_SLACK = 1.0 + 1e-9  # a cosine a little above 1 is one that was rounded
_PARALLEL = 1e-7  # |sin| of the fifth joint below which the sixth could be anything


def ur_solutions(model: ArmModel, position_m: Array, rotation: Array, q6_rad: float) -> Array:
    """All joint angles that bring the flange to a pose.

    Args:
        model: ``ur5`` or ``ur5e``.
        position_m: Flange position in the base frame [m], shape (3,).
        rotation: Flange to base, shape (3, 3).
        q6_rad: What the last joint is to be where its axis coincides with the fourth's [rad].

    Returns:
        Angles in -pi to pi [rad], shape (up to 8, 6); shape (0, 6) if the pose is out of reach.
    """
    anywhere = (0.0, 0.0, 0.0, 0.0, 0.0, q6_rad)
    found = _solutions(model, position_m, rotation, anywhere, inf)
    wrapped = np.array(found, np.float64).reshape(-1, 6)
    return (wrapped + pi) % (2 * pi) - pi


def ur_solutions_near(
    model: ArmModel, position_m: Array, rotation: Array, near_rad: Array, within_rad: float
) -> Array:
    """Those of ``ur_solutions`` no joint of which has to turn by more than a little.

    A tick asks for the next step only, so branches that begin elsewhere are not followed.

    Args:
        model: ``ur5`` or ``ur5e``.
        position_m: Flange position in the base frame [m], shape (3,).
        rotation: Flange to base, shape (3, 3).
        near_rad: Where the arm is now, shape (6,).
        within_rad: How far a joint may turn, less than pi [rad].

    Returns:
        Angles [rad], perhaps whole turns away, shape (up to 8, 6).
    """
    found = _solutions(model, position_m, rotation, near_rad.tolist(), within_rad)
    return np.array(found, np.float64).reshape(-1, 6)


def _solutions(
    model: ArmModel,
    position_m: Array,
    rotation: Array,
    near: Sequence[float],
    within_rad: float,
) -> list[tuple[float, ...]]:
    """The solutions whose joints are near others, whole turns apart or not."""

    def far(angle_rad: float, joint: int) -> bool:
        return abs(_turn(angle_rad, near[joint])) > within_rad

    d1, d4, d5, d6 = (model.links[index].d_m for index in (0, 3, 4, 5))
    a2, a3 = model.links[2].a_m, model.links[3].a_m
    (r11, r12, r13), (r21, r22, r23), up = rotation.tolist()
    x_m, y_m, z_m = position_m.tolist()
    found: list[tuple[float, ...]] = []
    for q1 in _pan_angles(d4, x_m - d6 * r13, y_m - d6 * r23):
        if far(q1, 0):
            continue
        # The arm folds in a plane that the first joint turns: directions in it, and across it.
        c1, s1 = cos(q1), sin(q1)
        out = (c1 * r11 + s1 * r21, c1 * r12 + s1 * r22, c1 * r13 + s1 * r23)
        across = (s1 * r11 - c1 * r21, s1 * r12 - c1 * r22)
        for q5, q6 in _wrist_angles((s1 * x_m - c1 * y_m - d4) / d6, across, near[5]):
            if far(q5, 4) or far(q6, 5):
                continue
            c5, s5, c6, s6 = cos(q5), sin(q5), cos(q6), sin(q6)
            fourth_out = c5 * (c6 * out[0] - s6 * out[1]) - s5 * out[2]  # its x axis
            fourth_up = c5 * (c6 * up[0] - s6 * up[1]) - s5 * up[2]
            # Where the fourth joint stands, as seen from the second.
            out_m = c1 * x_m + s1 * y_m - d6 * out[2] + d5 * (s6 * out[0] + c6 * out[1])
            up_m = z_m - d1 - d6 * up[2] + d5 * (s6 * up[0] + c6 * up[1])
            for q2, q3 in _fold_angles(a2, a3, out_m, up_m):
                q4 = atan2(fourth_up, fourth_out) - q2 - q3
                if not (far(q2, 1) or far(q3, 2) or far(q4, 3)):
                    found.append((q1, q2, q3, q4, q5, q6))
    return found


def _turn(angle_rad: float, from_rad: float) -> float:
    """The short way from one angle to another [rad]."""
    return (angle_rad - from_rad + pi) % (2 * pi) - pi


def _pan_angles(d4: float, x_m: float, y_m: float) -> tuple[float, ...]:
    """The first joint: the fifth's centre, at x and y, lies d4 beside the folding plane."""
    away_m = hypot(x_m, y_m)
    if away_m < abs(d4):
        return ()
    towards, aside = atan2(y_m, x_m), acos(d4 / away_m)
    return (towards + aside + pi / 2, towards - aside + pi / 2)


def _wrist_angles(
    c5: float, across: tuple[float, float], q6_rad: float
) -> list[tuple[float, float]]:
    """The fifth joint, from its cosine, and the sixth, from the flange's axes across the plane."""
    if abs(c5) > _SLACK:
        return []
    size = acos(min(1.0, max(-1.0, c5)))
    s5 = sin(size)
    if s5 < _PARALLEL:
        return [(size, q6_rad), (-size, q6_rad)]
    x, y = across[0] / s5, -across[1] / s5
    return [(size, atan2(y, x)), (-size, atan2(-y, -x))]


def _fold_angles(a2: float, a3: float, out_m: float, up_m: float) -> list[tuple[float, float]]:
    """Shoulder and elbow that bring the fourth joint to a place in the folding plane."""
    c3 = (out_m * out_m + up_m * up_m - a2 * a2 - a3 * a3) / (2 * a2 * a3)
    if abs(c3) > _SLACK:
        return []
    c3 = min(1.0, max(-1.0, c3))
    s3, towards = sqrt(1.0 - c3 * c3), atan2(up_m, out_m)
    bent, q3 = atan2(a3 * s3, a2 + a3 * c3), atan2(s3, c3)  # both change sign with s3
    return [(towards - bent, q3), (towards + bent, -q3)]


def nearest_solution(solutions: Array, near_rad: Array, low_rad: Array, high_rad: Array) -> Array:
    """The solution, whole turns added, whose farthest-moving joint moves least.

    Args:
        solutions: Joint angles, shape (at least 1, J).
        near_rad: Where the arm is now, shape (J,).
        low_rad: Lower limits [rad], shape (J,).
        high_rad: Upper limits [rad], shape (J,).

    Returns:
        Joint angles, shape (J,); within the limits where whole turns can bring them there.
    """
    near, low, high = near_rad.tolist(), low_rad.tolist(), high_rad.tolist()
    best, least_rad = near, inf
    for solution in solutions.tolist():
        turned = [
            _within(b + _turn(a, b), lowest, highest)
            for a, b, lowest, highest in zip(solution, near, low, high, strict=True)
        ]
        moved_rad = max(abs(a - b) for a, b in zip(turned, near, strict=True))
        if moved_rad < least_rad:
            best, least_rad = turned, moved_rad
    return np.array(best)


def _within(angle_rad: float, low_rad: float, high_rad: float) -> float:
    """The same angle within limits, where a whole turn can bring it there [rad]."""
    angle_rad = angle_rad - 2 * pi if angle_rad > high_rad else angle_rad
    return angle_rad + 2 * pi if angle_rad < low_rad else angle_rad
