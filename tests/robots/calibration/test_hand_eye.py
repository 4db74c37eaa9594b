"""A camera whose pose is known is found again from drawn pictures of a board."""

from dataclasses import replace

import numpy as np
import pytest
from rigs import PAIR

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.robots.calibration.boards import Board
from tinyvla_gym.robots.calibration.fitting import CalibrationError
from tinyvla_gym.robots.calibration.hand_eye import place_camera, pose_matrix
from tinyvla_gym.robots.calibration.pretended import CAMERA_MATRIX, pretended_views
from tinyvla_gym.robots.calibration.views import load_views, save_views
from tinyvla_gym.robots.rotations import angle_between, rotation_from_rotvec

pytest.importorskip("cv2", reason="OpenCV is not installed: pip install opencv-python-headless")

LEFT = PAIR.arms[0]
CHARUCO, CHESS = Board(), Board(kind="chessboard", columns=8, rows=5)
WRIST = pose_matrix(
    np.array([0.05, -0.03, -0.08]), rotation_from_rotvec(np.array([0.1, -0.2, 1.5]))
)
LOOKING_DOWN = pose_matrix(
    np.array([-0.5, 0.1, 0.8]), rotation_from_rotvec(np.array([3.0, 0.2, -0.1]))
)


@pytest.mark.parametrize("board", [CHARUCO, CHESS], ids=["charuco", "chessboard"])
def test_a_camera_on_the_tool_is_found(board: Board) -> None:
    views = pretended_views(LEFT, WRIST, on_tool=True, board=board, count=9)

    found = place_camera(views.views, board, LEFT, on_tool=True)

    assert found.frame == "left"
    np.testing.assert_allclose(found.position_m, WRIST[:3, 3], atol=0.003)
    turn = rotation_from_rotvec(np.array(found.rotvec_rad))
    assert angle_between(turn, WRIST[:3, :3]) < 0.005
    np.testing.assert_allclose(found.focal_px, np.diag(CAMERA_MATRIX)[:2], rtol=0.01)
    assert found.residual_px < 0.5
    assert found.residual_m < 0.003


def test_a_camera_that_stands_still_is_found_in_the_world() -> None:
    views = pretended_views(LEFT, LOOKING_DOWN, on_tool=False, board=CHARUCO, count=9)

    found = place_camera(views.views, CHARUCO, LEFT, on_tool=False)

    base = pose_matrix(np.array(LEFT.base_position_m), LEFT.base_rotation)
    wanted = base @ LOOKING_DOWN
    assert found.frame == "world"
    np.testing.assert_allclose(found.position_m, wanted[:3, 3], atol=0.004)
    turn = rotation_from_rotvec(np.array(found.rotvec_rad))
    assert angle_between(turn, wanted[:3, :3]) < 0.005


def test_views_read_back_as_they_were_saved(tmp_path) -> None:
    views = pretended_views(LEFT, WRIST, on_tool=True, board=CHARUCO, count=2)

    save_views(tmp_path, views)
    again = load_views(tmp_path)

    assert (again.arm, again.on_tool, again.board) == ("left", True, CHARUCO)
    for one, other in zip(again.views, views.views, strict=True):
        np.testing.assert_array_equal(one.picture, other.picture)
        np.testing.assert_allclose(one.tool, other.tool, atol=1e-9)


def test_another_board_than_the_printed_one_is_not_found() -> None:
    views = pretended_views(LEFT, WRIST, on_tool=True, board=CHARUCO, count=8).views

    with pytest.raises(CalibrationError, match="found in 0 of 8 views"):
        place_camera(views, replace(CHARUCO, dictionary="DICT_4X4_50"), LEFT, on_tool=True)


def test_a_tool_that_never_turned_is_refused() -> None:
    views = pretended_views(LEFT, WRIST, on_tool=True, board=CHARUCO, count=8).views
    still = [replace(view, tool=views[0].tool) for view in views]

    with pytest.raises(CalibrationError, match="two axes"):
        place_camera(still, CHARUCO, LEFT, on_tool=True)


@pytest.mark.parametrize(
    "facts",
    [{"columns": 2}, {"marker_m": 0.04}, {"kind": "chessboard", "columns": 7, "rows": 5}],
)
def test_impossible_boards_are_refused(facts) -> None:
    with pytest.raises(ConfigError):
        Board(**facts)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "cannot be read"),
        ("arm: left", "not written"),
        (
            "{arm: left, on_tool: true, board: {}, views: "
            "[{picture: no.png, tool_m: [0, 0, 0], tool_rotvec_rad: [0, 0, 0]}]}",
            "missing",
        ),
        (
            "{arm: left, on_tool: true, board: {}, views: "
            "[{picture: no.png, tool_m: [0, 0], tool_rotvec_rad: [0, 0, 0]}]}",
            "3 numbers each",
        ),
    ],
)
def test_a_folder_without_views_is_refused(tmp_path, text, problem) -> None:
    if text is not None:
        (tmp_path / "views.yaml").write_text(text)

    with pytest.raises(CalibrationError, match=problem):
        load_views(tmp_path)
