"""Rotation vectors agree with SciPy's, at half a turn too."""

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from tinyvla_gym.robots.rotations import (
    angle_between,
    nearest_turn,
    rotation_from_rotvec,
    rotations_from_rotvecs,
    rotvec_from_rotation,
)

VECTOR = st.tuples(*[st.floats(-4, 4)] * 3)


@given(VECTOR)
@example((0.0, 0.0, 0.0))
@example((0.0, np.pi, 0.0))
@example((0.0, np.pi - 1e-6, 1e-7))
def test_there_and_back(vector: tuple[float, ...]) -> None:
    rotation = rotation_from_rotvec(np.array(vector))

    np.testing.assert_allclose(rotation, Rotation.from_rotvec(vector).as_matrix(), atol=1e-9)
    np.testing.assert_allclose(
        rotation_from_rotvec(rotvec_from_rotation(rotation)), rotation, atol=2e-5
    )
    np.testing.assert_allclose(rotations_from_rotvecs(np.array([vector]))[0], rotation, atol=1e-9)


@given(VECTOR, VECTOR)
def test_the_angle_between(first: tuple[float, ...], second: tuple[float, ...]) -> None:
    a, b = Rotation.from_rotvec(first), Rotation.from_rotvec(second)

    assert abs(angle_between(a.as_matrix(), b.as_matrix()) - (a.inv() * b).magnitude()) < 1e-6


@given(VECTOR, VECTOR)
def test_the_nearest_turn_is_the_same_rotation_and_near(vector, near) -> None:
    turned = nearest_turn(np.array(vector), np.array(near))

    np.testing.assert_allclose(
        rotation_from_rotvec(turned), rotation_from_rotvec(np.array(vector)), atol=1e-6
    )
    axis = turned / max(np.linalg.norm(turned), 1e-9)
    away = np.linalg.norm(turned - near)
    for whole in (-2 * np.pi, 2 * np.pi):
        assert away <= np.linalg.norm(turned + whole * axis - near) + 1e-6
