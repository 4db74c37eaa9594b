"""Cameras: where those of MetaWorld's scenes stand, and how large a user wants their pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from tinyvla_gym.errors import ConfigError, UnknownNameError
from tinyvla_gym.interface import Camera

CameraSize = int | tuple[int, int]
"""Height and width of a picture [px], or one number for both."""


@dataclass(frozen=True, kw_only=True)
class Viewpoint:
    """Where a named camera stands in the model, and what we change about it.

    Attributes:
        source: The model's own camera.
        upside_down: The model's camera arrives rotated by 180 degrees; turn its picture.
        position_m: Stands here instead, in the world frame [m].
        fovy_deg: Vertical field of view instead of the model's [deg].
        offset_m: Moved by this much, in the world frame [m].
        turn_deg: Turned by this rotation vector, in the camera's own frame [deg].
    """

    source: str
    upside_down: bool = False
    position_m: tuple[float, float, float] | None = None
    fovy_deg: float | None = None
    offset_m: tuple[float, float, float] | None = None
    turn_deg: tuple[float, float, float] | None = None


VIEWPOINTS = {
    "topview": Viewpoint(source="topview"),
    "corner": Viewpoint(source="corner", upside_down=True),
    # The middle of corner, seen at right angles to corner4_close.
    "corner_close": Viewpoint(source="corner", upside_down=True, fovy_deg=32.0),
    "corner2": Viewpoint(source="corner2", upside_down=True),
    # The literature's "modified corner2", arXiv 2212.05698; corner4 stands there too.
    "corner2_moved": Viewpoint(source="corner2", upside_down=True, position_m=(0.75, 0.075, 0.7)),
    "corner3": Viewpoint(source="corner3", upside_down=True),
    "corner4": Viewpoint(source="corner4", upside_down=True),
    # The middle two thirds of corner4: a puck is half again as wide.
    "corner4_close": Viewpoint(source="corner4", upside_down=True, fovy_deg=42.0),
    "behindGripper": Viewpoint(source="behindGripper"),
    "gripperPOV": Viewpoint(source="gripperPOV"),
}


def viewpoint(name: str) -> Viewpoint:
    """Looks a camera up.

    Raises:
        UnknownNameError: If there is none of that name.
    """
    if name not in VIEWPOINTS:
        raise UnknownNameError("camera", name, VIEWPOINTS)
    return VIEWPOINTS[name]


def sized_camera(name: str, size: CameraSize) -> Camera:
    """Joins a camera's name and its picture's size.

    Raises:
        ConfigError: If the size is neither a positive number of pixels nor two of them.
    """
    both: Any = (size, size) if isinstance(size, Integral) else size
    pixels = isinstance(both, Sequence) and all(isinstance(edge, Integral) for edge in both)
    if not pixels or len(both) != 2:
        raise ConfigError(
            f"Camera {name} needs a size in pixels, 96 or (height, width), got {size!r}."
        )
    return Camera(name=name, height=int(both[0]), width=int(both[1]))
