"""LeRobotDataset v2.0 and v2.1 as they lie on the disk: a parquet file and films per episode."""

import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tinyvla_gym.data.lerobot import schema
from tinyvla_gym.data.lerobot.columns import numbers, pictures
from tinyvla_gym.data.lerobot.damage import damaged, read_json, reading
from tinyvla_gym.data.lerobot.mp4 import read_mp4
from tinyvla_gym.data.lerobot.tasks import read_tasks
from tinyvla_gym.errors import DatasetError

VERSIONS = ("v2.0", "v2.1")
_DATA_PATH = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"
_VIDEO_PATH = "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"


class Version2:
    """The files of one dataset; what it offers is what ``Version3`` offers to an import.

    Attributes:
        folder: Where the dataset lies.
        fps: Frames per second.
        features: Column name to dtype, shape and names.
        lengths: Frames of each episode, int64, shape (E,).
    """

    def __init__(self, folder: Path) -> None:
        """Reads the lists of episodes and sentences, and nothing that grows with the frames.

        Raises:
            DatasetError: If a file is missing, damaged, or of another version.
        """
        self.folder = folder
        info = read_json(folder / schema.INFO)
        if info.get("codebase_version") not in VERSIONS:
            raise DatasetError(
                folder,
                f"it follows LeRobot {info.get('codebase_version')}, and {' or '.join(VERSIONS)} "
                "is wanted.",
            )
        with reading(folder / schema.INFO):
            self.fps = int(info["fps"])
            self.features: dict[str, dict[str, Any]] = info["features"]
            self._chunk_episodes = int(info.get("chunks_size", 1000))
            self._data_path = info.get("data_path") or _DATA_PATH
            self._video_path = info.get("video_path") or _VIDEO_PATH
        path = folder / "meta/episodes.jsonl"
        with reading(path):
            rows = sorted(_lines(path), key=lambda row: row["episode_index"])
            self._rows = rows
            self.lengths = np.array([row["length"] for row in rows], np.int64)
        if len(rows) != info.get("total_episodes", len(rows)):
            problem = f"it lists {len(rows)} episodes, and info.json {info['total_episodes']}"
            raise damaged(path, problem)

    def __len__(self) -> int:
        """Episodes."""
        return len(self._rows)

    def table(self, index: int, columns: list[str] | None = None) -> pa.Table:
        """Reads the frames of one episode, in order; see ``Version3.table``."""
        path = self._place(self._data_path, index)
        with reading(path):
            names = columns and [*dict.fromkeys([*columns, "frame_index"])]
            table = pq.read_table(path, columns=names).sort_by("frame_index")
            if len(table) != self.lengths[index]:
                raise ValueError(f"it has {len(table)} of {self.lengths[index]} frames")
            return table

    def pictures(self, index: int, key: str, table: pa.Table) -> NDArray[np.uint8]:
        """Reads the pictures of one episode, RGB, shape (T, H, W, 3)."""
        if self.features[key]["dtype"] != "video":
            with reading(self._place(self._data_path, index)):
                return pictures(table[key])
        path = self._place(self._video_path, index, video_key=key)
        with reading(path):
            return read_mp4(path, start_s=0.0, frames=len(table), fps=self.fps)

    def is_film(self, key: str) -> bool:
        """Whether a column is kept as film."""
        return self.features[key]["dtype"] == "video"

    def sentence(self, index: int) -> str:
        """What an episode was told to do; empty if nobody wrote it down."""
        row = self._rows[index]
        if row.get("tasks"):
            return row["tasks"][0]
        if not self._sentences or "task_index" not in self.features:
            return ""
        return self._sentences.get(int(numbers(self.table(index)["task_index"])[0, 0]), "")

    @cached_property
    def _sentences(self) -> dict[int, str]:
        return read_tasks(self.folder)

    def _place(self, template: str, index: int, **facts: str) -> Path:
        number = self._rows[index]["episode_index"]
        chunk = number // self._chunk_episodes
        return self.folder / template.format(episode_index=number, episode_chunk=chunk, **facts)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the objects of a file with one JSON object per line."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            yield json.loads(line)
