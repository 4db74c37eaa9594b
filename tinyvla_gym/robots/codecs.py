"""How a rig's state and actions are written as numbers; the names go into datasets.

State codecs: ``ee10`` and ``bi_ee20`` (tool poses, ``pose.py``), ``ee7_euler`` (as TinyVLA's
released code has it), ``joint8`` and ``bi_joint14`` (joint angles, then the gripper).
"""

from collections.abc import Sequence
from math import asin, atan2, pi

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym import pose
from tinyvla_gym.interface import Camera, Interface
from tinyvla_gym.robots.spec import ArmSpec, RigSpec, StateCodec
from tinyvla_gym.robots.state import ArmState

_EULER_NAMES = (
    *("tcp_x_m", "tcp_y_m", "tcp_z_m", "tcp_roll_rad", "tcp_pitch_rad", "tcp_yaw_rad"),
    "gripper_closed_frac",
)
_BEYOND_M = 0.5  # a state is not bounded by the workspace, and tools are long

_SLACK_FRAC = 0.1  # gripper readings overshoot a little


def encode_state(codec: StateCodec, states: Sequence[ArmState]) -> NDArray[np.float32]:
    """Writes what the arms' sensors say.

    Args:
        codec: How.
        states: One reading per arm, in the rig's order.

    Returns:
        Shape (S,), in the order of ``state_names``.
    """
    return np.concatenate([_ENCODERS[codec](state) for state in states])


def state_names(rig: RigSpec) -> tuple[str, ...]:
    """Names of the state's entries, unit last, S of them."""
    return _for_each_arm(rig, _names(rig.codec, rig.arms[0].arm.joints))


def action_names(rig: RigSpec) -> tuple[str, ...]:
    """Names of the action's entries, unit last, A of them."""
    joints = rig.arms[0].arm.joints
    return _for_each_arm(rig, pose.EE_NAMES if rig.control == "ee" else _joint_names(joints))


def rig_interface(rig: RigSpec) -> Interface:
    """What a rig shows and accepts. Joint control is the arm's own: ``native``."""
    state = [_state_bounds(rig.codec, arm) for arm in rig.arms]
    action = [_action_bounds(rig, arm) for arm in rig.arms]
    return Interface(
        cameras=tuple(
            Camera(name=camera.name, height=camera.height, width=camera.width)
            for camera in rig.cameras
        ),
        state=state_names(rig),
        state_low=tuple(low for lows, _ in state for low in lows),
        state_high=tuple(high for _, highs in state for high in highs),
        action=action_names(rig),
        action_low=tuple(low for lows, _ in action for low in lows),
        action_high=tuple(high for _, highs in action for high in highs),
        control_hz=rig.control_hz,
        action_mode="ee" if rig.control == "ee" else "native",
    )


def _ee(state: ArmState) -> NDArray[np.float32]:
    return pose.pack(state.tcp_position_m, state.tcp_rotation, state.gripper_open_frac)


def _euler(state: ArmState) -> NDArray[np.float32]:
    """Angles about the fixed x, y and z axes, in this order; the gripper's sense is inverted."""
    r = state.tcp_rotation
    roll, yaw = atan2(r[2, 1], r[2, 2]), atan2(r[1, 0], r[0, 0])
    pitch = asin(min(1.0, max(-1.0, -float(r[2, 0]))))
    closed = 1.0 - state.gripper_open_frac
    return np.array([*state.tcp_position_m, roll, pitch, yaw, closed], np.float32)


def _joint(state: ArmState) -> NDArray[np.float32]:
    return np.append(state.joints_rad, state.gripper_open_frac).astype(np.float32)


_ENCODERS = {
    "ee10": _ee,
    "bi_ee20": _ee,
    "ee7_euler": _euler,
    "joint8": _joint,
    "bi_joint14": _joint,
}


def _joint_names(joints: int) -> tuple[str, ...]:
    return (*(f"joint_{index}_rad" for index in range(1, joints + 1)), "gripper_open_frac")


def _names(codec: StateCodec, joints: int) -> tuple[str, ...]:
    if codec == "ee7_euler":
        return _EULER_NAMES
    return pose.EE_NAMES if codec in ("ee10", "bi_ee20") else _joint_names(joints)


def _for_each_arm(rig: RigSpec, names: tuple[str, ...]) -> tuple[str, ...]:
    if len(rig.arms) == 1:
        return names
    return tuple(f"{arm.name}_{name}" for arm in rig.arms for name in names)


Bounds = tuple[tuple[float, ...], tuple[float, ...]]


def _state_bounds(codec: StateCodec, arm: ArmSpec) -> Bounds:
    reach_m = arm.arm.reach_m + _BEYOND_M
    opening = (-_SLACK_FRAC, 1.0 + _SLACK_FRAC)
    if codec in ("joint8", "bi_joint14"):
        slack = 0.1  # readings overshoot a little here, too [rad]
        low = (*(limit - slack for limit in arm.arm.joint_low_rad), opening[0])
        return low, (*(limit + slack for limit in arm.arm.joint_high_rad), opening[1])
    turns = (1.0,) * 6 if codec != "ee7_euler" else (pi, pi / 2, pi)
    high = (*(reach_m,) * 3, *(turn + 1e-5 for turn in turns))
    return (*(-limit for limit in high), opening[0]), (*high, opening[1])


def _action_bounds(rig: RigSpec, arm: ArmSpec) -> Bounds:
    if rig.control == "ee":
        low = (*arm.workspace.low_m, *(-1.0,) * 6, 0.0)
        return low, (*arm.workspace.high_m, *(1.0,) * 6, 1.0)
    margin = rig.limits.joint_margin_rad
    low = (*(limit + margin for limit in arm.arm.joint_low_rad), 0.0)
    return low, (*(limit - margin for limit in arm.arm.joint_high_rad), 1.0)
