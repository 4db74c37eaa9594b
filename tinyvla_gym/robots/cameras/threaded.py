"""A thread per camera that keeps the newest picture and the time at which it was taken."""

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from math import inf

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.robots.camera import CameraError, Frame
from tinyvla_gym.robots.spec import CameraSpec

_LOG = logging.getLogger(__name__)

FIRST_PICTURE_S = 5.0
"""Cameras wake slowly; one that shows nothing by then is not going to."""
_JOIN_S = 2.0


class ThreadedCamera(ABC):
    """A ``CameraSource`` whose device blocks until its next picture.

    A camera that fails while it is read, because somebody pulled its plug, has a picture that is
    infinitely old from then on: rule 18 ends the episode with a ``CameraFault`` at the next look.

    A subclass writes ``_open``, ``_grab`` and ``_close``.
    """

    def __init__(self, spec: CameraSpec, *, now: Callable[[], float] = time.monotonic) -> None:
        """Prepares; nothing is opened before ``open``."""
        self._spec, self._now = spec, now
        self._frame: Frame | None = None
        self._failure: CameraError | None = None
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    @abstractmethod
    def _open(self) -> None:
        """Opens the device; raises ``CameraError`` or ``MissingExtraError``."""

    @abstractmethod
    def _grab(self) -> tuple[NDArray[np.uint8], float]:
        """Waits for the next picture; returns it, RGB, and when it was taken [s].

        Raises ``CameraError`` when the device is gone.
        """

    @abstractmethod
    def _close(self) -> None:
        """Lets go of the device."""

    def open(self) -> None:
        """See ``CameraSource``."""
        self.close()
        self._closing.clear()
        self._frame = self._failure = None
        self._open()
        thread = threading.Thread(target=self._keep_newest, name=self._spec.name, daemon=True)
        self._thread = thread
        thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self._frame or self._failure, FIRST_PICTURE_S)
        if self._frame is None:
            nothing = self._error(f"it showed nothing for {FIRST_PICTURE_S:g} s.")
            failure = self._failure or nothing
            self.close()
            raise failure

    def read(self) -> Frame:
        """See ``CameraSource``.

        Raises:
            CameraError: If it is not open.
        """
        frame = self._frame
        if frame is None:
            raise self._error("it is not open.")
        return frame if self._failure is None else replace(frame, time_s=-inf)

    def close(self) -> None:
        """See ``CameraSource``."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(_JOIN_S)  # before the device goes: libraries crash otherwise
            self._thread = None
            self._close()
        self._frame = None

    def _error(self, problem: str) -> CameraError:
        return CameraError(self._spec.name, problem)

    def _keep_newest(self) -> None:
        sequence = 0
        while not self._closing.is_set():
            try:
                picture, time_s = self._grab()
                frame = Frame(picture=fitted(picture, self._spec), time_s=time_s, sequence=sequence)
            except CameraError as failure:
                if not self._closing.is_set():
                    _LOG.warning("%s", failure)
                with self._changed:
                    self._failure = failure
                    self._changed.notify_all()
                return
            sequence += 1
            with self._changed:
                self._frame = frame
                self._changed.notify_all()


def fitted(picture: NDArray, spec: CameraSpec) -> NDArray[np.uint8]:
    """A picture in the size that the rig's file asks for; whole pixels are averaged.

    Args:
        picture: RGB, uint8, so many times as high and wide as wanted, once or more.
        spec: The camera.

    Raises:
        CameraError: If it is no such picture.
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise CameraError(
            spec.name, f"it gives {picture.dtype} of shape {picture.shape}, not RGB bytes."
        )
    height, width = picture.shape[:2]
    times = height // spec.height
    if times < 1 or (height, width) != (times * spec.height, times * spec.width):
        raise CameraError(
            spec.name,
            f"it gives {width} x {height} px, no multiple of the {spec.width} x {spec.height} px "
            "in the rig's file. Change one of them.",
        )
    if times == 1:
        return picture
    blocks = picture.reshape(spec.height, times, spec.width, times, 3)
    return (blocks.astype(np.uint32).sum(axis=(1, 3)) // times**2).astype(np.uint8)
