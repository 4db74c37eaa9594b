"""From the numbers of an action to targets for the arms: rules 1 to 4 of the safety filter.

An ``ee`` action has ten numbers per arm (``pose.py``), a ``joint`` action the arm's joint angles
and the gripper's opening.
"""

from dataclasses import dataclass
from math import radians

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym import pose
from tinyvla_gym.errors import ActionNotFiniteError
from tinyvla_gym.robots.codecs import action_names
from tinyvla_gym.robots.faults import (
    ActionFormatError,
    ActionGripperError,
    ActionRotationError,
    SafetyEvent,
)
from tinyvla_gym.robots.spec import RigSpec

Array = NDArray[np.float64]

_SHORT = 0.1  # rows of a rotation that are shorter mean nothing
_PARALLEL_COSINE = 0.98
_TOLD_RAD = radians(5)  # corrections beyond this are reported
_GRIPPER_SLACK_FRAC = 0.25  # an opening this far outside 0 to 1 is another unit, not an overshoot


@dataclass(frozen=True, kw_only=True)
class PoseTarget:
    """Where a tool is to be, in its arm's base frame.

    Attributes:
        position_m: Tool position [m], shape (3,).
        rotation: Tool to base, shape (3, 3).
        gripper_open_frac: 0 closed, 1 open.
    """

    position_m: Array
    rotation: Array
    gripper_open_frac: float


@dataclass(frozen=True, kw_only=True)
class JointTarget:
    """Where an arm's joints are to be.

    Attributes:
        joints_rad: Joint angles, shape (J,).
        gripper_open_frac: 0 closed, 1 open.
    """

    joints_rad: Array
    gripper_open_frac: float


Target = PoseTarget | JointTarget


def read_action(
    rig: RigSpec, action: object, now_s: float
) -> tuple[tuple[Target, ...], tuple[SafetyEvent, ...]]:
    """Reads one action.

    Args:
        rig: Whose action it is.
        action: Numbers of shape (A,), in the order of ``action_names(rig)``.
        now_s: The time to write into events [s].

    Returns:
        One target per arm, and what was corrected.

    Raises:
        ActionFormatError: Rule 1, if it is not A numbers.
        ActionNotFiniteError: Rule 2, if one of them is NaN or infinite.
        ActionRotationError: Rule 3, if a rotation is none.
        ActionGripperError: Rule 4, if an opening is far outside 0 to 1.
    """
    values = _finite_numbers(rig, action)
    targets: list[Target] = []
    events: list[SafetyEvent] = []
    for arm, numbers in zip(rig.arms, np.split(values, len(rig.arms)), strict=True):
        opening = _opening(arm.name, float(numbers[-1]), now_s, events)
        if rig.control == "joint":
            targets.append(JointTarget(joints_rad=numbers[:-1], gripper_open_frac=opening))
            continue
        rotation = _rotation(arm.name, numbers[3:9].reshape(2, 3), now_s, events)
        targets.append(
            PoseTarget(position_m=numbers[:3], rotation=rotation, gripper_open_frac=opening)
        )
    return tuple(targets), tuple(events)


def _finite_numbers(rig: RigSpec, action: object) -> Array:
    """Rules 1 and 2."""
    names = action_names(rig)
    try:
        given = np.asarray(action)
    except ValueError as error:  # ragged lists
        raise ActionFormatError(rig.name, names, "a ragged list") from error
    if given.shape != (len(names),) or given.dtype.kind not in "fiu":
        got = f"{given.dtype} of shape {given.shape}"
        raise ActionFormatError(rig.name, names, got)
    values = given.astype(np.float64)
    wrong = ~np.isfinite(values)
    if wrong.any():
        bad = [name for name, is_wrong in zip(names, wrong, strict=True) if is_wrong]
        raise ActionNotFiniteError(bad, values[wrong].tolist())
    return values


def _rotation(arm: str, rows: Array, now_s: float, events: list[SafetyEvent]) -> Array:
    """Rule 3."""
    first, second = (float(np.linalg.norm(row)) for row in rows)
    cosine = float(rows[0] @ rows[1]) / max(first * second, 1e-12)
    if min(first, second) < _SHORT or abs(cosine) > _PARALLEL_COSINE or max(first, second) > 1e6:
        raise ActionRotationError(arm, first, second, cosine)
    rotation = pose.rotation_from_rows(rows)
    # How far the second row was turned; the first one leads and keeps its direction.
    unit_rows = rows / np.array([[first], [second]])
    turned = float(np.arccos(np.clip(unit_rows[1] @ rotation[1], -1.0, 1.0)))
    if turned > _TOLD_RAD:
        events.append(
            SafetyEvent(
                time_s=now_s,
                arm=arm,
                rule=3,
                name="rot_normalised",
                original=tuple(rows.reshape(6).tolist()),
                applied=tuple(rotation[:2].reshape(6).tolist()),
            )
        )
    return rotation


def _opening(arm: str, opening: float, now_s: float, events: list[SafetyEvent]) -> float:
    """Rule 4."""
    if not -_GRIPPER_SLACK_FRAC <= opening <= 1.0 + _GRIPPER_SLACK_FRAC:
        raise ActionGripperError(arm, opening)
    clipped = min(1.0, max(0.0, opening))
    if clipped != opening:
        events.append(
            SafetyEvent(
                time_s=now_s,
                arm=arm,
                rule=4,
                name="gripper_clipped",
                original=(opening,),
                applied=(clipped,),
            )
        )
    return clipped
