"""Pictures as video at an exact, constant frame rate.

The codec is H.264 unless asked otherwise, rather than LeRobot's default AV1: every player and
browser shows it.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any
from zlib import crc32

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from tinyvla_gym.data.lerobot.coding import ENCODERS, Coding
from tinyvla_gym.data.lerobot.damage import reading
from tinyvla_gym.data.lerobot.part import Footage

PIXEL_FORMAT = "yuv420p"
_PRESETS = {  # without frames that need later ones: packets then lie in the order of their times
    "h264": {"preset": "veryfast", "bf": "0", "threads": "1"},
    "av1": {"preset": "10", "svtav1-params": "pred-struct=1:lp=1"},
}

os.environ.setdefault("SVT_LOG", "1")  # the AV1 encoder talks to the terminal otherwise


def write_mp4(path: Path, images: NDArray[np.uint8], fps: int, coding: Coding) -> None:
    """Encodes one episode, shape (T, H, W, 3), H and W even.

    Raises:
        OSError: If the file cannot be written.
    """
    options = {"crf": str(coding.crf), "g": str(coding.key_every), **_PRESETS[coding.codec]}
    with av.open(str(path), "w", format="mp4") as film:
        encoder: Any = film.add_stream(ENCODERS[coding.codec], rate=fps, options=options)
        encoder.height, encoder.width = images.shape[1:3]
        encoder.pix_fmt = PIXEL_FORMAT
        for image in images:
            film.mux(encoder.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        film.mux(encoder.encode())


def read_mp4(
    path: Path,
    *,
    start_s: float,
    frames: int,
    fps: int,
    checksums: Mapping[int, int] | None = None,
) -> NDArray[np.uint8]:
    """Decodes part of a film.

    Args:
        path: The film.
        start_s: When the first wanted frame is shown.
        frames: How many to read, T.
        fps: The film's rate.
        checksums: Number of a frame in the film to its CRC-32; see ``frame_checksums``.

    Returns:
        Pictures, shape (T, H, W, 3).

    Raises:
        ValueError: If the film ends too early, or a frame is not where or what it should be.
    """
    tolerance_s = 0.5 / fps
    images: list[NDArray[np.uint8]] = []
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        film.seek(int(start_s / (stream.time_base or 1)), stream=stream)
        for frame in _decoded(film.demux(stream), fps, checksums or {}):
            wanted_s = start_s + len(images) / fps
            if len(images) == frames or frame.time is None or frame.time > wanted_s + tolerance_s:
                break
            if frame.time > wanted_s - tolerance_s:
                images.append(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))
    if len(images) < frames:
        raise ValueError(f"from {start_s:.3f} s on it has {len(images)} of {frames} frames")
    return np.stack(images)


def _decoded(packets: Iterable[Any], fps: int, checksums: Mapping[int, int]) -> Iterator[Any]:
    for packet in packets:
        number = -1 if packet.pts is None else round(packet.pts * packet.time_base * fps)
        if number in checksums and crc32(bytes(packet)) != checksums[number]:
            raise ValueError(f"frame {number} is not what was recorded")
        yield from packet.decode()


def frame_checksums(path: Path) -> tuple[int, ...]:
    """CRC-32 of every frame of a film as it is coded, in order; a copied frame keeps its own.

    Raises:
        DatasetError: If it is damaged.
    """
    with reading(path), av.open(str(path)) as film:
        packets = film.demux(film.streams.video[0])
        return tuple(crc32(bytes(packet)) for packet in packets if packet.pts is not None)


def check_mp4(film: Footage) -> None:
    """Makes sure that a film of one episode is whole, without decoding it.

    Raises:
        DatasetError: If it is not.
    """
    found = frame_checksums(film.path)
    with reading(film.path):
        if len(found) != film.frames:
            raise ValueError(f"it has {len(found)} of {film.frames} frames")
        if film.checksums and found != film.checksums:
            raise ValueError("it holds frames that were not recorded")


def join_mp4(target: Path, parts: Iterable[Footage], fps: int) -> None:
    """Puts films, or parts of films, behind one another without encoding them again.

    Args:
        target: The film to write.
        parts: Of equal size, rate and codec; each begins with a key frame.
        fps: Their rate.

    Raises:
        DatasetError: If a part is damaged, or coded otherwise than the first.
        OSError: If the film cannot be written.
    """
    past_s = Fraction(0)
    with av.open(str(target), "w", format="mp4", options={"movflags": "faststart"}) as film:
        stream: VideoStream | None = None
        for part in parts:
            for packet in _packets(part, fps, stream):
                stream = stream or film.add_stream_from_template(packet.stream, opaque=True)
                packet.pts = packet.dts = packet.pts + round(past_s / packet.time_base)
                packet.stream = stream
                film.mux(packet)
            past_s += Fraction(part.frames, fps)


def _packets(part: Footage, fps: int, like: VideoStream | None) -> Iterator[Any]:
    """Yields a part's packets, their times counted from its start."""
    with reading(part.path), av.open(str(part.path)) as film:
        stream = film.streams.video[0]
        if like and like.codec_context.extradata != stream.codec_context.extradata:
            raise ValueError("it is coded otherwise than the films before it")
        time_base = stream.time_base or Fraction(1)
        start, spacing = round(part.start_s / time_base), 1 / (fps * time_base)
        film.seek(start, stream=stream)
        found = 0
        for packet in film.demux(stream):
            place = None if packet.pts is None else round((packet.pts - start) / spacing)
            if place is None or not 0 <= place < part.frames:  # None marks the end
                if place is not None and place < 0:
                    continue
                break
            if found == 0 and not packet.is_keyframe:
                raise ValueError(f"at {part.start_s:.3f} s it has no key frame")
            if part.checksums and crc32(bytes(packet)) != part.checksums[place]:
                raise ValueError(f"frame {place} of an episode is not what was recorded")
            packet.pts = (packet.pts or 0) - start
            found += 1
            yield packet
        if found != part.frames:
            raise ValueError(f"from {part.start_s:.3f} s on it has {found} of {part.frames} frames")
