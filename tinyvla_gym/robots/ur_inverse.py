"""Inverse kinematics of the Universal Robots arms in closed form: all eight solutions.

Method: K. Hawkins, "Analytic Inverse Kinematics for the Universal Robots UR-5/UR-10 Arms",
Georgia Tech, 2013, with the lengths of each make taken from ``hardware.py``.
"""

from math import acos, atan2, cos, hypot, pi, sin, sqrt

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.robots.hardware import ArmModel

Array = NDArray[np.float64]

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
    d1, d4, d5, d6 = (model.links[index].d_m for index in (0, 3, 4, 5))
    a2, a3 = model.links[2].a_m, model.links[3].a_m
    (r11, r12, r13), (r21, r22, r23), (r31, r32, r33) = rotation.tolist()
    px, py, pz = position_m.tolist()
    found: list[tuple[float, ...]] = []

    # The fifth joint's centre lies d4 to the side of the plane in which the arm folds.
    wx, wy = px - d6 * r13, py - d6 * r23
    away_m = hypot(wx, wy)
    if away_m < abs(d4):
        return np.empty((0, 6))
    towards, aside = atan2(wy, wx), acos(d4 / away_m)
    for q1 in (towards + aside + pi / 2, towards - aside + pi / 2):
        c1, s1 = cos(q1), sin(q1)
        c5 = (px * s1 - py * c1 - d4) / d6
        if abs(c5) > 1.0 + 1e-9:
            continue
        q5_size = acos(min(1.0, max(-1.0, c5)))
        for q5 in (q5_size, -q5_size):
            s5 = sin(q5)
            if abs(s5) < _PARALLEL:
                q6 = q6_rad
            else:
                q6 = atan2((c1 * r22 - s1 * r12) / s5, (s1 * r11 - c1 * r21) / s5)
            c6, s6 = cos(q6), sin(q6)
            # Directions of the tool, seen in the folding plane: outwards and up.
            out_x, out_y, out_z = c1 * r11 + s1 * r21, c1 * r12 + s1 * r22, c1 * r13 + s1 * r23
            ax_out, ax_up = s6 * out_x + c6 * out_y, s6 * r31 + c6 * r32  # minus fourth z axis
            bx_out = cos(q5) * (c6 * out_x - s6 * out_y) - s5 * out_z  # fourth x axis
            bx_up = cos(q5) * (c6 * r31 - s6 * r32) - s5 * r33
            q234 = atan2(bx_up, bx_out)
            # Where the fourth joint stands in that plane, as seen from the second.
            out_m = c1 * px + s1 * py - d6 * out_z + d5 * ax_out
            up_m = pz - d1 - d6 * r33 + d5 * ax_up
            c3 = (out_m * out_m + up_m * up_m - a2 * a2 - a3 * a3) / (2 * a2 * a3)
            if abs(c3) > 1.0 + 1e-9:
                continue
            c3 = min(1.0, max(-1.0, c3))
            s3_size = sqrt(1.0 - c3 * c3)
            for s3 in (s3_size, -s3_size):
                q3 = atan2(s3, c3)
                q2 = atan2(up_m, out_m) - atan2(a3 * s3, a2 + a3 * c3)
                found.append((q1, q2, q3, q234 - q2 - q3, q5, q6))
    wrapped = np.array(found, np.float64).reshape(-1, 6)
    return (wrapped + pi) % (2 * pi) - pi


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
    turned = near_rad + (solutions - near_rad + pi) % (2 * pi) - pi
    turned = np.where(turned > high_rad, turned - 2 * pi, turned)
    turned = np.where(turned < low_rad, turned + 2 * pi, turned)
    return turned[int(np.argmin(np.abs(turned - near_rad).max(axis=1)))]
