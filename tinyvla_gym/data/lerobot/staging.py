"""Staged episodes: one shard per episode, there whole or not at all, until they are merged."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tinyvla_gym.data.atomic import writing, written_whole
from tinyvla_gym.data.episode import Episode
from tinyvla_gym.data.lerobot import schema
from tinyvla_gym.data.lerobot.coding import Coding
from tinyvla_gym.data.lerobot.columns import picture_column, vector_column
from tinyvla_gym.data.lerobot.damage import reading
from tinyvla_gym.data.lerobot.mp4 import frame_checksums, write_mp4
from tinyvla_gym.data.lerobot.part import Footage, Note
from tinyvla_gym.data.statistics import PixelCounts, Statistics, count_pixels, describe_pixels
from tinyvla_gym.interface import Interface

_NOTE, _PIXELS, _FILMS = b"tinyvla_gym.note", b"tinyvla_gym.pixels", b"tinyvla_gym.films"


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One staged episode, a ``Part``.

    Attributes:
        path: Its parquet file; the films lie beside it.
        note: What it says of its episode.
    """

    path: Path
    note: Note

    @property
    def size_bytes(self) -> int:
        """Size of the parquet file."""
        with reading(self.path):
            return self.path.stat().st_size

    def pixels(self, camera: str) -> PixelCounts:
        """How often each brightness occurs in a camera's pictures."""
        with reading(self.path):
            counted = json.loads(pq.read_schema(self.path).metadata[_PIXELS])[camera]
            counts = np.array(counted["counts"], np.int64)
            return PixelCounts(counts=counts, frames=counted["frames"])

    def pictures(self, camera: str) -> Statistics:
        """The statistics of a camera's pictures."""
        return describe_pixels(self.pixels(camera))

    def film(self, camera: str) -> Footage:
        """The film of a camera that is kept as film."""
        path = _film(self.path, camera)
        with reading(path):
            size_bytes = path.stat().st_size
        return Footage(
            path=path,
            start_s=0.0,
            frames=self.note.length,
            size_bytes=size_bytes,
            checksums=tuple(self._checksums.get(camera, ())),
        )

    @property
    def films(self) -> list[Footage]:
        """All its films."""
        return [self.film(camera) for camera in self._checksums]

    @property
    def _checksums(self) -> dict[str, list[int]]:
        """Camera to CRC-32 of each of its frames; not kept in memory."""
        with reading(self.path):
            return json.loads(pq.read_schema(self.path).metadata.get(_FILMS, b"{}"))

    def frames(self) -> pa.Table:
        """Reads the columns of ``staged_schema``."""
        with (
            reading(self.path),
            pq.ParquetFile(self.path, page_checksum_verification=True) as file,
        ):
            table = file.read()
            if len(table) != self.note.length:
                raise ValueError(f"it has {len(table)} of {self.note.length} frames")
            return table


def stage(path: Path, episode: Episode, interface: Interface, coding: Coding) -> Shard:
    """Writes one episode; the parquet file comes last and commits it.

    Raises:
        OutputError: If it cannot be written; the episode does not count then.
    """
    checksums: dict[str, tuple[int, ...]] = {}
    for camera in interface.cameras:
        if not coding.is_lossless(camera):
            with written_whole(_film(path, camera.name)) as partial:
                images = episode.images[camera.name]
                write_mp4(partial, images, schema.frames_per_second(interface), coding)
            checksums[camera.name] = frame_checksums(_film(path, camera.name))
    note = Note(
        length=len(episode),
        instruction=episode.instruction,
        seed=episode.seed,
        task=episode.task,
        source=episode.source,
        success=episode.succeeded,
    )
    remarks = {
        _NOTE: json.dumps(asdict(note)),
        _PIXELS: _pixels(episode),
        _FILMS: json.dumps(checksums),
    }
    table = _table(episode, interface, coding).replace_schema_metadata(remarks)
    with written_whole(path) as partial:
        pq.write_table(table, partial, write_page_checksum=True)
    return Shard(path=path, note=note)


def shard_path(folder: Path, number: int) -> Path:
    """Where a staged episode of a dataset lies."""
    return folder / schema.STAGING / f"{number:06d}.parquet"


def shard_number(shard: Path) -> int:
    """The number of a staged episode."""
    return int(shard.stem)


def staged(folder: Path, first: int = 0) -> list[Path]:
    """The staged episodes of a dataset, in order, from a number on."""
    paths = sorted((folder / schema.STAGING).glob("*.parquet"), key=shard_number)
    return [path for path in paths if shard_number(path) >= first]


def sweep(folder: Path) -> None:
    """Removes what an interrupted ``stage`` left behind.

    Raises:
        OutputError: If it cannot be removed.
    """
    staging = folder / schema.STAGING
    with writing(staging):
        staging.mkdir(exist_ok=True)
        for leftover in staging.glob(".*.partial"):
            leftover.unlink()
        for film in staging.glob("*.mp4"):
            if not (staging / f"{film.name.split('.')[0]}.parquet").exists():
                film.unlink()


def read_shard(path: Path) -> Shard:
    """Reads what a shard says of its episode, not the frames.

    Raises:
        DatasetError: If it is damaged.
    """
    with reading(path):
        return Shard(path=path, note=Note(**json.loads(pq.read_schema(path).metadata[_NOTE])))


def _film(shard: Path, camera: str) -> Path:
    return shard.with_name(f"{shard.stem}.{camera}.mp4")


def _pixels(episode: Episode) -> str:
    counted = {camera: count_pixels(images) for camera, images in episode.images.items()}
    return json.dumps(
        {
            camera: {"counts": one.counts.tolist(), "frames": one.frames}
            for camera, one in counted.items()
        }
    )


def _table(episode: Episode, interface: Interface, coding: Coding) -> pa.Table:
    frame = np.arange(len(episode), dtype=np.int64)
    columns: dict[str, Any] = {
        "next.reward": episode.reward,
        "next.success": episode.success,
        "next.done": frame == len(episode) - 1,
        "timestamp": (frame / schema.frames_per_second(interface)).astype(np.float32),
        "frame_index": frame,
    }
    for name, field in schema.VECTORS.items():
        columns[name] = vector_column(getattr(episode, field))
    for camera in filter(coding.is_lossless, interface.cameras):
        columns[schema.image_key(camera.name)] = picture_column(episode.images[camera.name])
    wanted = schema.staged_schema(interface, coding)
    return pa.table([columns[name] for name in wanted.names], schema=wanted)
