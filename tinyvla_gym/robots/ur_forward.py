"""Forward kinematics of the Universal Robots arms, fast enough to foresee a stop in every tick.

The second, third and fourth joints are parallel, so the arm folds in a plane that the first one
turns: ``out`` is the direction along the ground in that plane, ``up`` is vertical, and ``side``
is the common direction of the three axes. A vector in that plane is the complex number
out + i up, so that a joint turns it by one multiplication; a few long operations cost less than
many short ones.
"""

from math import cos, sin

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.robots.hardware import ArmModel
from tinyvla_gym.robots.kinematics import Kinematics

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

_FOLD = np.array(  # angles whose sines and cosines matter: q1, q2, q2+q3, q2+q3+q4, q5, q6
    [
        [1, 0, 0, 0, 0, 0],
        [0, 1, 1, 1, 0, 0],
        [0, 0, 1, 1, 0, 0],
        [0, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 1],
    ],
    np.float64,
)
_SHOULDER_WIDTH_M = 0.13  # the upper arm's tube stands this far beside the plane
_WRIST_NEAR = 0.3  # sines below which the condition number is worth computing
_AXIS_NEAR_M = 0.2


class UrKinematics(Kinematics):
    """``Kinematics`` with a closed form for tool poses along a path."""

    def __init__(self, model: ArmModel, *, tcp_offset_m: Array, tcp_yaw_rad: float = 0.0) -> None:
        """Keeps the constants; see ``Kinematics``."""
        super().__init__(model, tcp_offset_m=tcp_offset_m, tcp_yaw_rad=tcp_yaw_rad)
        self._d1, self._d4, self._d5, self._d6 = (model.links[i].d_m for i in (0, 3, 4, 5))
        self._a2, self._a3 = model.links[2].a_m, model.links[3].a_m
        self._yaw_rad = tcp_yaw_rad
        in_tool_m = self.flange_to_tcp_rotation.T @ self.flange_to_tcp_m
        self._tool_x_m, self._tool_y_m, tool_z_m = in_tool_m.tolist()
        self.hand_m = self._d6 + tool_z_m  # from the fifth joint's axis to the tool tip

    def tool_path(self, joints_rad: Array) -> tuple[Array, Array]:
        """Tool poses along a path.

        Args:
            joints_rad: Joint angles, shape (B, 6).

        Returns:
            Positions [m], shape (B, 3), and rotations, shape (B, 3, 3).
        """
        one, two, three, four, five, six = self._turns(joints_rad, self._yaw_rad)
        c5, s5, c6, s6 = five.real, five.imag, six.real, six.imag
        # The tool's axes x, y, z: in the folding plane, and along the side.
        plane = np.zeros((3, len(joints_rad)), np.complex128)
        side = np.empty((3, len(joints_rad)))
        plane.real[0], plane.imag[0], side[0] = c6 * c5, s6, c6 * s5
        plane.real[1], plane.imag[1], side[1] = -s6 * c5, c6, -s6 * s5
        plane.real[2], side[2] = -s5, c5
        plane *= four
        rotation = np.empty((len(joints_rad), 3, 3))
        _turn_about_base(one, plane, side, rotation.T.swapaxes(0, 1))
        at = self._a2 * two + self._a3 * three - 1j * self._d5 * four + self.hand_m * plane[2]
        beside = self._d4 + self.hand_m * c5
        if self._tool_x_m or self._tool_y_m:
            at = at + self._tool_x_m * plane[0] + self._tool_y_m * plane[1]
            beside = beside + self._tool_x_m * side[0] + self._tool_y_m * side[1]
        position_m = np.empty((len(joints_rad), 3))
        _turn_about_base(one, at, beside, position_m.T)
        position_m[:, 2] += self._d1
        return position_m, rotation

    def skeleton(self, joints_rad: Array, hand_m: Array | None = None) -> Array:
        """Corners of the line along which the arm's tubes lie, for distances between arms.

        Args:
            joints_rad: Joint angles, shape (B, 6).
            hand_m: Length of the hand [m], shape (B,); this arm's own when None.

        Returns:
            Shoulder, upper end of the upper arm, elbow, wrist, flange side, tool tip, in the
            base frame [m], shape (B, 6, 3).
        """
        one, two, three, four, five, _ = self._turns(joints_rad)
        at = np.zeros((6, len(joints_rad)), np.complex128)
        side = np.zeros(at.shape)
        side[:2] = _SHOULDER_WIDTH_M
        at[1:3] = self._a2 * two
        at[3], side[3] = at[2] + self._a3 * three, self._d4 / 2
        at[4], side[4] = at[3] - 1j * self._d5 * four, self._d4
        hand_m = self.hand_m if hand_m is None else hand_m
        at[5] = at[4] - hand_m * five.imag * four
        side[5] = self._d4 + hand_m * five.real
        corners_m = np.empty((len(joints_rad), 6, 3))
        _turn_about_base(one, at, side, corners_m.T)
        corners_m[..., 2] += self._d1
        return corners_m

    def _turns(self, joints_rad: Array, yaw_rad: float = 0.0) -> Complex:
        """Every angle that matters as a unit complex number, shape (6, B)."""
        angles = _FOLD.T @ joints_rad.T
        angles[5] += yaw_rad
        turns = np.empty(angles.shape, np.complex128)
        np.cos(angles, out=turns.real)
        np.sin(angles, out=turns.imag)
        return turns

    def condition(self, joints_rad: Array) -> float:
        """Condition number of the Jacobian [m and rad], or 1 where it is surely below 50.

        Args:
            joints_rad: Joint angles, shape (6,).
        """
        _, q2, q3, q4, q5, _ = joints_rad.tolist()
        c2, c23, c234, c5 = cos(q2), cos(q2 + q3), cos(q2 + q3 + q4), cos(q5)
        s2, s23, s234, s5 = sin(q2), sin(q2 + q3), sin(q2 + q3 + q4), sin(q5)
        s3 = s23 * c2 - c23 * s2
        elbow = (self._a2 * c2, 0.0, self._a2 * s2)
        wrist = (elbow[0] + self._a3 * c23, 0.0, elbow[2] + self._a3 * s23)
        fifth = (s234, 0.0, -c234)
        hand = (wrist[0] + self._d5 * s234, self._d4, wrist[2] - self._d5 * c234)
        if min(abs(s5), abs(s3)) > _WRIST_NEAR and abs(hand[0]) > _AXIS_NEAR_M:
            return 1.0
        last = (-s5 * c234, c5, -s5 * s234)
        reach_m = self.hand_m
        tip = tuple(hand[i] + reach_m * last[i] for i in range(3))
        side = (0.0, 1.0, 0.0)
        columns = []
        for axis, place in (
            *(((0.0, 0.0, 1.0), (0.0, 0.0, 0.0)), (side, (0.0, 0.0, 0.0))),
            *((side, elbow), (side, wrist), (fifth, hand), (last, hand)),
        ):
            x, y, z = (tip[i] - place[i] for i in range(3))
            a, b, c = axis
            columns.append((b * z - c * y, c * x - a * z, a * y - b * x, a, b, c))
        sizes = np.linalg.svd(np.array(columns), compute_uv=False)
        return float(sizes[0] / max(sizes[-1], 1e-12))


def _turn_about_base(one: Complex, plane: Complex, side: Array, into: Array) -> None:
    """Turns vectors by the first joint, from the folding plane into the base frame.

    Args:
        one: The first joint's turn, shape (B,).
        plane: Their part in the plane, out + i up, shape (..., B).
        side: Their part along the side, shape (..., B).
        into: Where x, y and z go, shape (3, ..., B).
    """
    flat = np.empty(plane.shape, np.complex128)
    flat.real = plane.real
    np.negative(side, out=flat.imag)
    flat *= one
    into[0], into[1], into[2] = flat.real, flat.imag, plane.imag
