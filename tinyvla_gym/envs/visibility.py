"""What a camera cannot see need not be drawn."""

import numpy as np
from numpy.typing import NDArray


def in_view(
    centres_m: NDArray[np.float64],
    radii_m: NDArray[np.float64],
    *,
    camera_m: NDArray[np.float64],
    rotation: NDArray[np.float64],
    fovy_deg: float,
    aspect: float,
) -> NDArray[np.bool_]:
    """Tells which spheres a camera may see any part of; never wrong about one that it sees.

    Args:
        centres_m: The spheres' centres [m], shape (n, 3).
        radii_m: Their radii [m], shape (n,).
        camera_m: The camera's position [m], shape (3,).
        rotation: Camera to world; the camera looks along its -z, shape (3, 3).
        fovy_deg: Vertical field of view [deg].
        aspect: Width of the picture by its height.

    Returns:
        Booleans, shape (n,).
    """
    up = np.tan(np.radians(fovy_deg) / 2)
    side = up * aspect
    inwards = np.array([[0, 0, -1], [1, 0, -side], [-1, 0, -side], [0, 1, -up], [0, -1, -up]])
    inwards = inwards / np.linalg.norm(inwards, axis=1, keepdims=True)  # (5 planes, 3)
    depth_m = (centres_m - camera_m) @ (rotation @ inwards.T)  # (n, 5)
    return (depth_m > -radii_m[:, None]).all(1)
