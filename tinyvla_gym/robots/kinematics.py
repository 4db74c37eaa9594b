"""Where the tool is: forward kinematics and Jacobian of any arm in ``hardware.py``, in batches."""

from dataclasses import dataclass
from math import cos, sin
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.robots.hardware import ArmModel
from tinyvla_gym.robots.spec import ArmSpec

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Frames:
    """Tool poses and joint places for B configurations, in the arm's base frame.

    Attributes:
        position_m: Tool position, shape (B, 3).
        rotation: Tool to base, shape (B, 3, 3).
        joint_places_m: A point on each joint's axis, shape (B, J, 3).
        joint_axes: Unit vector along each joint's axis, shape (B, J, 3).
    """

    position_m: Array
    rotation: Array
    joint_places_m: Array
    joint_axes: Array


class Kinematics:
    """Forward kinematics of one arm with its tool, after Craig's link parameters."""

    def __init__(self, model: ArmModel, *, tcp_offset_m: Array, tcp_yaw_rad: float = 0.0) -> None:
        """Keeps the constants.

        Args:
            model: The make.
            tcp_offset_m: Tool point in the flange's frame [m], shape (3,).
            tcp_yaw_rad: Turn of the tool about the flange's axis [rad].
        """
        self.model = model
        c, s = cos(tcp_yaw_rad), sin(tcp_yaw_rad)
        self.flange_to_tcp_m = np.add(tcp_offset_m, (0.0, 0.0, model.flange_m))
        self.flange_to_tcp_rotation = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
        self._steps = [
            (link.a_m, round(cos(link.alpha_rad), 12), round(sin(link.alpha_rad), 12), link.d_m)
            for link in model.links
        ]

    @classmethod
    def of(cls, spec: ArmSpec) -> Self:
        """The kinematics of an arm as its rig file describes it."""
        offset_m = np.array(spec.tcp_offset_m, np.float64)
        return cls(spec.arm, tcp_offset_m=offset_m, tcp_yaw_rad=spec.tcp_yaw_rad)

    def forward(self, joints_rad: Array) -> Frames:
        """Computes tool poses.

        Args:
            joints_rad: Joint angles, shape (B, J).
        """
        batch = len(joints_rad)
        cosines, sines = np.cos(joints_rad).T[..., None], np.sin(joints_rad).T[..., None]
        x, y, z = (np.broadcast_to(axis, (batch, 3)) for axis in np.eye(3))
        place_m = np.zeros((batch, 3))
        places_m, axes = [], []
        for (a_m, c_alpha, s_alpha, d_m), c, s in zip(self._steps, cosines, sines, strict=True):
            if a_m:
                place_m = place_m + a_m * x
            if s_alpha:
                y, z = c_alpha * y + s_alpha * z, c_alpha * z - s_alpha * y
            if d_m:
                place_m = place_m + d_m * z
            x, y = c * x + s * y, c * y - s * x
            places_m.append(place_m)
            axes.append(z)
        flange = np.stack([x, y, z], axis=2)  # (B, 3, 3)
        return Frames(
            position_m=place_m + flange @ self.flange_to_tcp_m,
            rotation=flange @ self.flange_to_tcp_rotation,
            joint_places_m=np.stack(places_m, axis=1),
            joint_axes=np.stack(axes, axis=1),
        )

    def tool_pose(self, joints_rad: Array) -> tuple[Array, Array]:
        """Tool position [m] and rotation at one configuration, shapes (3,) and (3, 3)."""
        frames = self.forward(joints_rad[None])
        return frames.position_m[0], frames.rotation[0]

    def jacobian(self, joints_rad: Array) -> Array:
        """Tool velocity over joint speed at one configuration, shape (6, J).

        The first three rows give the velocity [m/rad], the others the angular velocity.
        """
        frames = self.forward(joints_rad[None])
        axes = frames.joint_axes[0]  # (J, 3)
        arms_m = frames.position_m - frames.joint_places_m[0]  # (J, 3)
        return np.concatenate([np.cross(axes, arms_m), axes], axis=1).T
