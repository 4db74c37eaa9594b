"""Cameras that block, fail, freeze or give the wrong picture."""

import sys
import threading
import time
from dataclasses import replace
from math import inf
from types import SimpleNamespace

import numpy as np
import pytest

from tinyvla_gym.errors import MissingExtraError
from tinyvla_gym.robots.camera import SOURCES, CameraError, camera_source
from tinyvla_gym.robots.cameras import threaded
from tinyvla_gym.robots.cameras.realsense import RealSenseCamera
from tinyvla_gym.robots.cameras.threaded import ThreadedCamera, fitted
from tinyvla_gym.robots.cameras.uvc import UvcCamera, ZedLeftCamera
from tinyvla_gym.robots.faults import CameraFault
from tinyvla_gym.robots.freshness import judge_cameras
from tinyvla_gym.robots.limits import PROFILES
from tinyvla_gym.robots.spec import CameraSpec

SPEC = CameraSpec(name="top", kind="uvc", height=6, width=8, device="0")


def wait_until(happens) -> None:
    deadline_s = time.monotonic() + 20
    while not happens():
        assert time.monotonic() < deadline_s, "it never happened"
        time.sleep(0.002)


class Obedient(ThreadedCamera):
    """Gives a picture whenever a test releases one; fails when told to."""

    def __init__(self, spec=SPEC):
        super().__init__(spec, now=lambda: 0.0)
        self.pictures = [np.full((6, 8, 3), 1, np.uint8)]
        self.unplugged = False
        self.opened = 0
        self.released = threading.Semaphore(1)

    def _open(self):
        self.opened += 1

    def _grab(self):
        while not self.released.acquire(timeout=0.01):
            if self.unplugged or self._closing.is_set():
                raise self._error("it is gone.")
        picture = self.pictures[-1]
        return picture, float(len(self.pictures))

    def _close(self):
        self.opened -= 1


@pytest.fixture
def camera():
    camera = Obedient()
    yield camera
    camera.close()


def test_the_newest_picture_is_kept_with_its_time(camera: Obedient) -> None:
    camera.open()
    assert (camera.read().sequence, camera.read().time_s) == (0, 1.0)

    camera.pictures.append(np.full((6, 8, 3), 2, np.uint8))
    camera.released.release()
    wait_until(lambda: camera.read().sequence == 1)

    assert camera.read().time_s == 2.0
    assert camera.read().picture.max() == 2


def test_a_frozen_camera_grows_stale_and_an_unplugged_one_is_a_fault_at_once(camera) -> None:
    limits = PROFILES["eval"]
    camera.open()

    def judged(now_s):
        return judge_cameras({"top": now_s - camera.read().time_s}, limits, now_s)

    assert judged(1.1) == ((), None)
    assert judged(1.5)[0][0].name == "camera_stale"
    camera.unplugged = True
    wait_until(lambda: camera.read().time_s == -inf)

    assert isinstance(judged(1.1)[1], CameraFault)


def test_it_closes_twice_and_opens_again(camera: Obedient) -> None:
    camera.open()
    camera.close()
    camera.close()
    assert camera.opened == 0
    with pytest.raises(CameraError, match="not open"):
        camera.read()

    camera.released.release()
    camera.open()

    assert camera.read().sequence == 0


def test_a_camera_that_shows_nothing_is_told_when_it_is_opened(camera, monkeypatch) -> None:
    monkeypatch.setattr(threaded, "FIRST_PICTURE_S", 0.05)
    camera.released.acquire()

    with pytest.raises(CameraError, match="showed nothing"):
        camera.open()
    assert camera.opened == 0


@pytest.mark.parametrize(
    ("picture", "problem"),
    [
        (np.zeros((7, 8, 3), np.uint8), "8 x 7 px, no multiple of the 8 x 6 px"),
        (np.zeros((3, 4, 3), np.uint8), "no multiple"),
        (np.zeros((6, 8), np.uint8), "not RGB"),
        (np.zeros((6, 8, 3), np.uint16), "not RGB"),
    ],
)
def test_a_wrong_picture_is_told_when_it_is_opened(camera, picture, problem: str) -> None:
    camera.pictures = [picture]

    with pytest.raises(CameraError, match=problem):
        camera.open()


def test_larger_pictures_are_averaged() -> None:
    picture = np.zeros((12, 16, 3), np.uint8)
    picture[::2, ::2] = 200

    assert (fitted(picture, SPEC) == 50).all()


class Capture:
    """OpenCV's capture of a device that gives ``Capture.shape`` for three pictures."""

    shape = (12, 16, 3)
    there = True

    def __init__(self, device):
        self.device, self.left, self.asked = device, 3, {}

    def isOpened(self):
        return self.there

    def set(self, what, value):
        self.asked[what] = value

    def read(self):
        self.left -= 1
        picture = np.zeros(self.shape, np.uint8)
        picture[..., 0] = 80  # blue, as OpenCV has it
        picture[:, self.shape[1] // 2 :] = 255
        return (True, picture) if self.left >= 0 else (False, None)

    def release(self):
        pass


@pytest.fixture
def capture(monkeypatch):
    class OneTest(Capture):
        pass

    names = ("FOURCC", "FRAME_WIDTH", "FRAME_HEIGHT", "FPS", "BUFFERSIZE")
    library = SimpleNamespace(
        VideoCapture=OneTest,
        VideoWriter=SimpleNamespace(fourcc=lambda *_: 1),
        COLOR_BGR2RGB=4,
        cvtColor=lambda picture, _: picture[..., ::-1].copy(),
        **{f"CAP_PROP_{name}": name for name in names},
    )
    monkeypatch.setitem(sys.modules, "cv2", library)
    return OneTest


def test_a_webcam_is_read_as_rgb_and_its_end_is_noticed(capture) -> None:
    camera = UvcCamera(SPEC, now=lambda: 5.0)
    camera.open()
    wait_until(lambda: camera.read().time_s == -inf)

    assert camera.read().picture[0, 0].tolist() == [0, 0, 80]
    assert camera.read().sequence == 2
    camera.close()


def test_the_left_eye_of_a_zed_is_taken(capture) -> None:
    capture.shape = (720, 2560, 3)
    camera = ZedLeftCamera(replace(SPEC, height=180, width=320), now=lambda: 5.0)
    camera.open()

    assert camera.read().picture.shape == (180, 320, 3)
    assert camera.read().picture.max() == 80
    camera.close()


@pytest.mark.parametrize(
    ("kind", "change", "problem"),
    [
        (UvcCamera, {"there": False}, "there is no camera '0'"),
        (UvcCamera, {"shape": (10, 16, 3)}, "no multiple"),
        (ZedLeftCamera, {"shape": (12, 16, 3)}, "one eye only"),
    ],
)
def test_a_device_that_does_not_fit_is_told(capture, kind, change, problem: str) -> None:
    for name, value in change.items():
        setattr(capture, name, value)

    with pytest.raises(CameraError, match=problem):
        kind(SPEC, now=lambda: 5.0).open()


class Pipeline:
    """What ``pyrealsense2`` offers, as far as it is used; one picture, then the plug is pulled."""

    def __init__(self):
        self.left = 1

    def start(self, config):
        if config.serial != "1234":
            raise RuntimeError("No device connected")
        self.size = config.size

    def stop(self):
        pass

    def wait_for_frames(self, _):
        self.left -= 1
        if self.left < 0:
            raise RuntimeError("Frame didn't arrive within 1000")
        width, height = self.size
        arrived_ms = 1000 * (time.time() - 0.04)
        frame = SimpleNamespace(
            get_data=lambda: np.full((height, width, 3), 9, np.uint8),
            supports_frame_metadata=lambda _: True,
            get_frame_metadata=lambda _: arrived_ms,
        )
        return SimpleNamespace(get_color_frame=lambda: frame)


class Config:
    serial = ""

    def enable_device(self, serial):
        self.serial = serial

    def enable_stream(self, _stream, width, height, _format, _fps):
        self.size = (width, height)


@pytest.fixture
def realsense(monkeypatch):
    library = SimpleNamespace(
        config=Config,
        pipeline=Pipeline,
        stream=SimpleNamespace(color=1),
        format=SimpleNamespace(rgb8=2),
        frame_metadata_value=SimpleNamespace(time_of_arrival=3),
    )
    monkeypatch.setitem(sys.modules, "pyrealsense2", library)


REALSENSE = CameraSpec(name="top", kind="realsense", height=90, width=160, device="1234")


def test_a_realsense_is_asked_for_a_size_it_has_and_stamped_at_arrival(realsense) -> None:
    times_s = []
    camera = RealSenseCamera(REALSENSE, now=lambda: 100.0)
    grab = camera._grab

    def noted():
        picture, time_s = grab()
        times_s.append(time_s)
        return picture, time_s

    camera._grab = noted
    camera.open()

    assert camera.read().picture.shape == (90, 160, 3)
    assert camera.read().picture.max() == 9
    assert 99.0 < times_s[0] <= 99.96
    wait_until(lambda: camera.read().time_s == -inf)
    camera.close()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [({"device": "9"}, "No device connected"), ({"height": 91}, "is a multiple of 160x91")],
)
def test_a_realsense_that_is_not_there_is_told(realsense, changes, problem: str) -> None:
    with pytest.raises(CameraError, match=problem):
        RealSenseCamera(replace(REALSENSE, **changes)).open()


@pytest.mark.parametrize(
    ("kind", "library", "extra"),
    [("realsense", "pyrealsense2", "realsense"), ("uvc", "cv2", "cameras")],
)
def test_without_its_library_a_camera_says_what_to_install(monkeypatch, kind, library, extra):
    monkeypatch.setitem(sys.modules, library, None)

    with pytest.raises(MissingExtraError, match=extra):
        camera_source(replace(SPEC, kind=kind)).open()


@pytest.mark.parametrize("kind", SOURCES)
def test_every_kind_has_a_source(kind: str) -> None:
    camera_source(replace(SPEC, kind=kind)).close()
