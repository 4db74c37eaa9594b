"""The merge: episodes, staged or of other datasets, become one LeRobot dataset, or join one."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import accumulate
from operator import add
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tinyvla_gym.data.atomic import writing, written_whole
from tinyvla_gym.data.lerobot import schema
from tinyvla_gym.data.lerobot.columns import numbers
from tinyvla_gym.data.lerobot.damage import reading
from tinyvla_gym.data.lerobot.facts import Facts
from tinyvla_gym.data.lerobot.meta import episode_row, statistics_columns, write_meta
from tinyvla_gym.data.lerobot.mp4 import join_mp4
from tinyvla_gym.data.lerobot.part import Part
from tinyvla_gym.data.statistics import Statistics, combine, describe, describe_pixels
from tinyvla_gym.interface import Camera

Progress = Callable[[int, int], None]
"""Told (done, total) as episodes are dealt with."""

_MEGABYTE = 1024**2


@dataclass(frozen=True, kw_only=True)
class Begun:
    """What a dataset holds already when episodes join it; by default nothing.

    Attributes:
        episodes: Its episodes table; None if it has no episode.
        sentences: Its sentences, in the order of their task index.
        pictures: The statistics of each camera's pictures.
        data: Its data files.
        last_files: The number of the last data file (``data``) and of each column's last film;
            -1 if there is none.
    """

    episodes: pa.Table | None = None
    sentences: tuple[str, ...] = ()
    pictures: dict[str, Statistics] = field(default_factory=dict)
    data: tuple[Path, ...] = ()
    last_files: dict[str, int] = field(default_factory=dict)


def merge(
    folder: Path, facts: Facts, parts: Sequence[Part], progress: Progress | None = None
) -> None:
    """Makes a dataset of parts, in order; ``info.json`` comes last and makes it final.

    What is staged stays there, so a merge that was interrupted is simply done again.

    Raises:
        OutputError: If the folder cannot be written to, or the disk is full.
        DatasetError: If a part is damaged.
    """
    for leftover in ("data", "videos", schema.EPISODES):
        shutil.rmtree(folder / leftover, ignore_errors=True)
    merging = _Merge(folder, facts, parts, Begun())
    merging.write(folder / "meta", progress)


def join(
    folder: Path,
    facts: Facts,
    begun: Begun,
    parts: Sequence[Part],
    progress: Progress | None = None,
) -> None:
    """Adds parts to a dataset: further files, and a folder ``meta.next`` that knows of them.

    The dataset is as it was until somebody puts ``meta.next`` in the place of ``meta``.

    Raises:
        OutputError: If the folder cannot be written to, or the disk is full.
        DatasetError: If a part is damaged.
    """
    meta = folder / schema.NEXT_META
    with writing(meta):
        shutil.rmtree(meta, ignore_errors=True)
    facts.save(meta)
    _Merge(folder, facts, parts, begun).write(meta, progress)


class _Merge:
    """A merge under way: the rows of the episodes table fill up column by column."""

    def __init__(self, folder: Path, facts: Facts, parts: Sequence[Part], begun: Begun) -> None:
        self.folder = folder
        self.facts = facts
        self.parts = parts
        self.begun = begun
        self.fps = schema.frames_per_second(facts.interface)
        notes = [part.note for part in parts]
        told = [note.instruction for note in notes]
        known = dict.fromkeys((*begun.sentences, *told))
        self.sentences = {sentence: place for place, sentence in enumerate(known)}
        before = len(begun.episodes) if begun.episodes else 0
        frames = begun.episodes["dataset_to_index"][-1].as_py() if begun.episodes else 0
        starts = accumulate((note.length for note in notes), initial=frames)
        self.rows = [
            episode_row(before + place, note, start)
            for place, (note, start) in enumerate(zip(notes, starts, strict=False))
        ]
        self.data: list[Path] = []

    def write(self, meta: Path, progress: Progress | None) -> None:
        """Writes everything; what describes it comes last."""
        wanted = schema.data_schema(self.facts.interface, self.facts.coding)
        self._write_frames(wanted, progress or (lambda done, total: None))
        statistics = {}
        for camera in self.facts.interface.cameras:
            statistics[schema.image_key(camera.name)] = self._describe_pictures(camera)
            if not self.facts.coding.is_lossless(camera):
                self._write_films(camera)
        statistics |= self._describe_numbers(wanted)
        episodes = pa.Table.from_pylist(self.rows)
        if self.begun.episodes:
            episodes = pa.concat_tables(
                [self.begun.episodes, episodes], promote_options="permissive"
            )
        write_meta(meta, self.facts, episodes, list(self.sentences), statistics)

    def _write_frames(self, wanted: pa.Schema, progress: Progress) -> None:
        """Writes the data files, one row group per episode."""
        sizes = [part.size_bytes for part in self.parts]
        first = self.begun.last_files.get("data", -1) + 1
        for chunk, file, batch in _files(sizes, schema.DATA_FILE_MB * _MEGABYTE, first):
            path = self.folder / schema.DATA_PATH.format(chunk_index=chunk, file_index=file)
            with (
                written_whole(path) as partial,
                pq.ParquetWriter(partial, wanted, write_page_checksum=True) as writer,
            ):
                for place in batch:
                    table = self._numbered(place).select(wanted.names).cast(wanted)
                    writer.write_table(table, row_group_size=len(table))
                    row = self.rows[place]
                    row |= {"data/chunk_index": chunk, "data/file_index": file}
                    for name in _number_columns(wanted):
                        row |= statistics_columns(name, describe(numbers(table[name])))
                    progress(place + 1, len(self.parts))
            self.data.append(path)

    def _numbered(self, place: int) -> pa.Table:
        """An episode's frames with the columns that only the merge knows."""
        row, table = self.rows[place], self.parts[place].frames()
        known = {
            "episode_index": np.full(len(table), row["episode_index"]),
            "index": np.arange(row["dataset_from_index"], row["dataset_to_index"]),
            "task_index": np.full(len(table), self.sentences[row["tasks"][0]]),
        }
        for name in schema.GLOBAL_COLUMNS:
            table = table.append_column(name, pa.array(known[name], pa.int64()))
        return table

    def _write_films(self, camera: Camera) -> None:
        """Joins a camera's films, and notes where each episode lies."""
        key = schema.image_key(camera.name)
        films = [part.film(camera.name) for part in self.parts]
        sizes = [film.size_bytes for film in films]
        first = self.begun.last_files.get(key, -1) + 1
        for chunk, file, batch in _files(sizes, schema.VIDEO_FILE_MB * _MEGABYTE, first):
            path = self.folder / schema.VIDEO_PATH.format(
                video_key=key, chunk_index=chunk, file_index=file
            )
            with written_whole(path) as partial:
                join_mp4(partial, [films[place] for place in batch], self.fps)
            begin = self.rows[batch[0]]["dataset_from_index"]
            for place in batch:
                row = self.rows[place]
                row |= {
                    f"videos/{key}/chunk_index": chunk,
                    f"videos/{key}/file_index": file,
                    f"videos/{key}/from_timestamp": (row["dataset_from_index"] - begin) / self.fps,
                    f"videos/{key}/to_timestamp": (row["dataset_to_index"] - begin) / self.fps,
                }
        if any(film.checksums for film in films):
            for row, film in zip(self.rows, films, strict=True):
                row[schema.FRAME_CHECKSUMS.format(video_key=key)] = film.checksums or None

    def _describe_pictures(self, camera: Camera) -> Statistics:
        """A camera's statistics: of each episode in its row, and of all.

        Exact where the pixels were counted; else as LeRobot adds statistics up.
        """
        key = schema.image_key(camera.name)
        each = [part.pictures(camera.name) for part in self.parts]
        for row, one in zip(self.rows, each, strict=True):
            row |= statistics_columns(key, one)
        counts = [part.pixels(camera.name) for part in self.parts]
        counted = [one for one in counts if one is not None]
        before = [self.begun.pictures[key]] if key in self.begun.pictures else []
        if len(counted) == len(counts) and not before:
            return describe_pixels(reduce(add, counted))
        return combine([*before, *each])

    def _describe_numbers(self, wanted: pa.Schema) -> dict[str, Statistics]:
        """The statistics of all frames, one column in memory at a time."""
        described = {}
        for name in _number_columns(wanted):
            parts = []
            for path in (*self.begun.data, *self.data):
                with reading(path):
                    parts.append(numbers(pq.read_table(path, columns=[name])[name]))
            described[name] = describe(np.concatenate(parts))
        return described


def _number_columns(wanted: pa.Schema) -> list[str]:
    return [one.name for one in wanted if not pa.types.is_struct(one.type)]


def _files(
    sizes_bytes: Sequence[int], limit_bytes: int, number: int
) -> Iterator[tuple[int, int, range]]:
    """Fills files with whole episodes; yields chunk index, file index and the episodes."""
    start, filled_bytes = 0, 0
    for index, size_bytes in enumerate(sizes_bytes):
        if index > start and filled_bytes + size_bytes > limit_bytes:
            yield *divmod(number, schema.CHUNK_FILES), range(start, index)
            number, start, filled_bytes = number + 1, index, 0
        filled_bytes += size_bytes
    yield *divmod(number, schema.CHUNK_FILES), range(start, len(sizes_bytes))
