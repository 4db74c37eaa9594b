"""The merge: staged episodes become one LeRobot dataset."""

import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from itertools import accumulate
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tinyvla_gym.data.atomic import save_json, writing, written_whole
from tinyvla_gym.data.lerobot import schema
from tinyvla_gym.data.lerobot.columns import numbers
from tinyvla_gym.data.lerobot.damage import reading
from tinyvla_gym.data.lerobot.facts import Facts
from tinyvla_gym.data.lerobot.mp4 import join_mp4
from tinyvla_gym.data.lerobot.staging import Shard
from tinyvla_gym.data.statistics import Statistics, describe, describe_pixels
from tinyvla_gym.interface import Camera

Progress = Callable[[int, int], None]
"""Told (done, total) as episodes are dealt with."""

_MEGABYTE = 1024**2


def merge(
    folder: Path, facts: Facts, shards: Sequence[Shard], progress: Progress | None = None
) -> None:
    """Merges shards, in order; ``info.json`` comes last and makes the dataset final.

    Nothing staged is removed before that, so a merge that was interrupted is simply done again.

    Raises:
        OutputError: If the folder cannot be written to, or the disk is full.
        DatasetError: If a shard is damaged.
    """
    for leftover in ("data", "videos", schema.EPISODES):
        shutil.rmtree(folder / leftover, ignore_errors=True)
    merging = _Merge(folder, facts, shards)
    merging.write_frames(progress or (lambda done, total: None))
    for camera in facts.interface.cameras:
        merging.describe_pictures(camera)
        if not schema.is_lossless(camera):
            merging.write_films(camera)
    merging.write_meta()
    with writing(folder):
        shutil.rmtree(folder / schema.STAGING)


class _Merge:
    """A merge under way: the rows of the episodes table fill up column by column."""

    def __init__(self, folder: Path, facts: Facts, shards: Sequence[Shard]) -> None:
        self.folder = folder
        self.facts = facts
        self.shards = shards
        self.fps = schema.frames_per_second(facts.interface)
        self.sentences = list(dict.fromkeys(shard.note.instruction for shard in shards))
        ends = accumulate(shard.note.length for shard in shards)
        self.rows = [
            _first_columns(index, shard, end)
            for index, (shard, end) in enumerate(zip(shards, ends, strict=True))
        ]
        self.statistics: dict[str, Statistics] = {}

    def write_frames(self, progress: Progress) -> None:
        """Writes the data files, one row group per episode."""
        wanted = schema.data_schema(self.facts.interface)
        seen: dict[str, list[NDArray]] = defaultdict(list)
        sizes = [_size_bytes(shard.path) for shard in self.shards]
        for chunk, file, batch in _files(sizes, schema.DATA_FILE_MB * _MEGABYTE):
            path = self.folder / schema.DATA_PATH.format(chunk_index=chunk, file_index=file)
            with written_whole(path) as partial, pq.ParquetWriter(partial, wanted) as writer:
                for index in batch:
                    table = self._numbered(index).select(wanted.names).cast(wanted)
                    writer.write_table(table, row_group_size=len(table))
                    self.rows[index] |= {"data/chunk_index": chunk, "data/file_index": file}
                    self._describe_numbers(index, table, seen)
                    progress(index + 1, len(self.shards))
        self.statistics |= {name: describe(np.concatenate(parts)) for name, parts in seen.items()}

    def describe_pictures(self, camera: Camera) -> None:
        """Adds a camera's statistics, of each episode and of all."""
        key = schema.image_key(camera.name)
        pixels = [shard.pixels()[camera.name] for shard in self.shards]
        for row, one in zip(self.rows, pixels, strict=True):
            row |= _statistics_columns(key, describe_pixels(one))
        self.statistics[key] = describe_pixels(reduce(add, pixels))

    def write_films(self, camera: Camera) -> None:
        """Joins a camera's films, and notes where each episode lies."""
        key = schema.image_key(camera.name)
        films = [shard.film(camera.name) for shard in self.shards]
        sizes = [_size_bytes(film) for film in films]
        for chunk, file, batch in _files(sizes, schema.VIDEO_FILE_MB * _MEGABYTE):
            path = self.folder / schema.VIDEO_PATH.format(
                video_key=key, chunk_index=chunk, file_index=file
            )
            with written_whole(path) as partial:
                join_mp4(partial, [(films[i], self.shards[i].note.length) for i in batch], self.fps)
            first = self.rows[batch[0]]["dataset_from_index"]
            for row in (self.rows[index] for index in batch):
                row |= {
                    f"videos/{key}/chunk_index": chunk,
                    f"videos/{key}/file_index": file,
                    f"videos/{key}/from_timestamp": (row["dataset_from_index"] - first) / self.fps,
                    f"videos/{key}/to_timestamp": (row["dataset_to_index"] - first) / self.fps,
                }

    def write_meta(self) -> None:
        """Writes what describes the dataset."""
        place = schema.EPISODES_PATH.format(chunk_index=0, file_index=0)
        with written_whole(self.folder / place) as partial:
            pq.write_table(pa.Table.from_pylist(self.rows), partial)
        with written_whole(self.folder / schema.TASKS) as partial:
            pq.write_table(_task_table(self.sentences), partial)
        statistics = {name: one.to_dict() for name, one in self.statistics.items()}
        save_json(self.folder / schema.STATS, statistics)
        save_json(self.folder / schema.INFO, self._info())

    def _numbered(self, index: int) -> pa.Table:
        """An episode's frames with the columns that only the merge knows."""
        row, shard = self.rows[index], self.shards[index]
        table = shard.frames()
        with reading(shard.path):
            if len(table) != row["length"]:
                raise ValueError(f"it has {len(table)} of {row['length']} frames")
        task = self.sentences.index(shard.note.instruction)
        known = {
            "episode_index": np.full(len(table), index),
            "index": np.arange(row["dataset_from_index"], row["dataset_to_index"]),
            "task_index": np.full(len(table), task),
        }
        for name in schema.GLOBAL_COLUMNS:
            table = table.append_column(name, pa.array(known[name], pa.int64()))
        return table

    def _describe_numbers(
        self, index: int, table: pa.Table, seen: dict[str, list[NDArray]]
    ) -> None:
        """Adds an episode's statistics, and keeps its numbers for those of all."""
        for name in table.column_names:
            if not pa.types.is_struct(table.schema.field(name).type):
                values = numbers(table[name])
                seen[name].append(values)
                self.rows[index] |= _statistics_columns(name, describe(values))

    def _info(self) -> dict[str, Any]:
        interface = self.facts.interface
        films = any(not schema.is_lossless(camera) for camera in interface.cameras)
        return {
            "codebase_version": schema.CODEBASE_VERSION,
            "robot_type": self.facts.robot_type,
            "total_episodes": len(self.rows),
            "total_frames": self.rows[-1]["dataset_to_index"],
            "total_tasks": len(self.sentences),
            "chunks_size": schema.CHUNK_FILES,
            "data_files_size_in_mb": schema.DATA_FILE_MB,
            "video_files_size_in_mb": schema.VIDEO_FILE_MB,
            "fps": self.fps,
            "splits": {"train": f"0:{len(self.rows)}"},
            "data_path": schema.DATA_PATH,
            "video_path": schema.VIDEO_PATH if films else None,
            "features": schema.features(interface),
        }


def _first_columns(index: int, shard: Shard, end: int) -> dict[str, Any]:
    note = shard.note
    return {
        "episode_index": index,
        "tasks": [note.instruction],
        "length": note.length,
        "dataset_from_index": end - note.length,
        "dataset_to_index": end,
        "meta/episodes/chunk_index": 0,
        "meta/episodes/file_index": 0,
        "seed": note.seed,
        "task_name": note.task,
        "source": note.source,
        "success": note.success,
    }


def _statistics_columns(feature: str, statistics: Statistics) -> dict[str, list]:
    return {f"stats/{feature}/{name}": value for name, value in statistics.to_dict().items()}


def _task_table(sentences: Sequence[str]) -> pa.Table:
    """The sentences, with the note by which pandas takes them for the index."""
    columns = {
        "task_index": pa.array(range(len(sentences)), pa.int64()),
        "task": pa.array(sentences, pa.string()),
    }
    types = {"task_index": ("int64", "int64"), "task": ("unicode", "object")}
    note = {
        "index_columns": ["task"],
        "column_indexes": [],
        "columns": [
            {
                "name": name,
                "field_name": name,
                "pandas_type": pandas_type,
                "numpy_type": numpy_type,
                "metadata": None,
            }
            for name, (pandas_type, numpy_type) in types.items()
        ],
        "creator": {"library": "pyarrow", "version": pa.__version__},
        "pandas_version": "2.2.0",
    }
    return pa.table(columns).replace_schema_metadata({"pandas": json.dumps(note)})


def _size_bytes(path: Path) -> int:
    with reading(path):
        return path.stat().st_size


def _files(sizes_bytes: Sequence[int], limit_bytes: int) -> Iterator[tuple[int, int, range]]:
    """Fills files with whole episodes; yields chunk index, file index and the episodes."""
    number, start, filled_bytes = 0, 0, 0
    for index, size_bytes in enumerate(sizes_bytes):
        if index > start and filled_bytes + size_bytes > limit_bytes:
            yield *divmod(number, schema.CHUNK_FILES), range(start, index)
            number, start, filled_bytes = number + 1, index, 0
        filled_bytes += size_bytes
    yield *divmod(number, schema.CHUNK_FILES), range(start, len(sizes_bytes))
