"""Pictures as video at an exact, constant frame rate.

The codec is H.264 rather than LeRobot's default AV1: every player and browser shows it, and its
encoder does not talk to the terminal.
"""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from tinyvla_gym.data.lerobot.damage import reading

CODEC = "h264"
PIXEL_FORMAT = "yuv420p"
_OPTIONS = {  # a key frame every second frame, for random access
    "crf": "18",
    "preset": "veryfast",
    "g": "2",
    "bf": "0",
    "threads": "1",
}


def write_mp4(path: Path, images: NDArray[np.uint8], fps: int) -> None:
    """Encodes one episode, shape (T, H, W, 3), H and W even.

    Raises:
        OSError: If the file cannot be written.
    """
    with av.open(str(path), "w", format="mp4") as film:
        stream = film.add_stream("libx264", rate=fps, options=_OPTIONS)
        stream.height, stream.width = images.shape[1:3]
        stream.pix_fmt = PIXEL_FORMAT
        for image in images:
            film.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        film.mux(stream.encode())


def read_mp4(path: Path, *, start_s: float, frames: int, fps: int) -> NDArray[np.uint8]:
    """Decodes part of a film.

    Args:
        path: The film.
        start_s: When the first wanted frame is shown.
        frames: How many to read, T.
        fps: The film's rate.

    Returns:
        Pictures, shape (T, H, W, 3).

    Raises:
        ValueError: If the film ends too early or a frame is not where it should be.
    """
    tolerance_s = 0.5 / fps
    images: list[NDArray[np.uint8]] = []
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        film.seek(int(start_s / (stream.time_base or 1)), stream=stream)
        for frame in film.decode(stream):
            wanted_s = start_s + len(images) / fps
            if len(images) == frames or frame.time is None or frame.time > wanted_s + tolerance_s:
                break
            if frame.time > wanted_s - tolerance_s:
                images.append(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))
    if len(images) < frames:
        raise ValueError(f"from {start_s:.3f} s on it has {len(images)} of {frames} frames")
    return np.stack(images)


def join_mp4(target: Path, parts: Iterable[tuple[Path, int]], fps: int) -> None:
    """Puts films behind one another without encoding them again.

    Args:
        target: The film to write.
        parts: Films of equal size, rate and codec, each with its number of frames.
        fps: Their rate.

    Raises:
        DatasetError: If a part is damaged.
        OSError: If the film cannot be written.
    """
    past_s = Fraction(0)
    with av.open(str(target), "w", format="mp4", options={"movflags": "faststart"}) as film:
        stream: VideoStream | None = None
        for path, frames in parts:
            for packet in _packets(path):
                stream = stream or film.add_stream_from_template(packet.stream)
                packet.pts = packet.dts = packet.pts + round(past_s / packet.time_base)
                packet.stream = stream
                film.mux(packet)
            past_s += Fraction(frames, fps)


def _packets(path: Path) -> Iterator[Any]:
    with reading(path), av.open(str(path)) as part:
        for packet in part.demux(part.streams.video[0]):
            if packet.pts is not None:  # None marks the end
                yield packet
