"""The fits behind a calibration find what was there, and refuse what says nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyvla_gym.robots.calibration.fitting import (
    CalibrationError,
    fit_plane,
    fit_rigid,
    fit_tip,
)
from tinyvla_gym.robots.rotations import rotation_from_rotvec

seeds = st.integers(0, 2**32 - 1)


def a_rotation(rng):
    return rotation_from_rotvec(rng.normal(size=3))


@settings(max_examples=50, deadline=None)
@given(seeds)
def test_a_rigid_motion_is_found_again(seed: int) -> None:
    rng = np.random.default_rng(seed)
    source_m, rotation, shift_m = rng.uniform(-1, 1, (6, 3)), a_rotation(rng), rng.normal(size=3)

    fit = fit_rigid(source_m, source_m @ rotation.T + shift_m)

    np.testing.assert_allclose(fit.rotation, rotation, atol=1e-9)
    np.testing.assert_allclose(fit.translation_m, shift_m, atol=1e-9)
    assert fit.errors_m.max() < 1e-9


def test_mirrored_points_still_give_a_rotation_and_a_large_error() -> None:
    source_m = np.random.default_rng(0).uniform(-1, 1, (8, 3))

    fit = fit_rigid(source_m, source_m * (1.0, 1.0, -1.0))

    assert np.linalg.det(fit.rotation) == pytest.approx(1.0)
    assert fit.errors_m.max() > 0.1


def test_one_bad_spot_shows_in_the_errors() -> None:
    source_m = np.random.default_rng(1).uniform(-0.3, 0.3, (8, 3))
    target_m = source_m.copy()
    target_m[5] += (0.02, 0.0, 0.0)

    assert int(np.argmax(fit_rigid(source_m, target_m).errors_m)) == 5


@pytest.mark.parametrize(
    ("points", "problem"),
    [
        (np.eye(3), "At least 4"),
        (np.outer(np.arange(6.0), (1.0, 2.0, 3.0)), "on one line"),
        (np.full((5, 3), np.nan), "not finite"),
        (np.zeros((5, 2)), "3 numbers"),
    ],
)
def test_points_that_say_nothing_are_refused(points, problem: str) -> None:
    with pytest.raises(CalibrationError, match=problem):
        fit_rigid(points, points)
    with pytest.raises(CalibrationError, match=problem):
        fit_plane(points)


@settings(max_examples=50, deadline=None)
@given(seeds)
def test_a_plane_is_found_again_and_its_normal_points_up(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rotation, centre_m = rotation_from_rotvec(rng.normal(size=3) * 0.3), rng.normal(size=3)
    flat_m = np.column_stack([rng.uniform(-0.5, 0.5, (9, 2)), np.zeros(9)])

    fit = fit_plane(flat_m @ rotation.T + centre_m)

    np.testing.assert_allclose(abs(fit.normal @ rotation[:, 2]), 1.0, atol=1e-9)
    assert fit.normal[2] >= 0
    assert fit.errors_m.max() < 1e-9


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_a_tip_is_found_again(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rotations = np.stack([a_rotation(rng) for _ in range(6)])
    tip_m, spot_m = np.array([0.01, -0.02, 0.16]), rng.normal(size=3)

    fit = fit_tip(spot_m - rotations @ tip_m, rotations)

    np.testing.assert_allclose(fit.offset_m, tip_m, atol=1e-8)
    assert fit.errors_m.max() < 1e-8


def test_turning_about_one_axis_does_not_show_where_the_tip_is() -> None:
    rotations = np.stack([rotation_from_rotvec(np.array([0, 0, a])) for a in (0.0, 0.5, 1, 2)])

    with pytest.raises(CalibrationError, match="two axes"):
        fit_tip(-rotations @ np.array([0.01, 0.0, 0.16]), rotations)
