"""Forward kinematics of the Universal Robots arms, fast enough to foresee a stop in every tick.

The second, third and fourth joints are parallel, so the arm folds in a plane that the first one
turns: ``out`` is the direction along the ground in that plane, ``up`` is vertical, and ``side``
is the common direction of the three axes.
"""

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.robots.hardware import ArmModel
from tinyvla_gym.robots.kinematics import Kinematics

Array = NDArray[np.float64]

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
        self._d6_tool = self._d6 + tool_z_m

    def tool_path(self, joints_rad: Array) -> tuple[Array, Array]:
        """Tool poses along a path.

        Args:
            joints_rad: Joint angles, shape (B, 6).

        Returns:
            Positions [m], shape (B, 3), and rotations, shape (B, 3, 3).
        """
        angles = _FOLD.T @ joints_rad.T  # (6, B): one row per angle, so that each op is one run
        angles[5] += self._yaw_rad  # the tool turns about the last joint's axis
        c1, c2, c23, c234, c5, c6 = np.cos(angles)
        s1, s2, s23, s234, s5, s6 = np.sin(angles)
        # Columns of the tool in the folding plane; z5 = (s234, 0, -c234) is the fifth axis.
        z_out, z_up = -s5 * c234, -s5 * s234
        b, c = c6 * c5, s6 * c5
        x_out, x_side, x_up = b * c234 - s6 * s234, c6 * s5, b * s234 + s6 * c234
        y_out, y_side, y_up = -c * c234 - c6 * s234, -s6 * s5, -c * s234 + c6 * c234
        rotation = np.empty((len(joints_rad), 3, 3))
        for column, (out, side, up) in enumerate(
            ((x_out, x_side, x_up), (y_out, y_side, y_up), (z_out, c5, z_up))
        ):
            rotation[:, 0, column] = c1 * out + s1 * side
            rotation[:, 1, column] = s1 * out - c1 * side
            rotation[:, 2, column] = up
        out = self._a2 * c2 + self._a3 * c23 + self._d5 * s234 + self._d6_tool * z_out
        up = self._d1 + self._a2 * s2 + self._a3 * s23 - self._d5 * c234 + self._d6_tool * z_up
        side = self._d4 + self._d6_tool * c5
        if self._tool_x_m or self._tool_y_m:
            out = out + self._tool_x_m * x_out + self._tool_y_m * y_out
            side = side + self._tool_x_m * x_side + self._tool_y_m * y_side
            up = up + self._tool_x_m * x_up + self._tool_y_m * y_up
        position_m = np.empty((len(joints_rad), 3))
        position_m[:, 0] = c1 * out + s1 * side
        position_m[:, 1] = s1 * out - c1 * side
        position_m[:, 2] = up
        return position_m, rotation

    def skeleton(self, joints_rad: Array) -> Array:
        """Corners of the line along which the arm's tubes lie, for distances between arms.

        Args:
            joints_rad: Joint angles, shape (B, 6).

        Returns:
            Shoulder, upper end of the upper arm, elbow, wrist, flange side, tool tip, in the
            base frame [m], shape (B, 6, 3).
        """
        angles = _FOLD.T @ joints_rad.T  # (6, B)
        c1, c2, c23, c234, c5, _ = np.cos(angles)
        s1, s2, s23, s234, s5, _ = np.sin(angles)
        elbow_out, elbow_up = self._a2 * c2, self._d1 + self._a2 * s2
        wrist_out, wrist_up = elbow_out + self._a3 * c23, elbow_up + self._a3 * s23
        hand_out, hand_up = wrist_out + self._d5 * s234, wrist_up - self._d5 * c234
        reach_m = self._d6_tool
        out, side, up = np.zeros((3, 6, len(joints_rad)))  # (corner, B) each
        side[:2], up[0] = _SHOULDER_WIDTH_M, self._d1
        out[1:3], up[1:3] = elbow_out, elbow_up
        out[3], side[3], up[3] = wrist_out, self._d4 / 2, wrist_up
        out[4], side[4], up[4] = hand_out, self._d4, hand_up
        out[5], up[5] = hand_out - reach_m * s5 * c234, hand_up - reach_m * s5 * s234
        side[5] = self._d4 + reach_m * c5
        corners = np.empty((len(joints_rad), 6, 3))
        corners[..., 0] = (c1 * out + s1 * side).T
        corners[..., 1] = (s1 * out - c1 * side).T
        corners[..., 2] = up.T
        return corners

    def condition(self, joints_rad: Array) -> float:
        """Condition number of the Jacobian [m and rad], or 1 where it is surely below 50.

        Args:
            joints_rad: Joint angles, shape (6,).
        """
        angles = joints_rad @ _FOLD
        _, c2, c23, c234, c5, _ = np.cos(angles).tolist()
        _, s2, s23, s234, s5, _ = np.sin(angles).tolist()
        s3 = s23 * c2 - c23 * s2
        elbow = (self._a2 * c2, 0.0, self._a2 * s2)
        wrist = (elbow[0] + self._a3 * c23, 0.0, elbow[2] + self._a3 * s23)
        fifth = (s234, 0.0, -c234)
        hand = (wrist[0] + self._d5 * s234, self._d4, wrist[2] - self._d5 * c234)
        if min(abs(s5), abs(s3)) > _WRIST_NEAR and abs(hand[0]) > _AXIS_NEAR_M:
            return 1.0
        last = (-s5 * c234, c5, -s5 * s234)
        reach_m = self._d6_tool
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
