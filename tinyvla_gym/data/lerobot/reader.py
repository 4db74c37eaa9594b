"""The reader: opens a finished dataset, and says which file is at fault if it cannot."""

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tinyvla_gym.data.episode import Episode
from tinyvla_gym.data.lerobot import schema
from tinyvla_gym.data.lerobot.columns import numbers, pictures
from tinyvla_gym.data.lerobot.damage import damaged, read_json, reading
from tinyvla_gym.data.lerobot.facts import Facts
from tinyvla_gym.data.lerobot.mp4 import read_mp4
from tinyvla_gym.data.statistics import Statistics
from tinyvla_gym.errors import DatasetError
from tinyvla_gym.interface import Camera, Interface


class Dataset:
    """Episodes on disk, in the order in which they were recorded.

    Attributes:
        folder: Where the dataset lies.
        interface: What the envs showed and accepted.
        profile: Name of the render profile; empty if there is none.
        profile_hash: Its hash; empty if there is none.
        env_ids: Gymnasium ids of the envs that were recorded, as far as known.
        lengths: Control ticks of each episode, int64, shape (E,).
        instructions: Each episode's sentence.
        tasks: Each episode's task; empty if it has none.
        seeds: Each episode's seed.
        sources: Who chose each episode's actions.
        successes: Whether each episode solved its task.
    """

    def __init__(self, folder: Path | str) -> None:
        """Opens a dataset and checks that its files are all there and whole.

        Raises:
            DatasetError: If the folder holds no finished dataset of this package, or a file is
                missing or cut short.
        """
        self.folder = Path(folder)
        _refuse_unfinished(self.folder)
        info = read_json(self.folder / schema.INFO)
        if info.get("codebase_version") != schema.CODEBASE_VERSION:
            raise DatasetError(
                self.folder,
                f"it follows LeRobot {info.get('codebase_version')}, and {schema.CODEBASE_VERSION} "
                "is wanted. Convert it with LeRobot's own script.",
            )
        facts = Facts.load(self.folder)
        self.interface: Interface = facts.interface
        self.profile = facts.profile
        self.profile_hash = facts.profile_hash
        self.env_ids = facts.env_ids
        with reading(self.folder / schema.INFO):
            self._kinds = {name: one["dtype"] for name, one in info["features"].items()}
            self._rows = self._read_rows(info["total_episodes"])
        with reading(self.folder / schema.EPISODES):
            self.lengths = np.array([row["length"] for row in self._rows], np.int64)
            self.instructions: tuple[str, ...] = tuple(row["tasks"][0] for row in self._rows)
            self.tasks: tuple[str, ...] = tuple(row["task_name"] for row in self._rows)
            self.seeds: tuple[int, ...] = tuple(row["seed"] for row in self._rows)
            self.sources: tuple[str, ...] = tuple(row["source"] for row in self._rows)
            self.successes: tuple[bool, ...] = tuple(row["success"] for row in self._rows)
            self._check_files()

    def __len__(self) -> int:
        """Episodes."""
        return len(self._rows)

    @property
    def frames(self) -> int:
        """Control ticks of all episodes together."""
        return int(self.lengths.sum())

    def episode(self, index: int) -> Episode:
        """Reads one episode.

        Args:
            index: Which one; negative counts from the end.

        Raises:
            IndexError: If there is no such episode.
            DatasetError: If it is damaged.
        """
        index = range(len(self))[index]
        row = self._rows[index]
        path = self._data_path(row)
        with reading(path):
            own = pc.field("episode_index") == index
            table = ds.dataset(path).to_table(filter=own).sort_by("frame_index")
            if len(table) != row["length"]:
                raise ValueError(
                    f"it has {len(table)} of {row['length']} frames of episode {index}"
                )
            vectors = {field: numbers(table[name]) for name, field in schema.VECTORS.items()}
            return Episode(
                images={one.name: self._images(one, row, table) for one in self.interface.cameras},
                **vectors,
                reward=numbers(table["next.reward"])[:, 0],
                success=numbers(table["next.success"])[:, 0],
                instruction=self.instructions[index],
                seed=self.seeds[index],
                task=self.tasks[index],
                source=self.sources[index],
            )

    @cached_property
    def statistics(self) -> dict[str, Statistics]:
        """Statistics of every feature over all frames; names are LeRobot's."""
        path = self.folder / schema.STATS
        stored = read_json(path)
        with reading(path):
            return {name: Statistics.from_dict(one) for name, one in stored.items()}

    def fingerprint(self) -> str:
        """Hexadecimal digits that change with the content, and not with the place or time.

        The statistics of every episode take part, so changed numbers change it, too.
        """
        digest = hashlib.sha256()
        for path in sorted((self.folder / "meta").rglob("*")):
            if path.is_file():
                digest.update(path.relative_to(self.folder).as_posix().encode())
                digest.update(path.read_bytes())
        for path in sorted(self._files()):
            name = path.relative_to(self.folder).as_posix()
            digest.update(f"{name} {path.stat().st_size}".encode())
        return digest.hexdigest()

    def _read_rows(self, wanted: int) -> list[dict[str, Any]]:
        """Reads the episodes table, without the statistics."""
        paths = sorted((self.folder / schema.EPISODES).glob("*/*.parquet"))
        if not paths:
            path = self.folder / schema.EPISODES_PATH.format(chunk_index=0, file_index=0)
            raise damaged(path, "the file is missing")
        rows: list[dict[str, Any]] = []
        for path in paths:
            with reading(path):
                table = ds.dataset(path)
                names = [name for name in table.schema.names if not name.startswith("stats/")]
                rows += table.to_table(columns=names).to_pylist()
        if len(rows) != wanted:
            problem = f"it lists {len(rows)} episodes, and info.json {wanted}"
            raise damaged(self.folder / schema.EPISODES, problem)
        with reading(self.folder / schema.EPISODES):
            return sorted(rows, key=lambda row: row["episode_index"])

    def _check_files(self) -> None:
        wanted: dict[Path, int] = {}
        for row in self._rows:
            path = self._data_path(row)
            wanted[path] = wanted.get(path, 0) + row["length"]
        for path, frames in wanted.items():
            with reading(path):
                found = pq.read_metadata(path).num_rows
                if found != frames:
                    raise ValueError(f"it has {found} of {frames} frames")
        for path in self._files() - set(wanted):
            with reading(path):
                path.stat()

    def _files(self) -> set[Path]:
        """Data files and films."""
        films = [one for one in self.interface.cameras if self._is_film(one)]
        return {self._data_path(row) for row in self._rows} | {
            self._film_path(camera, row) for row in self._rows for camera in films
        }

    def _is_film(self, camera: Camera) -> bool:
        return self._kinds[schema.image_key(camera.name)] == "video"

    def _data_path(self, row: Mapping[str, Any]) -> Path:
        place = {"chunk_index": row["data/chunk_index"], "file_index": row["data/file_index"]}
        return self.folder / schema.DATA_PATH.format(**place)

    def _film_path(self, camera: Camera, row: Mapping[str, Any]) -> Path:
        key = schema.image_key(camera.name)
        return self.folder / schema.VIDEO_PATH.format(
            video_key=key,
            chunk_index=row[f"videos/{key}/chunk_index"],
            file_index=row[f"videos/{key}/file_index"],
        )

    def _images(self, camera: Camera, row: Mapping[str, Any], table: pa.Table) -> NDArray[np.uint8]:
        key = schema.image_key(camera.name)
        if not self._is_film(camera):
            return pictures(table[key])
        path = self._film_path(camera, row)
        with reading(path):
            return read_mp4(
                path,
                start_s=row[f"videos/{key}/from_timestamp"],
                frames=row["length"],
                fps=schema.frames_per_second(self.interface),
            )


def _refuse_unfinished(folder: Path) -> None:
    if not folder.is_dir():
        raise DatasetError(folder, "there is no such folder.")
    if (folder / schema.INFO).exists():
        return
    staged = len(list((folder / schema.STAGING).glob("*.parquet")))
    if staged:
        raise DatasetError(
            folder,
            f"its recording was never finished; {staged} episodes are staged. Open it with "
            "DatasetWriter(..., resume=True) and call finalize().",
        )
    raise DatasetError(folder, f"{schema.INFO} is missing, so it is not a LeRobot dataset.")
