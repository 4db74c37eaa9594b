"""RealSense cameras through ``pyrealsense2``. Not yet run on a device."""

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.errors import MissingExtraError
from tinyvla_gym.robots.cameras.threaded import ThreadedCamera

_SIZES = (  # width and height of what the D400 series' colour sensor gives [px]
    *((320, 180), (320, 240), (424, 240), (640, 360), (640, 480)),
    *((848, 480), (960, 540), (1280, 720), (1920, 1080)),
)
_WAIT_MS = 1000


class RealSenseCamera(ThreadedCamera):
    """The colour picture of one RealSense camera; ``device`` is its serial number."""

    _library: Any = None
    _pipeline: Any = None

    def _open(self) -> None:
        try:
            import pyrealsense2  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise MissingExtraError("A RealSense camera", "realsense") from error
        self._library, spec = pyrealsense2, self._spec
        width, height = self._native_size()
        config = pyrealsense2.config()
        if spec.device:
            config.enable_device(spec.device)
        colour, rgb = pyrealsense2.stream.color, pyrealsense2.format.rgb8
        config.enable_stream(colour, width, height, rgb, round(spec.fps))
        pipeline = pyrealsense2.pipeline()
        try:
            pipeline.start(config)
        except RuntimeError as error:
            raise self._error(f"RealSense {spec.device or 'camera'}: {error}.") from error
        self._pipeline = pipeline

    def _grab(self) -> tuple[NDArray[np.uint8], float]:
        try:
            frame = self._pipeline.wait_for_frames(_WAIT_MS).get_color_frame()
        except RuntimeError as error:  # it times out as well when the plug is pulled
            raise self._error(f"it is gone: {error}.") from error
        # The library may reuse its buffer; what leaves here is ours.
        return np.array(frame.get_data(), np.uint8), self._now() - self._age_s(frame)

    def _close(self) -> None:
        if self._pipeline is not None:
            self._pipeline.stop()
            self._pipeline = None

    def _native_size(self) -> tuple[int, int]:
        """The smallest size of the sensor that is a multiple of the wanted one."""
        spec = self._spec
        for width, height in _SIZES:
            times = height // spec.height
            if times and (width, height) == (times * spec.width, times * spec.height):
                return width, height
        sizes = ", ".join(f"{width}x{height}" for width, height in _SIZES)
        raise self._error(
            f"no size of a RealSense is a multiple of {spec.width}x{spec.height} px: {sizes}."
        )

    def _age_s(self, frame: Any) -> float:
        """Time since the picture reached this computer, by the driver's note if it has one."""
        stamp = self._library.frame_metadata_value.time_of_arrival
        if not frame.supports_frame_metadata(stamp):
            return 0.0
        arrived_s = frame.get_frame_metadata(stamp) / 1000.0  # on the wall's clock
        return max(0.0, time.time() - arrived_s)
