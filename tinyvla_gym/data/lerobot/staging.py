"""Staged episodes: one shard per episode, there whole or not at all, until they are merged."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tinyvla_gym.data.atomic import written_whole
from tinyvla_gym.data.episode import Episode
from tinyvla_gym.data.lerobot import schema
from tinyvla_gym.data.lerobot.columns import picture_column, vector_column
from tinyvla_gym.data.lerobot.damage import reading
from tinyvla_gym.data.lerobot.mp4 import write_mp4
from tinyvla_gym.data.statistics import PixelCounts, count_pixels
from tinyvla_gym.interface import Interface

_NOTE, _PIXELS = b"tinyvla_gym.note", b"tinyvla_gym.pixels"


@dataclass(frozen=True, kw_only=True)
class Note:
    """What a shard says of its episode besides the frames; see ``Episode``."""

    length: int
    instruction: str
    seed: int
    task: str
    source: str
    success: bool


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One staged episode.

    Attributes:
        path: Its parquet file; the films lie beside it.
        note: What it says of its episode.
    """

    path: Path
    note: Note

    def pixels(self) -> dict[str, PixelCounts]:
        """Camera name to how often each brightness occurs."""
        with reading(self.path):
            counted = json.loads(pq.read_schema(self.path).metadata[_PIXELS])
            return {
                camera: PixelCounts(counts=np.array(one["counts"], np.int64), frames=one["frames"])
                for camera, one in counted.items()
            }

    def film(self, camera: str) -> Path:
        """The film of a camera that is kept as video."""
        return _film(self.path, camera)

    def frames(self) -> pa.Table:
        """Reads the columns of ``staged_schema``."""
        with reading(self.path), pq.ParquetFile(self.path) as file:
            return file.read()


def stage(path: Path, episode: Episode, interface: Interface) -> Shard:
    """Writes one episode; the parquet file comes last and commits it.

    Raises:
        OutputError: If it cannot be written; the episode does not count then.
    """
    for camera in interface.cameras:
        if not schema.is_lossless(camera):
            with written_whole(_film(path, camera.name)) as partial:
                images = episode.images[camera.name]
                write_mp4(partial, images, schema.frames_per_second(interface))
    note = Note(
        length=len(episode),
        instruction=episode.instruction,
        seed=episode.seed,
        task=episode.task,
        source=episode.source,
        success=episode.succeeded,
    )
    remarks = {_NOTE: json.dumps(asdict(note)), _PIXELS: _pixels(episode)}
    with written_whole(path) as partial:
        pq.write_table(_table(episode, interface).replace_schema_metadata(remarks), partial)
    return Shard(path=path, note=note)


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


def _table(episode: Episode, interface: Interface) -> pa.Table:
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
    for camera in filter(schema.is_lossless, interface.cameras):
        columns[schema.image_key(camera.name)] = picture_column(episode.images[camera.name])
    wanted = schema.staged_schema(interface)
    return pa.table([columns[name] for name in wanted.names], schema=wanted)
