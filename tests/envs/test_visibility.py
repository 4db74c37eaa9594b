"""Tests for envs/visibility.py."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from tinyvla_gym.envs.visibility import in_view

LENGTHS_M = st.floats(-3, 3)
POINTS_M = st.tuples(LENGTHS_M, LENGTHS_M, LENGTHS_M)


@given(
    camera_m=POINTS_M,
    angles_deg=st.tuples(*[st.floats(-180, 180)] * 3),
    fovy_deg=st.floats(10, 120),
    aspect=st.floats(0.3, 3),
    across=st.floats(-0.99, 0.99),
    upwards=st.floats(-0.99, 0.99),
    depth_m=st.floats(0.01, 5),
    to_centre_m=POINTS_M,
)
def test_a_sphere_with_a_point_in_the_picture_is_never_left_out(
    camera_m, angles_deg, fovy_deg, aspect, across, upwards, depth_m, to_centre_m
) -> None:
    rotation = Rotation.from_euler("xyz", angles_deg, degrees=True).as_matrix()
    up = np.tan(np.radians(fovy_deg) / 2)
    seen = depth_m * np.array([across * up * aspect, upwards * up, -1.0])
    centre_m = np.array(camera_m) + rotation @ seen + to_centre_m
    radius_m = np.linalg.norm(to_centre_m) + 1e-9

    answer = in_view(
        centre_m[None],
        np.array([radius_m], float),
        camera_m=np.array(camera_m),
        rotation=rotation,
        fovy_deg=fovy_deg,
        aspect=aspect,
    )

    assert answer.all()


def test_what_is_behind_beside_above_and_below_is_left_out() -> None:
    centres_m = np.array([[0, 0, 2], [5, 0, -1], [-5, 0, -1], [0, 5, -1], [0, -5, -1], [0, 0, -1]])

    answer = in_view(
        centres_m.astype(float),
        np.ones(6),
        camera_m=np.zeros(3),
        rotation=np.eye(3),
        fovy_deg=60.0,
        aspect=1.5,
    )

    assert answer.tolist() == [False] * 5 + [True]
