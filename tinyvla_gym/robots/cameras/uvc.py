"""Cameras that any computer knows (UVC), and the left eye of a ZED, through OpenCV."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.errors import MissingExtraError
from tinyvla_gym.robots.cameras.threaded import ThreadedCamera

_ZED_HEIGHTS = (376, 720, 1080, 1242)  # of the side-by-side pictures [px]
_ZED_WIDTHS = {376: 1344, 720: 2560, 1080: 3840, 1242: 4416}


class UvcCamera(ThreadedCamera):
    """A webcam; ``device`` is its number or path, such as ``0`` or ``/dev/video2``."""

    _library: Any = None
    _capture: Any = None

    def _open(self) -> None:
        try:
            import cv2
        except ImportError as error:
            raise MissingExtraError("A UVC camera", "cameras") from error
        self._library = cv2
        device = self._spec.device or "0"
        capture = cv2.VideoCapture(int(device) if device.isdecimal() else device)
        if not capture.isOpened():
            capture.release()
            raise self._error(f"there is no camera {device!r}.")
        width, height = self._asked_size()
        for what, value in (
            (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG")),
            (cv2.CAP_PROP_FRAME_WIDTH, width),
            (cv2.CAP_PROP_FRAME_HEIGHT, height),
            (cv2.CAP_PROP_FPS, self._spec.fps),
            (cv2.CAP_PROP_BUFFERSIZE, 1),  # else a picture waits in line and is old when read
        ):
            capture.set(what, value)
        self._capture = capture

    def _grab(self) -> tuple[NDArray[np.uint8], float]:
        there, picture = self._capture.read()
        time_s = self._now()
        if not there or picture is None:
            raise self._error("it is gone.")
        return self._library.cvtColor(self._eye(picture), self._library.COLOR_BGR2RGB), time_s

    def _close(self) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _asked_size(self) -> tuple[int, int]:
        """Width and height to ask the device for; what comes is checked."""
        return self._spec.width, self._spec.height

    def _eye(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return picture


class ZedLeftCamera(UvcCamera):
    """The left half of a ZED's side-by-side picture; no vendor library needed."""

    def _asked_size(self) -> tuple[int, int]:
        for height in _ZED_HEIGHTS:
            width = _ZED_WIDTHS[height]
            times = height // self._spec.height
            if (width // 2, height) == (times * self._spec.width, times * self._spec.height):
                return width, height
        return _ZED_WIDTHS[720], 720

    def _eye(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if picture.shape[1] < 2 * picture.shape[0]:
            raise self._error(f"it gives {picture.shape[1]} x {picture.shape[0]} px: one eye only.")
        return picture[:, : picture.shape[1] // 2]
