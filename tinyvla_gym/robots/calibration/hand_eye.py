"""Where a camera is: hand-eye calibration from views of a board and the tool poses beside them.

A camera on a tool looks at a board that lies still; a camera that stands still looks at a board
in the gripper. Both are AX = XB, after F. Park and B. Martin, IEEE T-RO 10 (1994) 717.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.robots.calibration.boards import Board, opencv
from tinyvla_gym.robots.calibration.fitting import CalibrationError
from tinyvla_gym.robots.placement import CameraPlacement
from tinyvla_gym.robots.rotations import rotation_from_rotvec, rotvec_from_rotation
from tinyvla_gym.robots.spec import ArmSpec

Array = NDArray[np.float64]

LEAST_VIEWS = 8
_TURN_RAD = 0.15  # the second widest spread of the tool's directions


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """A picture of the board, and where the tool was.

    Attributes:
        picture: RGB, uint8, shape (H, W, 3).
        tool: From the tool to the arm's base, shape (4, 4).
    """

    picture: NDArray[np.uint8]
    tool: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class _Optics:
    """What the pictures alone say."""

    matrix: Array  # (3, 3)
    distortion: Array  # (4,)
    boards: Array  # board to camera, (N, 4, 4)
    residual_px: float


def pose_matrix(position_m: Array, rotation: Array) -> Array:
    """A pose as one matrix, shape (4, 4)."""
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation, position_m
    return matrix


def place_camera(
    views: Sequence[View], board: Board, arm: ArmSpec, *, on_tool: bool
) -> CameraPlacement:
    """Finds optics and pose of a camera.

    Args:
        views: Eight or more, with the tool turned about different axes in between.
        board: What is in the pictures.
        arm: The arm that carries the camera, or else the board.
        on_tool: Whether the arm carries the camera.

    Raises:
        CalibrationError: If too few views show the board, or the tool was not turned enough.
    """
    seen = [(view, found) for view in views if (found := board.find(view.picture)) is not None]
    if len(seen) < LEAST_VIEWS:
        raise CalibrationError(
            f"The board is found in {len(seen)} of {len(views)} views; {LEAST_VIEWS} are needed. "
            "Are its squares, markers and dictionary those of the printed one?"
        )
    height, width = seen[0][0].picture.shape[:2]
    if any(view.picture.shape[:2] != (height, width) for view, _ in seen):
        raise CalibrationError("The views are not all of one size.")
    optics = _optics([found for _, found in seen], (width, height))
    tools = np.stack([view.tool for view, _ in seen])  # (N, 4, 4)
    _check_turns(tools)
    carried: Array = tools if on_tool else np.linalg.inv(tools).astype(np.float64)
    camera = _hand_eye(carried, optics.boards)  # to the tool, or to the arm's base
    boards_m = (carried @ camera @ optics.boards)[:, :3, 3]  # always the same place
    residual_m = float(np.linalg.norm(boards_m - boards_m.mean(axis=0), axis=1).max())
    if not on_tool:
        camera = pose_matrix(np.array(arm.base_position_m), arm.base_rotation) @ camera
    matrix = optics.matrix
    return CameraPlacement(
        frame=arm.name if on_tool else "world",
        position_m=_rounded(camera[:3, 3]),
        rotvec_rad=_rounded(rotvec_from_rotation(camera[:3, :3])),
        size_px=(width, height),
        focal_px=_rounded(matrix[[0, 1], [0, 1]]),
        centre_px=_rounded(matrix[:2, 2]),
        distortion=_rounded(optics.distortion),
        residual_px=round(optics.residual_px, 4),
        residual_m=round(residual_m, 6),
    )


def _optics(corners: Sequence[tuple[Array, Array]], size_px: tuple[int, int]) -> _Optics:
    cv2 = opencv()
    places = [place.astype(np.float32) for place, _ in corners]
    pixels = [pixel.astype(np.float32) for _, pixel in corners]
    residual_px, matrix, distortion, turns, shifts = cv2.calibrateCamera(
        places, pixels, size_px, None, None, flags=cv2.CALIB_FIX_K3
    )
    boards = [
        pose_matrix(shift.reshape(3), rotation_from_rotvec(turn.reshape(3)))
        for turn, shift in zip(turns, shifts, strict=True)
    ]
    return _Optics(
        matrix=matrix,
        distortion=distortion.reshape(-1)[:4],
        boards=np.stack(boards),
        residual_px=float(residual_px),
    )


def _hand_eye(tools: Array, boards: Array) -> Array:
    """X in ``tools @ X @ boards = constant``, shape (4, 4)."""
    cv2 = opencv()
    rotation, position_m = cv2.calibrateHandEye(
        list(tools[:, :3, :3]),
        list(tools[:, :3, 3]),
        list(boards[:, :3, :3]),
        list(boards[:, :3, 3]),
        method=cv2.CALIB_HAND_EYE_PARK,
    )
    return pose_matrix(position_m.reshape(3), rotation)


def _check_turns(tools: Array) -> None:
    """Turns about one axis leave the camera's place along it unknown."""
    first = tools[0, :3, :3]
    turns_rad = np.stack([rotvec_from_rotation(first.T @ tool[:3, :3]) for tool in tools])
    spread_rad = np.linalg.svd(turns_rad)[1] / np.sqrt(len(tools))
    if spread_rad[1] < _TURN_RAD:
        raise CalibrationError(
            "Between the views, turn the tool about two axes at least, by 20 degrees and more."
        )


def _rounded(values: Array) -> tuple[float, ...]:
    return tuple(round(float(value), 6) for value in values)
