"""Measuring with the arms themselves: a person guides them by hand and takes points by a key.

Nothing here moves an arm. Only the gripper's step moves something: its fingers.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.robots.calibration.boards import Board
from tinyvla_gym.robots.calibration.fitting import CalibrationError
from tinyvla_gym.robots.calibration.hand_eye import View, pose_matrix
from tinyvla_gym.robots.calibration.steps import arm_named
from tinyvla_gym.robots.calibration.touches import Touches
from tinyvla_gym.robots.calibration.views import Views
from tinyvla_gym.robots.camera import CameraSource
from tinyvla_gym.robots.drivers.robotiq import RobotiqGripper
from tinyvla_gym.robots.kinematics import Kinematics
from tinyvla_gym.robots.spec import ArmSpec, RigSpec

Array = NDArray[np.float64]

ReadJoints = Callable[[], Array]
"""Joint angles now [rad], shape (J,)."""
Ask = Callable[[str], bool]
"""Shows a sentence and waits for a key: True takes the point, False ends."""

_SETTLE_S = 0.1
_TRIES = 60


def measure_bases(rig: RigSpec, joints: Mapping[str, ReadJoints], ask: Ask) -> Touches:
    """Takes spots with both arms in turn.

    Args:
        rig: With two arms.
        joints: Reads each arm, by name.
        ask: Before each touch.
    """
    spots: list[dict[str, list[float]]] = []
    while ask(f"Spot {len(spots) + 1}: touch it with arm {rig.arms[0].name}"):
        spot = {rig.arms[0].name: _tip(rig.arms[0], joints)}
        if any(not ask(f"Touch the same spot with arm {arm.name}") for arm in rig.arms[1:]):
            break
        spots.append(spot | {arm.name: _tip(arm, joints) for arm in rig.arms[1:]})
    return Touches(bases=spots)


def measure_table(arm: ArmSpec, joints: Mapping[str, ReadJoints], ask: Ask) -> Touches:
    """Takes spots on the table with one arm."""
    spots: list[list[float]] = []
    while ask(f"Spot {len(spots) + 1}: touch the table with arm {arm.name}"):
        spots.append(_tip(arm, joints))
    return Touches(table={arm.name: spots})


def measure_tool(arm: ArmSpec, joints: Mapping[str, ReadJoints], ask: Ask) -> Touches:
    """Takes poses that all put one arm's tip on the same spot."""
    poses: list[list[float]] = []
    while ask(f"Pose {len(poses) + 1}: put the tip of arm {arm.name} on the spot, turned anew"):
        poses.append(joints[arm.name]().tolist())
    return Touches(tool={arm.name: poses})


def measure_gripper(arm: ArmSpec, *, sleep: Callable[[float], None] = time.sleep) -> Touches:
    """Opens and closes a Robotiq gripper and reads where its fingers stop. The fingers move.

    Raises:
        CalibrationError: If it is another gripper, which needs no counts.
        ConnectError: If it does not answer.
    """
    if arm.gripper.kind != "robotiq_2f85":
        raise CalibrationError(f"A {arm.gripper.kind} needs no calibration.")
    raw = replace(arm.gripper, counts_open=0, counts_closed=255)
    gripper = RobotiqGripper(arm.name, arm.host, raw)
    gripper.connect()
    try:
        counts = {
            name: _settled_counts(gripper, open_frac, sleep)
            for name, open_frac in (("counts_open", 1.0), ("counts_closed", 0.0))
        }
    finally:
        gripper.close()
    return Touches(gripper={arm.name: counts})


def measure_views(
    rig: RigSpec,
    arm: str,
    joints: Mapping[str, ReadJoints],
    camera: CameraSource,
    ask: Ask,
    *,
    on_tool: bool,
    board: Board,
) -> Views:
    """Takes pictures of a board, each with the pose of the tool.

    Args:
        rig: Whose arm it is.
        arm: The arm that carries the camera, or else the board.
        joints: Reads the arm.
        camera: An open camera.
        ask: Before each picture.
        on_tool: Whether the arm carries the camera.
        board: What is seen.
    """
    spec = arm_named(rig, arm)
    views: list[View] = []
    while ask(f"View {len(views) + 1}: turn arm {arm} anew, hold it still"):
        picture = camera.read().picture.copy()
        tool = pose_matrix(*Kinematics.of(spec).tool_pose(joints[arm]()))
        views.append(View(picture=picture, tool=tool))
    return Views(arm=arm, on_tool=on_tool, board=board, views=views)


def _tip(arm: ArmSpec, joints: Mapping[str, ReadJoints]) -> list[float]:
    position_m, _ = Kinematics.of(arm).tool_pose(joints[arm.name]())
    return [round(float(entry), 6) for entry in position_m]


def _settled_counts(
    gripper: RobotiqGripper, open_frac: float, sleep: Callable[[float], None]
) -> int:
    gripper.move(open_frac)
    before = -1
    for _ in range(_TRIES):
        sleep(_SETTLE_S)
        counts = round(255 * (1.0 - gripper.read()))
        if counts == before:
            return counts
        before = counts
    raise CalibrationError("The gripper's fingers do not come to rest.")
