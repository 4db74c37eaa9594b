"""What a camera promises, and a synthetic one that needs no hardware."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.errors import TinyVLAError, UnknownNameError
from tinyvla_gym.robots.spec import CameraSpec


class CameraError(TinyVLAError, ConnectionError):
    """A camera that cannot be opened, or that has no picture."""

    def __init__(self, camera: str, problem: str) -> None:
        super().__init__(f"Camera {camera}: {problem}")


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One picture.

    Attributes:
        picture: RGB, uint8, shape (H, W, 3); a fresh array, or one that nobody writes to.
        time_s: When it was taken, ``time.monotonic`` [s].
        sequence: How many pictures the camera had taken before it.
    """

    picture: NDArray[np.uint8]
    time_s: float
    sequence: int


class CameraSource(Protocol):
    """One camera behind its vendor's library."""

    def open(self) -> None:
        """Opens the device and waits for its first picture.

        Raises:
            CameraError: If it is not there or shows nothing.
            MissingExtraError: If the vendor's library is not installed.
        """

    def read(self) -> Frame:
        """The newest picture, without waiting for the next one; one may be returned again."""
        ...

    def close(self) -> None:
        """Lets go of the device. Safe any number of times."""


SOURCES = {
    "synthetic": "tinyvla_gym.robots.camera:SyntheticCamera",
    "file": "tinyvla_gym.robots.cameras.recorded:RecordedCamera",
    "realsense": "tinyvla_gym.robots.cameras.realsense:RealSenseCamera",
    "uvc": "tinyvla_gym.robots.cameras.uvc:UvcCamera",
    "zed_left": "tinyvla_gym.robots.cameras.uvc:ZedLeftCamera",
}
"""Kind of camera to ``module:Class``; a class is called as ``Class(spec, now=clock)``."""


def camera_source(spec: CameraSpec, *, now: Callable[[], float] = time.monotonic) -> CameraSource:
    """Prepares the source for a camera; nothing is opened.

    Args:
        spec: Which camera.
        now: The clock that stamps pictures [s].

    Raises:
        UnknownNameError: If no source reads this kind of camera.
    """
    if spec.kind not in SOURCES:
        raise UnknownNameError("kind of camera source", spec.kind, tuple(SOURCES))
    module, name = SOURCES[spec.kind].split(":")
    return getattr(import_module(module), name)(spec, now=now)


class SyntheticCamera:
    """A camera that is never there: colour ramps, and a bar that moves with every picture.

    Picture n is always the same, and is taken at n / fps on the clock.
    """

    def __init__(self, spec: CameraSpec, *, now: Callable[[], float] = time.monotonic) -> None:
        """Prepares the ramps."""
        self._spec, self._now = spec, now
        rows = np.linspace(0, 255, spec.height).astype(np.uint8)[:, None]
        columns = np.linspace(0, 255, spec.width).astype(np.uint8)[None, :]
        full = np.broadcast_arrays(rows, columns, np.uint8(sum(map(ord, spec.name)) % 256))
        self._ramps = np.stack(full, axis=2)

    def open(self) -> None:
        """See ``CameraSource``; there is nothing to open."""

    def read(self) -> Frame:
        """See ``CameraSource``."""
        sequence = int(self._now() * self._spec.fps)
        picture = self._ramps.copy()
        picture[:, sequence % self._spec.width] = 255
        return Frame(picture=picture, time_s=sequence / self._spec.fps, sequence=sequence)

    def close(self) -> None:
        """See ``CameraSource``; there is nothing to let go of."""
