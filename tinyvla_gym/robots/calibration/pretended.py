"""Pretended measurements of a rig whose truth is known, to try calibration without a robot."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.robots.calibration.boards import Board, opencv
from tinyvla_gym.robots.calibration.hand_eye import View, pose_matrix
from tinyvla_gym.robots.calibration.touches import Touches
from tinyvla_gym.robots.calibration.views import Views
from tinyvla_gym.robots.kinematics import Kinematics
from tinyvla_gym.robots.rotations import rotation_from_rotvec
from tinyvla_gym.robots.spec import ArmSpec, RigSpec

Array = NDArray[np.float64]

SIZE_PX = (640, 480)
CAMERA_MATRIX = np.array([[610.0, 0.0, 322.0], [0.0, 612.0, 238.0], [0.0, 0.0, 1.0]])
_SPOTS = 8
_TURN_RAD = 0.5
_PX_PER_SQUARE = 80


def pretended_touches(rig: RigSpec, *, noise_m: float = 0.0, seed: int = 0) -> Touches:
    """What would be measured if a rig stood exactly as its file says.

    Args:
        rig: The truth.
        noise_m: Spread of the hand that guides the arm [m].
        seed: Draws the spots and the noise.
    """
    rng = np.random.default_rng(seed)
    spots_m = rng.uniform((-0.2, -0.2, 0.05), (0.2, 0.2, 0.3), (_SPOTS, 3))
    flat_m = spots_m * (1.0, 1.0, 0.0)

    def measured(arm: ArmSpec, world_m: Array) -> list[list[float]]:
        seen_m = (world_m - np.array(arm.base_position_m)) @ arm.base_rotation
        return (seen_m + noise_m * rng.normal(size=seen_m.shape)).round(6).tolist()

    touched = {arm.name: measured(arm, spots_m) for arm in rig.arms}
    rows = zip(*touched.values(), strict=True)
    pairs = [dict(zip(touched, row, strict=True)) for row in rows] if len(rig.arms) == 2 else []
    return Touches(
        bases=pairs,
        table={arm.name: measured(arm, flat_m) for arm in rig.arms},
        tool={arm.name: [_on_spot(arm, rng) for _ in range(_SPOTS)] for arm in rig.arms},
        gripper={
            arm.name: {
                "counts_open": arm.gripper.counts_open,
                "counts_closed": arm.gripper.counts_closed,
            }
            for arm in rig.arms
        },
    )


def _on_spot(arm: ArmSpec, rng: np.random.Generator) -> list[float]:
    """Joint angles that put the arm's tip where it is at home, the tool turned anyhow."""
    kinematics = Kinematics.of(arm)
    home_rad = np.array(arm.home_rad)
    spot_m, _ = kinematics.tool_pose(home_rad)
    joints_rad = home_rad + rng.uniform(-0.4, 0.4, len(home_rad))
    for _ in range(12):  # Newton's steps: more than it takes
        away_m = spot_m - kinematics.tool_pose(joints_rad)[0]
        joints_rad = joints_rad + np.linalg.pinv(kinematics.jacobian(joints_rad)[:3]) @ away_m
    return joints_rad.tolist()


def pretended_views(
    arm: ArmSpec, camera: Array, *, on_tool: bool, board: Board, count: int = 12, seed: int = 0
) -> Views:
    """Drawn pictures of a board, seen by a camera whose pose is known.

    Args:
        arm: The arm that carries the camera, or else the board.
        camera: From the camera to the tool, or else to the arm's base, shape (4, 4).
        on_tool: Whether the arm carries the camera.
        board: What is seen.
        count: How many views.
        seed: Draws where the tool is.
    """
    rng = np.random.default_rng(seed)
    middle_m = board.square_m * np.array([board.columns / 2, board.rows / 2, 0.0])
    centred = pose_matrix(-middle_m, np.eye(3))  # from the board's corner to its middle
    fixed = _middle_pose(arm, camera, on_tool)  # the board's middle, in what does not move it
    views = []
    for _ in range(count):
        away_m = np.array([*rng.uniform(-0.04, 0.04, 2), rng.uniform(0.28, 0.42)])
        seen = pose_matrix(away_m, rotation_from_rotvec(rng.uniform(-_TURN_RAD, _TURN_RAD, 3)))
        if on_tool:  # base <- board <- camera <- tool
            tool = fixed @ np.linalg.inv(seen) @ np.linalg.inv(camera)
        else:  # base <- camera <- board <- tool
            tool = camera @ seen @ np.linalg.inv(fixed)
        views.append(View(picture=draw_view(board, seen @ centred), tool=tool))
    return Views(arm=arm.name, on_tool=on_tool, board=board, views=views)


def _middle_pose(arm: ArmSpec, camera: Array, on_tool: bool) -> Array:
    """Where the board lies: in the arm's base frame if the camera moves, else in the tool's."""
    if not on_tool:
        return pose_matrix(np.array([0.0, 0.0, 0.05]), np.eye(3))
    position_m, rotation = Kinematics.of(arm).tool_pose(np.array(arm.home_rad))
    ahead = pose_matrix(np.array([0.0, 0.0, 0.35]), np.eye(3))
    return pose_matrix(position_m, rotation) @ camera @ ahead


def draw_view(board: Board, pose: Array) -> NDArray[np.uint8]:
    """The picture of a board on a grey ground, RGB, shape (480, 640, 3).

    Args:
        board: What is drawn.
        pose: From the board to the camera, shape (4, 4).
    """
    cv2 = opencv()
    px_to_m = np.diag([board.square_m / _PX_PER_SQUARE, board.square_m / _PX_PER_SQUARE, 1.0])
    # A drawn pixel's value belongs to its middle, half a pixel from the board's edge.
    px_to_m[:2, 2] = 0.5 * board.square_m / _PX_PER_SQUARE
    homography = CAMERA_MATRIX @ pose[:3, [0, 1, 3]] @ px_to_m
    drawn = np.pad(board.draw(_PX_PER_SQUARE), _PX_PER_SQUARE // 2, constant_values=255)
    homography = homography @ np.array(
        [[1, 0, -_PX_PER_SQUARE // 2], [0, 1, -_PX_PER_SQUARE // 2], [0, 0, 1]]
    )
    grey = np.full(SIZE_PX[::-1], 128, np.uint8)
    cv2.warpPerspective(drawn, homography, SIZE_PX, grey, cv2.INTER_AREA, cv2.BORDER_TRANSPARENT)
    return np.repeat(grey[..., None], 3, axis=2)


def moved_base(rig: RigSpec, shift_m: Array) -> RigSpec:
    """A rig whose last arm really stands elsewhere than its file says."""
    last = rig.arms[-1]
    there = tuple((np.array(last.base_position_m) + shift_m).tolist())
    return replace(rig, arms=(*rig.arms[:-1], replace(last, base_position_m=there)))
