"""A folder of views of a board: ``views.yaml`` and the pictures that it names.

::

    arm: left                 # which arm carries the camera, or the board
    on_tool: true             # whether it carries the camera
    board: {kind: charuco, columns: 7, rows: 5, square_m: 0.03, marker_m: 0.022}
    views:
      - {picture: 00.png, tool_m: [x, y, z], tool_rotvec_rad: [rx, ry, rz]}
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from tinyvla_gym.robots.calibration.boards import Board, opencv
from tinyvla_gym.robots.calibration.fitting import CalibrationError
from tinyvla_gym.robots.calibration.hand_eye import View, pose_matrix
from tinyvla_gym.robots.rotations import rotation_from_rotvec, rotvec_from_rotation

NAME = "views.yaml"


@dataclass(frozen=True, kw_only=True)
class Views:
    """What is in such a folder."""

    arm: str
    on_tool: bool
    board: Board
    views: Sequence[View]


def load_views(folder: Path) -> Views:
    """Reads a folder.

    Raises:
        CalibrationError: If it is no such folder, or a picture is missing.
    """
    path = folder / NAME
    try:
        facts = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Views(
            arm=str(facts["arm"]),
            on_tool=bool(facts["on_tool"]),
            board=Board(**facts["board"]),
            views=[_view(folder, one) for one in facts["views"]],
        )
    except OSError as error:
        raise CalibrationError(f"{path} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise CalibrationError(f"{path} is not written as docs/rigs.md says: {error}") from error


def save_views(folder: Path, views: Views) -> None:
    """Writes a folder that ``load_views`` reads."""
    cv2 = opencv()
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for index, view in enumerate(views.views):
        name = f"{index:02d}.png"
        cv2.imwrite(str(folder / name), cv2.cvtColor(view.picture, cv2.COLOR_RGB2BGR))
        turn_rad = rotvec_from_rotation(view.tool[:3, :3])
        rows.append(
            {
                "picture": name,
                "tool_m": view.tool[:3, 3].tolist(),
                "tool_rotvec_rad": turn_rad.tolist(),
            }
        )
    facts = {
        "arm": views.arm,
        "on_tool": views.on_tool,
        "board": asdict(views.board),
        "views": rows,
    }
    text = yaml.safe_dump(facts, sort_keys=False, default_flow_style=None, width=100)
    (folder / NAME).write_text(text, encoding="utf-8")


def _view(folder: Path, facts: dict[str, Any]) -> View:
    position_m, turn_rad = (_three(facts[key]) for key in ("tool_m", "tool_rotvec_rad"))
    cv2 = opencv()
    path = folder / facts["picture"]
    picture = cv2.imread(str(path)) if path.exists() else None
    if picture is None:
        raise CalibrationError(f"{path} is missing, or is no picture.")
    tool = pose_matrix(position_m, rotation_from_rotvec(turn_rad))
    return View(picture=cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), tool=tool)


def _three(values: Any) -> NDArray[np.float64]:
    found = np.array(values, np.float64)
    if found.shape != (3,) or not np.isfinite(found).all():
        raise CalibrationError(f"A tool's place and turn are 3 numbers each, got {values}.")
    return found
