"""The interface that the authors' Franka data has; no released file says it.

State: tool position, Euler angles (R = Rx Ry Rz), gripper. Action: absolute tool pose, the first
two rows of its rotation, gripper. The authors' converter previews its data at 15 Hz; the rate of
their experiments is not published.
"""

import math
from collections.abc import Sequence

from tinyvla_gym.interface import Camera, Interface

CONTROL_HZ = 15.0
REACH_M = 2.0

STATE = (
    *("tcp_x_m", "tcp_y_m", "tcp_z_m"),
    *("tcp_roll_rad", "tcp_pitch_rad", "tcp_yaw_rad"),
    "gripper_open_frac",
)
ACTION = (
    *("tcp_x_m", "tcp_y_m", "tcp_z_m"),
    *("tcp_r11", "tcp_r12", "tcp_r13", "tcp_r21", "tcp_r22", "tcp_r23"),
    "gripper_open_frac",
)


def franka_interface(cameras: Sequence[str], *, height: int = 180, width: int = 320) -> Interface:
    """Describes the authors' Franka data.

    Args:
        cameras: Names, in the order of the run's ``camera_names``.
        height: Of their pictures [px]; the released loader makes 180 x 320 of any.
        width: Of their pictures [px].
    """
    state = (REACH_M,) * 3 + (math.pi,) * 3
    action = (REACH_M,) * 3 + (1.0,) * 6
    return Interface(
        cameras=tuple(Camera(name=name, height=height, width=width) for name in cameras),
        state=STATE,
        state_low=(*(-bound for bound in state), 0.0),
        state_high=(*state, 1.0),
        action=ACTION,
        action_low=(*(-bound for bound in action), 0.0),
        action_high=(*action, 1.0),
        control_hz=CONTROL_HZ,
        action_mode="ee",
    )
