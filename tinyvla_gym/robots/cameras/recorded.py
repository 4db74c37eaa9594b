"""A camera that plays a file: pictures with the times at which they were taken."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.robots.camera import CameraError, Frame
from tinyvla_gym.robots.cameras.threaded import fitted
from tinyvla_gym.robots.spec import CameraSpec


class RecordedCamera:
    """Plays ``device``, an ``.npz`` with ``pictures`` (T, H, W, 3) and ``times_s`` (T,).

    The first picture is taken when the camera is opened. After the last one there is no newer
    one, so that it grows stale as a camera that freezes does.
    """

    def __init__(self, spec: CameraSpec, *, now: Callable[[], float] = time.monotonic) -> None:
        """Prepares; nothing is read before ``open``."""
        self._spec, self._now = spec, now
        self._pictures: list[NDArray[np.uint8]] = []
        self._times_s: NDArray[np.float64] = np.zeros(0)

    def open(self) -> None:
        """See ``CameraSource``."""
        path = Path(self._spec.device)
        try:
            with np.load(path) as file:  # no pickle is loaded: that is numpy's default
                pictures, times_s = file["pictures"], np.asarray(file["times_s"], np.float64)
        except (OSError, KeyError, ValueError) as error:
            raise CameraError(self._spec.name, f"{path} is no recording: {error}") from error
        if pictures.ndim != 4 or times_s.shape != pictures.shape[:1] or not len(times_s):
            raise CameraError(
                self._spec.name,
                f"{path} has pictures {pictures.shape} and times {times_s.shape}.",
            )
        if not (np.isfinite(times_s).all() and (np.diff(times_s) > 0).all()):
            raise CameraError(self._spec.name, f"the times in {path} do not grow.")
        self._pictures = [fitted(picture, self._spec) for picture in pictures]
        self._times_s = times_s - times_s[0] + self._now()

    def read(self) -> Frame:
        """See ``CameraSource``.

        Raises:
            CameraError: If it is not open.
        """
        if not self._pictures:
            raise CameraError(self._spec.name, "it is not open.")
        index = max(0, int(np.searchsorted(self._times_s, self._now(), side="right")) - 1)
        return Frame(
            picture=self._pictures[index].copy(),
            time_s=float(self._times_s[index]),
            sequence=index,
        )

    def close(self) -> None:
        """See ``CameraSource``."""
        self._pictures = []


def save_recording(path: Path, pictures: NDArray[np.uint8], times_s: NDArray[np.float64]) -> None:
    """Writes what ``RecordedCamera`` plays: shapes (T, H, W, 3) and (T,)."""
    np.savez_compressed(path, pictures=pictures, times_s=times_s)
