"""A recording plays at its own pace."""

import numpy as np
import pytest

from tinyvla_gym.robots.camera import CameraError
from tinyvla_gym.robots.cameras.recorded import RecordedCamera, save_recording
from tinyvla_gym.robots.spec import CameraSpec

PICTURES = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((3, 6, 8, 3), np.uint8)
TIMES_S = np.array([7.0, 7.1, 7.3])


@pytest.fixture
def spec(tmp_path):
    save_recording(tmp_path / "top.npz", PICTURES, TIMES_S)
    path = str(tmp_path / "top.npz")
    return CameraSpec(name="top", kind="file", height=6, width=8, device=path)


@pytest.mark.parametrize(
    ("after_s", "sequence", "taken_s"), [(0, 0, 0), (0.05, 0, 0), (0.25, 1, 0.1), (9, 2, 0.3)]
)
def test_the_newest_picture_of_the_moment_is_shown(spec, after_s, sequence, taken_s) -> None:
    now_s = [50.0]
    camera = RecordedCamera(spec, now=lambda: now_s[0])
    camera.open()
    now_s[0] += after_s

    frame = camera.read()

    assert frame.sequence == sequence
    assert frame.time_s == pytest.approx(50.0 + taken_s)
    assert (frame.picture == sequence).all()
    camera.close()
    with pytest.raises(CameraError, match="not open"):
        camera.read()


@pytest.mark.parametrize(
    ("pictures", "times_s", "problem"),
    [
        (PICTURES, TIMES_S[::-1], "do not grow"),
        (PICTURES, TIMES_S[:2], "has pictures"),
        (PICTURES[:0], TIMES_S[:0], "has pictures"),
        (PICTURES[:, :5], TIMES_S, "no multiple"),
    ],
)
def test_a_recording_that_is_none_is_told(spec, pictures, times_s, problem: str) -> None:
    save_recording(spec.device, pictures, times_s)

    with pytest.raises(CameraError, match=problem):
        RecordedCamera(spec).open()


def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(CameraError, match="is no recording"):
        RecordedCamera(CameraSpec(name="top", kind="file", device="no.npz")).open()
