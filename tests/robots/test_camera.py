"""The synthetic camera, and how sources are found."""

from dataclasses import replace

import numpy as np
import pytest

from tinyvla_gym.errors import UnknownNameError
from tinyvla_gym.robots import camera
from tinyvla_gym.robots.spec import CameraSpec

SPEC = CameraSpec(name="top", kind="synthetic", height=6, width=8, fps=10)


def test_pictures_are_stamped_when_they_were_taken():
    now_s = [1.234]
    source = camera.camera_source(SPEC, now=lambda: now_s[0])
    source.open()
    first = source.read()
    assert (first.picture.shape, first.picture.dtype) == ((6, 8, 3), np.uint8)
    assert (first.sequence, first.time_s) == (12, pytest.approx(1.2))
    again = source.read()
    assert again.sequence == first.sequence
    assert np.array_equal(again.picture, first.picture)
    assert not np.shares_memory(again.picture, first.picture)
    now_s[0] = 1.31
    assert source.read().sequence == 13
    assert not np.array_equal(source.read().picture, first.picture)
    source.close()


def test_a_kind_without_a_source_is_named(monkeypatch):
    monkeypatch.setattr(camera, "SOURCES", {"synthetic": camera.SOURCES["synthetic"]})
    with pytest.raises(UnknownNameError, match="realsense"):
        camera.camera_source(replace(SPEC, kind="realsense"))
