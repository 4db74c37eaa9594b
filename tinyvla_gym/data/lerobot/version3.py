"""LeRobotDataset v3.0 as it lies on the disk, whoever wrote it: which file holds what."""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tinyvla_gym.data.lerobot import schema
from tinyvla_gym.data.lerobot.columns import numbers, pictures
from tinyvla_gym.data.lerobot.damage import damaged, read_json, reading
from tinyvla_gym.data.lerobot.mp4 import read_mp4
from tinyvla_gym.data.lerobot.part import Footage
from tinyvla_gym.data.lerobot.tasks import read_tasks
from tinyvla_gym.errors import DatasetError

_CHECKED = ds.ParquetFileFormat(
    default_fragment_scan_options=ds.ParquetFragmentScanOptions(page_checksum_verification=True)
)
_TOLERANCE_S = 1e-4  # LeRobot's own


class Version3:
    """The files of one dataset.

    Attributes:
        folder: Where the dataset lies.
        info: What ``meta/info.json`` says.
        fps: Frames per second.
        features: Column name to dtype, shape and names.
        rows: One row per episode of the episodes table, without the statistics.
        lengths: Frames of each episode, int64, shape (E,).
    """

    def __init__(self, folder: Path) -> None:
        """Reads the episodes table, and nothing that grows with the frames.

        Raises:
            DatasetError: If a file is missing, damaged, or of another version.
        """
        self.folder = folder
        self.info = read_json(folder / schema.INFO)
        self._opened: tuple[Path, pq.ParquetFile] | None = None
        version = self.info.get("codebase_version")
        if version != schema.CODEBASE_VERSION:
            raise DatasetError(
                folder,
                f"it follows LeRobot {version}, and {schema.CODEBASE_VERSION} is wanted. "
                "Convert it: tinyvla-gym data import.",
            )
        with reading(folder / schema.INFO):
            self.fps = int(self.info["fps"])
            self.features: dict[str, dict[str, Any]] = self.info["features"]
            self._data_path = self.info.get("data_path") or schema.DATA_PATH
            self._video_path = self.info.get("video_path") or schema.VIDEO_PATH
            self.rows = self._read_rows(self.info["total_episodes"])
        with reading(folder / schema.EPISODES):
            self.lengths = np.array([row["length"] for row in self.rows], np.int64)

    def __len__(self) -> int:
        """Episodes."""
        return len(self.rows)

    def check(self, film_keys: Iterable[str]) -> None:
        """Makes sure that data files have all their rows, and that films are there.

        Raises:
            DatasetError: If not; it names the file.
        """
        for path in {self.data_path(row) for row in self.rows}:
            frames = self._frames_in[path]
            with reading(path):
                found = pq.read_metadata(path).num_rows
                if found != frames:
                    raise ValueError(f"it has {found} of {frames} frames")
        for path in self.films(film_keys):
            with reading(path):
                path.stat()

    def table(self, index: int, columns: list[str] | None = None) -> pa.Table:
        """Reads the frames of one episode, in order.

        Args:
            index: The episode.
            columns: What to read besides ``frame_index`` and ``timestamp``; everything when None.

        Raises:
            DatasetError: If frames are missing, or are not where their rate says.
        """
        row = self.rows[index]
        path = self.data_path(row)
        with reading(path):
            always = ("episode_index", "frame_index", "timestamp")
            names = columns and [*dict.fromkeys([*columns, *always])]
            table = self._rows_of(path, row, names).sort_by("frame_index")
            if len(table) != row["length"]:
                raise ValueError(
                    f"it has {len(table)} of {row['length']} frames of episode {index}"
                )
            due_s = np.arange(len(table)) / self.fps
            if np.abs(numbers(table["timestamp"])[:, 0] - due_s).max() > _TOLERANCE_S:
                raise ValueError(f"episode {index} has frames that are not {self.fps} per second")
            return table

    def _rows_of(self, path: Path, row: Mapping[str, Any], names: list[str] | None) -> pa.Table:
        """An episode's rows of a data file; LeRobot gives each a row group of its own."""
        if self._opened is None or self._opened[0] != path:
            self._opened = (path, pq.ParquetFile(path, page_checksum_verification=True))
        file = self._opened[1]
        group = self._group_of[row["episode_index"]]
        number = row["episode_index"]
        if group < file.num_row_groups and file.metadata.row_group(group).num_rows == row["length"]:
            table = file.read_row_group(group, columns=names)
            if (table["episode_index"].to_numpy() == number).all():
                return table
        own = ds.field("episode_index") == number
        return ds.dataset(path, format=_CHECKED).to_table(columns=names, filter=own)

    def pictures(
        self, index: int, key: str, table: pa.Table, steps: range | None = None
    ) -> NDArray[np.uint8]:
        """Reads the pictures of one episode.

        Args:
            index: The episode.
            key: The column.
            table: What ``table`` returned; only columns of pictures are looked up in it.
            steps: Which frames, without gaps; all of them when None.

        Returns:
            RGB, shape (T, H, W, 3).

        Raises:
            DatasetError: If a picture is damaged.
        """
        steps = range(len(table)) if steps is None else steps
        if not self.is_film(key):
            with reading(self.data_path(self.rows[index])):
                return pictures(table[key].slice(steps.start, len(steps)))
        film = self.film(index, key)
        with reading(film.path):
            return read_mp4(
                film.path,
                start_s=film.start_s + steps.start / self.fps,
                frames=len(steps),
                fps=self.fps,
                checksums=dict(enumerate(film.checksums, round(film.start_s * self.fps))),
            )

    def film(self, index: int, key: str) -> Footage:
        """Where an episode's pictures of one column lie."""
        row = self.rows[index]
        path = self.film_path(key, row)
        with reading(self.folder / schema.EPISODES):
            start_s = row[f"videos/{key}/from_timestamp"]
        with reading(path):
            share_frac = row["length"] / self._frames_in[path]
            size_bytes = round(path.stat().st_size * share_frac)
        column = schema.FRAME_CHECKSUMS.format(video_key=key)
        return Footage(
            path=path,
            start_s=start_s,
            frames=row["length"],
            size_bytes=size_bytes,
            checksums=tuple(self._checksums[index].get(column) or ()),
        )

    def data_share_bytes(self, index: int) -> int:
        """About what an episode takes in its data file."""
        path = self.data_path(self.rows[index])
        with reading(path):
            return round(path.stat().st_size * self.rows[index]["length"] / self._frames_in[path])

    def is_film(self, key: str) -> bool:
        """Whether a column is kept as film."""
        return self.features[key]["dtype"] == "video"

    def sentence(self, index: int) -> str:
        """What an episode was told to do; empty if nobody wrote it down."""
        row = self.rows[index]
        if row.get("tasks"):
            return row["tasks"][0]
        if not self.sentences or "task_index" not in self.features:
            return ""
        return self.sentences[int(numbers(self.table(index, ["task_index"])["task_index"])[0, 0])]

    def codec(self, key: str) -> str | None:
        """The codec of a column's films; None if it is not kept as film."""
        facts = self.features[key].get("info") or {}
        return facts.get("video.codec", "unknown codec") if self.is_film(key) else None

    @cached_property
    def _checksums(self) -> list[dict[str, Any]]:
        """What the episodes table knows of coded frames; datasets of others know nothing."""
        return self._episodes(lambda name: name == "episode_index" or _is_checksums(name))

    @cached_property
    def _group_of(self) -> dict[int, int]:
        """The place of each episode among those of its data file."""
        seen: dict[Path, int] = {}
        places = {}
        for row in self.rows:
            path = self.data_path(row)
            places[row["episode_index"]] = seen.get(path, 0)
            seen[path] = places[row["episode_index"]] + 1
        return places

    @cached_property
    def _frames_in(self) -> dict[Path, int]:
        """How many frames lie in each data file and film."""
        found: dict[Path, int] = {}
        films = [key for key in self.features if self.is_film(key)]
        for row in self.rows:
            for path in (self.data_path(row), *(self.film_path(key, row) for key in films)):
                found[path] = found.get(path, 0) + row["length"]
        return found

    @cached_property
    def sentences(self) -> dict[int, str]:
        """Task index to sentence; empty without ``tasks.parquet``."""
        return read_tasks(self.folder)

    def data_path(self, row: Mapping[str, Any]) -> Path:
        """The data file that holds an episode's frames."""
        place = {"chunk_index": row["data/chunk_index"], "file_index": row["data/file_index"]}
        return self.folder / self._data_path.format(**place)

    def film_path(self, key: str, row: Mapping[str, Any]) -> Path:
        """The film that holds an episode's pictures of one column."""
        with reading(self.folder / schema.EPISODES):
            return self.folder / self._video_path.format(
                video_key=key,
                chunk_index=row[f"videos/{key}/chunk_index"],
                file_index=row[f"videos/{key}/file_index"],
            )

    def films(self, keys: Iterable[str]) -> set[Path]:
        """The films of some columns; columns that are no films have none."""
        chosen = [key for key in keys if self.is_film(key)]
        return {self.film_path(key, row) for row in self.rows for key in chosen}

    def statistics_rows(self, prefix: str) -> list[dict[str, Any]]:
        """Reads the columns of the episodes table with a prefix, and takes it off their names."""
        rows = self._episodes(lambda name: name.startswith(prefix) or name == "episode_index")
        return [
            {name.removeprefix(prefix): value for name, value in row.items() if prefix in name}
            for row in rows
        ]

    def _read_rows(self, wanted: int) -> list[dict[str, Any]]:
        rows = self._episodes(lambda name: not (name.startswith("stats/") or _is_checksums(name)))
        if len(rows) != wanted:
            problem = f"it lists {len(rows)} episodes, and info.json {wanted}"
            raise damaged(self.folder / schema.EPISODES, problem)
        return rows

    def _episodes(self, is_wanted: Callable[[str], bool]) -> list[dict[str, Any]]:
        """Reads columns of the episodes table, in the order of the episodes."""
        paths = sorted((self.folder / schema.EPISODES).glob("*/*.parquet"))
        if not paths:
            path = self.folder / schema.EPISODES_PATH.format(chunk_index=0, file_index=0)
            raise damaged(path, "the file is missing")
        rows: list[dict[str, Any]] = []
        for path in paths:
            with reading(path):
                table = ds.dataset(path, format=_CHECKED)
                names = [name for name in table.schema.names if is_wanted(name)]
                rows += table.to_table(columns=names).to_pylist()
        with reading(self.folder / schema.EPISODES):
            return sorted(rows, key=lambda row: row["episode_index"])


def _is_checksums(column: str) -> bool:
    prefix, suffix = schema.FRAME_CHECKSUMS.split("{video_key}")
    return column.startswith(prefix) and column.endswith(suffix)
