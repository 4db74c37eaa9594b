"""The pose that all bodies share: position, the first two rows of a rotation, gripper.

Ten numbers per arm, in the arm's base frame. The six rotation numbers are those of Zhou et
al., arXiv 1812.07035, with rows in place of columns, as TinyVLA's released code has it.
"""

import numpy as np
from numpy.typing import NDArray

EE_NAMES = (
    *("tcp_x_m", "tcp_y_m", "tcp_z_m"),
    *("tcp_r11", "tcp_r12", "tcp_r13", "tcp_r21", "tcp_r22", "tcp_r23"),
    "gripper_open_frac",
)


def pack(
    position_m: NDArray[np.floating], rotation: NDArray[np.floating], gripper_open_frac: float
) -> NDArray[np.float32]:
    """Joins a pose into ten numbers.

    Args:
        position_m: Tool position in the base frame [m], shape (3,).
        rotation: Tool to base, shape (3, 3).
        gripper_open_frac: 0 closed, 1 open.
    """
    return np.concatenate([position_m, rotation[:2].reshape(6), [gripper_open_frac]]).astype(
        np.float32
    )


def rotation_from_rows(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    """The rotation nearest to two rows in the sense of Gram and Schmidt: the first row leads.

    Args:
        rows: First two rows of a rotation, neither zero nor parallel, shape (2, 3).

    Returns:
        A rotation, shape (3, 3); the input itself where that was one.
    """
    first, second = np.asarray(rows, np.float64)
    first = first / np.linalg.norm(first)
    second = second - (second @ first) * first
    second = second / np.linalg.norm(second)
    return np.stack([first, second, np.cross(first, second)])
