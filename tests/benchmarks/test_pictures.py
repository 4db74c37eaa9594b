"""Tests for benchmarks/pictures.py, and what it says about the profiles."""

import numpy as np
import pytest

from benchmarks.pictures import MAX_DIFFERENCE, MIN_IOU, closeness, iou, mean_difference, summary

MAIN_CAMERAS = ("corner4", "corner4_close", "corner_close", "corner3", "topview", "gripperPOV")


def test_the_difference_is_in_grey_levels() -> None:
    dark, bright = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 200, np.uint8)

    assert mean_difference(dark, bright) == mean_difference(bright, dark) == 200.0
    assert mean_difference(dark, dark) == 0.0


def test_iou_is_intersection_by_union_and_silent_about_specks() -> None:
    mask = np.zeros((10, 10), bool)
    mask[:5] = True
    other = np.roll(mask, 1, axis=0)

    assert iou(mask, mask) == 1.0
    assert iou(mask, other) == pytest.approx(40 / 60)
    assert iou(mask, np.zeros((10, 10), bool)) is None


def test_the_reference_is_equal_to_itself() -> None:
    (one,) = closeness("parity-1", tasks=["drawer-open"], cameras=["corner4"], ticks=[5])

    assert (one.difference, one.object_iou, one.robot_iou) == (0.0, 1.0, 1.0)


def test_fast_2_is_as_close_to_the_reference_as_promised() -> None:
    found = closeness(
        "fast-2", tasks=["drawer-open", "sweep-into"], cameras=MAIN_CAMERAS, ticks=[20]
    )

    for camera, measured in summary(found).items():
        assert measured["difference"] <= MAX_DIFFERENCE, camera
        assert measured["object_iou"] is None or measured["object_iou"] >= MIN_IOU, camera
        assert measured["robot_iou"] is None or measured["robot_iou"] >= MIN_IOU, camera


def test_fast_2_is_closer_than_fast_1() -> None:
    fast_1, fast_2 = (
        next(iter(summary(closeness(p, tasks=["push"], cameras=["corner3"], ticks=[20])).values()))
        for p in ("fast-1", "fast-2")
    )

    assert fast_2["difference"] < 0.7 * fast_1["difference"]
