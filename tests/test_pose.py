"""The shared pose: ten numbers there and back."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from tinyvla_gym import pose

SMALL = st.floats(-3.0, 3.0)


@given(st.tuples(SMALL, SMALL, SMALL))
def test_two_rows_are_enough_to_find_the_rotation_again(rotvec: tuple[float, ...]) -> None:
    rotation = Rotation.from_rotvec(rotvec).as_matrix()

    ten = pose.pack(np.array([0.1, 0.2, 0.3]), rotation, 0.5)

    again = pose.rotation_from_rows(ten[3:9].reshape(2, 3))
    np.testing.assert_allclose(again, rotation, atol=1e-6)


@given(
    st.tuples(SMALL, SMALL, SMALL), st.floats(0.5, 2.0), st.floats(0.5, 2.0), st.floats(-0.5, 0.5)
)
def test_any_two_rows_become_a_rotation_whose_first_row_they_lead(
    rotvec: tuple[float, ...], first_length: float, second_length: float, skew: float
) -> None:
    first, second, _ = Rotation.from_rotvec(rotvec).as_matrix()
    rows = np.stack([first_length * first, second_length * second + skew * first])

    rotation = pose.rotation_from_rows(rows)

    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(rotation[:2], [first, second], atol=1e-9)
    assert np.linalg.det(rotation) > 0
