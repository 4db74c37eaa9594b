"""Where a tool may be and how it may point: workspace, table, cone. Rules 6, 7 and 8."""

from math import acos, cos

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.robots.limits import SafetyLimits
from tinyvla_gym.robots.rotations import rotation_from_rotvec
from tinyvla_gym.robots.spec import ArmSpec

Array = NDArray[np.float64]

BEND_M = 0.002
"""Targets stay this far inside the workspace, because paths between them bend a little."""
_BEND_RAD = 0.01
_EXACT = 1e-9


class Fence:
    """The region of one arm's tool, in its base frame.

    ``keep_*`` moves a target inside, with a little room to spare; ``breach`` says whether a path
    goes outside. All comparisons ask for what is allowed, so that a NaN is never inside.
    """

    def __init__(self, arm: ArmSpec, limits: SafetyLimits) -> None:
        """Works the region out from the arm's place and gripper."""
        self._workspace = arm.workspace
        self._inner = arm.workspace.shrunk(BEND_M)
        self._limits = limits
        self._up = arm.base_rotation.T @ np.array([0.0, 0.0, 1.0])
        self._base_height_m = float(arm.base_position_m[2])  # the table is at z = 0 in the world
        gripper = arm.gripper
        half_width_m = gripper.width_m / 2 + gripper.finger_thickness_m
        self._half_size_m = np.array([gripper.finger_depth_m / 2, half_width_m])
        self._lean_cosine = cos(limits.tilt_rad)

    def outside_m(self, position_m: Array) -> float:
        """How far a position lies outside the workspace [m]."""
        return float(np.linalg.norm(position_m - self._workspace.nearest(position_m)))

    def keep_in_workspace(self, position_m: Array) -> Array:
        """Rule 6: the nearest allowed position, shape (3,)."""
        return self._inner.nearest(position_m)

    def keep_over_table(self, position_m: Array, rotation: Array) -> Array:
        """Rule 7: lifts a target until all four corners of the fingertips clear the table."""
        height_m = float(self.fingertip_height_m(position_m[None], rotation[None])[0])
        return position_m + max(0.0, self._limits.table_clearance_m - height_m) * self._up

    def keep_in_cone(self, rotation: Array) -> Array:
        """Rule 8: turns a target the short way back until its axis leans no more than allowed."""
        axis = rotation[:, 2]
        lean = acos(min(1.0, max(-1.0, float(-axis @ self._up))))
        most = self._limits.tilt_rad - _BEND_RAD
        if lean <= most:
            return rotation
        across = np.cross(axis, -self._up)
        size = float(np.linalg.norm(across))
        if size < _EXACT:  # straight up: any way back is as short
            across, size = rotation[:, 0], 1.0
        return rotation_from_rotvec(across / size * (lean - most)) @ rotation

    def fingertip_height_m(self, positions_m: Array, rotations: Array) -> Array:
        """Height of the lowest fingertip corner over the table, shapes (B, 3), (B, 3, 3)."""
        return self._height_m(positions_m, self._up @ rotations)

    def breach(self, positions_m: Array, rotations: Array) -> tuple[int, str] | None:
        """Rule and name of the first limit that a path of B tool poses leaves, or None."""
        if not self._workspace.contains(positions_m).all():
            return 6, "workspace"
        upright = self._up @ rotations
        if not (self._height_m(positions_m, upright) >= -_EXACT).all():
            return 7, "table"
        if not (-upright[:, 2] >= self._lean_cosine - _EXACT).all():
            return 8, "tilt"
        return None

    def _height_m(self, positions_m: Array, upright: Array) -> Array:
        """``fingertip_height_m``, from how far up each tool axis points, shape (B, 3)."""
        drop_m = np.abs(upright[:, :2]) @ self._half_size_m
        return positions_m @ self._up + self._base_height_m - drop_m
