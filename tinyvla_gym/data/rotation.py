"""Rotations of poses: six numbers or three Euler angles, truly or as TinyVLA's released code.

A pose here is ten numbers: position [m], the first two rows of the rotation matrix, gripper. The
released code keeps states as Euler angles of the robot, which turn about fixed axes (extrinsic
xyz), but builds the six numbers of actions from them as Rx @ Ry @ Rz, which turns about moving
axes. It undoes that the same way, so its robot moves rightly, but the six numbers are those of
another rotation.

``true``
    The six numbers are those of the rotation. Euler angles are its angles as Rx @ Ry @ Rz, so
    that the released code computes the same matrix from either.
``released``
    Euler angles are the robot's own, and the six numbers are what the released code makes of
    them.
"""

import warnings
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Convention = Literal["true", "released"]

_ROTATION = slice(3, 9)  # of the ten numbers of a pose
_ANGLES = slice(3, 6)  # of the seven numbers of a pose in Euler angles
_FIXED, _MOVING = "xyz", "XYZ"  # scipy's words for axes


def encode_action(pose: NDArray, convention: Convention) -> NDArray[np.float32]:
    """From true poses, shape (T, 10 * arms), to poses in a convention."""
    return _each_arm(pose, 10, lambda arm: _turned(arm, convention, _FIXED, _MOVING))


def decode_action(pose: NDArray, convention: Convention) -> NDArray[np.float32]:
    """From poses in a convention, shape (T, 10 * arms), to true ones."""
    return _each_arm(pose, 10, lambda arm: _turned(arm, convention, _MOVING, _FIXED))


def encode_state(pose: NDArray, convention: Convention) -> NDArray[np.float32]:
    """From true poses, shape (T, 10 * arms), to Euler angles, shape (T, 7 * arms)."""
    axes = _FIXED if convention == "released" else _MOVING

    def encode(arm: NDArray) -> NDArray:
        angles = _angles(arm[:, _ROTATION], axes)
        return np.concatenate([arm[:, :3], angles, arm[:, 9:]], axis=1)

    return _each_arm(pose, 10, encode)


def decode_state(pose: NDArray, convention: Convention) -> NDArray[np.float32]:
    """From Euler angles, shape (T, 7 * arms), to true poses, shape (T, 10 * arms)."""
    axes = _FIXED if convention == "released" else _MOVING

    def decode(arm: NDArray) -> NDArray:
        six = _six(Rotation.from_euler(axes, arm[:, _ANGLES]))
        return np.concatenate([arm[:, :3], six, arm[:, 6:]], axis=1)

    return _each_arm(pose, 7, decode)


def _turned(arm: NDArray, convention: Convention, read: str, write: str) -> NDArray:
    """Takes a rotation for its angles about some axes, and builds it about others."""
    if convention == "true":
        return arm
    angles = _angles(arm[:, _ROTATION], read)
    return np.concatenate(
        [arm[:, :3], _six(Rotation.from_euler(write, angles)), arm[:, 9:]], axis=1
    )


def _each_arm(
    pose: NDArray, width: int, change: Callable[[NDArray], NDArray]
) -> NDArray[np.float32]:
    """Applies a change to the numbers of each arm, shape (T, width)."""
    wide = pose.astype(np.float64)
    arms = [change(wide[:, start : start + width]) for start in range(0, wide.shape[1], width)]
    return np.concatenate(arms, axis=1).astype(np.float32)


def _angles(six: NDArray, axes: str) -> NDArray[np.float64]:
    """Euler angles, shape (T, 3); a quarter turn about the second axis leaves a choice."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Gimbal lock")
        return _rotation(six).as_euler(axes)


def _rotation(six: NDArray) -> Rotation:
    """Makes the two rows orthonormal, and a rotation of them; shape (T, 6)."""
    first = six[:, :3] / np.linalg.norm(six[:, :3], axis=1, keepdims=True)
    along = np.sum(first * six[:, 3:], axis=1, keepdims=True)
    second = six[:, 3:] - along * first
    second /= np.linalg.norm(second, axis=1, keepdims=True)
    return Rotation.from_matrix(np.stack([first, second, np.cross(first, second)], axis=1))


def _six(rotation: Rotation) -> NDArray[np.float64]:
    """The first two rows of each matrix, shape (T, 6)."""
    return rotation.as_matrix()[:, :2].reshape(-1, 6)
