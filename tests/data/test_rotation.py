"""Rotations against the numbers of TinyVLA's released code, and against each other."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tinyvla_gym.data.rotation import decode_action, decode_state, encode_action, encode_state

GOLDEN = Path(__file__).parents[1] / "golden" / "tinyvla_rotations.npz"


@pytest.fixture(scope="module")
def golden():
    """Poses as Euler angles, (20, 7), and what the released code makes of them, (20, 10)."""
    with np.load(GOLDEN) as numbers:
        return numbers["euler"], numbers["six"]


@pytest.fixture
def poses():
    """Two arms, 50 ticks."""
    rng = np.random.default_rng(0)
    rows = Rotation.random(100, random_state=rng).as_matrix()[:, :2].reshape(50, 2, 6)
    place, gripper = rng.normal(size=(50, 2, 3)), rng.random((50, 2, 1))
    return np.concatenate([place, rows, gripper], axis=2).reshape(50, 20).astype(np.float32)


def test_the_released_code_makes_the_same_six_numbers(golden):
    euler, six = golden

    np.testing.assert_allclose(decode_state(euler, "true"), six, atol=1e-6)
    robot = decode_state(euler, "released")
    np.testing.assert_allclose(encode_action(robot, "released"), six, atol=1e-6)
    np.testing.assert_allclose(decode_action(six, "released"), robot, atol=1e-6)


def test_the_two_conventions_are_different_rotations(golden):
    euler, six = golden

    assert np.abs(decode_state(euler, "released") - six).max() > 0.5


def test_angles_of_the_robot_turn_about_fixed_axes():
    quarter = np.float32([[0, 0, 0, np.pi / 2, 0, np.pi / 2, 1]])

    rows = decode_state(quarter, "released")[0, 3:9]

    about_z, about_x = (Rotation.from_euler(axis, np.pi / 2).as_matrix() for axis in "zx")
    np.testing.assert_allclose(rows, (about_z @ about_x)[:2].ravel(), atol=1e-6)


@pytest.mark.parametrize("convention", ["true", "released"])
def test_what_is_encoded_is_decoded(poses, convention):
    action = decode_action(encode_action(poses, convention), convention)
    state = decode_state(encode_state(poses, convention), convention)

    np.testing.assert_allclose(action, poses, atol=2e-6)
    np.testing.assert_allclose(state, poses, atol=2e-6)
    assert encode_state(poses, convention).shape == (50, 14)


def test_true_actions_pass_untouched(poses):
    np.testing.assert_array_equal(encode_action(poses, "true"), poses)


@pytest.mark.filterwarnings("error")
def test_straight_up_is_no_reason_to_warn():
    up = np.float32([[0, 0, 0, 0.1, np.pi / 2, 0, 1]])

    for convention in ("true", "released"):
        pose = decode_state(up, convention)
        np.testing.assert_allclose(
            decode_state(encode_state(pose, convention), convention), pose, atol=1e-3
        )
