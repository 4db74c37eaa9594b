"""Where a camera is and how it draws, as calibration found it."""

from dataclasses import dataclass
from math import isfinite

from tinyvla_gym.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class CameraPlacement:
    """Pose and optics of a camera; its own frame looks along z, with x right and y down.

    Attributes:
        frame: ``world``, or the name of the arm whose tool carries the camera.
        position_m: The camera in that frame [m].
        rotvec_rad: Rotation vector from the camera to that frame [rad].
        size_px: Width and height of the pictures that the optics are for [px].
        focal_px: Focal lengths along x and y [px].
        centre_px: Principal point [px].
        distortion: Radial and tangential: k1, k2, p1, p2, as OpenCV defines them.
        residual_px: Root mean square of the corners' distances in the pictures [px].
        residual_m: Largest distance of the board from where all views together put it [m].
    """

    frame: str
    position_m: tuple[float, ...]
    rotvec_rad: tuple[float, ...]
    size_px: tuple[int, ...]
    focal_px: tuple[float, ...]
    centre_px: tuple[float, ...]
    distortion: tuple[float, ...]
    residual_px: float
    residual_m: float

    def __post_init__(self) -> None:
        for name, wanted in (
            *(("position_m", 3), ("rotvec_rad", 3), ("size_px", 2)),
            *(("focal_px", 2), ("centre_px", 2), ("distortion", 4)),
        ):
            values = getattr(self, name)
            if len(values) != wanted or not all(isfinite(value) for value in values):
                raise ConfigError(f"{name} of a camera needs {wanted} numbers, got {values}.")
