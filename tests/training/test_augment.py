"""Tests for training/augmentation.py."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tinyvla_gym.training.augmentation import augment

PICTURES = np.random.default_rng(0).integers(0, 256, (40, 6, 5, 3), dtype=np.uint8)


def test_without_shift_and_jitter_pictures_stay_as_they_are() -> None:
    np.testing.assert_array_equal(augment(PICTURES, np.random.default_rng(0), 0, 0.0), PICTURES)


def test_pictures_are_shifted_whole_each_for_itself_and_by_no_more_than_asked() -> None:
    wide = np.pad(PICTURES, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="edge")
    shifts = {
        (down, right): wide[:, down : down + 6, right : right + 5]
        for down in range(5)
        for right in range(5)
    }

    shifted = augment(PICTURES, np.random.default_rng(0), 2, 0.0)

    found = [
        next(shift for shift, all_ in shifts.items() if np.array_equal(all_[i], picture))
        for i, picture in enumerate(shifted)
    ]
    assert len(set(found)) > 10
    for axis in range(2):
        assert {shift[axis] for shift in found} == set(range(5))


@given(st.integers(0, 255), st.floats(0.01, 0.3))
def test_brightness_and_contrast_change_by_no_more_than_asked(grey, jitter) -> None:
    pictures = np.full((8, 2, 2, 3), grey, np.uint8)

    changed = augment(pictures, np.random.default_rng(0), 0, jitter).astype(float)

    bright = np.array([grey * (1 - jitter), grey * (1 + jitter)])
    reach = [(b - 128) * c + 128 for b in bright for c in (1 - jitter, 1 + jitter)]
    assert (changed >= np.floor(np.clip(min(reach), 0, 255)) - 1e-9).all()
    assert (changed <= np.clip(max(reach), 0, 255) + 1e-9).all()
    assert (changed == changed[:, :1, :1, :1]).all()  # a picture keeps its uniformity


def test_each_picture_has_its_own_brightness() -> None:
    changed = augment(np.full((20, 2, 2, 3), 100, np.uint8), np.random.default_rng(0), 0, 0.2)

    assert len({int(picture[0, 0, 0]) for picture in changed}) > 8


def test_augmentation_leaves_the_data_alone() -> None:
    before = PICTURES.copy()

    augment(PICTURES, np.random.default_rng(0), 2, 0.2)

    np.testing.assert_array_equal(PICTURES, before)
