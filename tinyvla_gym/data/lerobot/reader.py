"""The reader: opens a finished dataset, and says which file is at fault if it cannot."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tinyvla_gym.data.episode import Episode
from tinyvla_gym.data.lerobot import schema
from tinyvla_gym.data.lerobot.columns import numbers
from tinyvla_gym.data.lerobot.damage import read_json, reading
from tinyvla_gym.data.lerobot.facts import Facts
from tinyvla_gym.data.lerobot.version3 import Version3
from tinyvla_gym.data.statistics import Statistics
from tinyvla_gym.errors import DatasetError
from tinyvla_gym.interface import Interface, Observation


@dataclass(frozen=True, kw_only=True, eq=False)
class Tick:
    """One control tick of a recorded episode.

    Attributes:
        timestamp_s: When it was, from the episode's start: exactly step / control rate.
        observation: What was seen before it, as an env shows it.
        action: What training should imitate, float32, shape (A,).
        sent_action: What reached the robot, float32, shape (A,).
        reward: Its reward.
        success: Whether the task was solved in it.
    """

    timestamp_s: float
    observation: Observation
    action: NDArray[np.float32]
    sent_action: NDArray[np.float32]
    reward: float
    success: bool


class Dataset:
    """Episodes on disk, in the order in which they were recorded.

    Attributes:
        folder: Where the dataset lies.
        facts: What holds for every episode.
        files: Which file holds what.
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

    def __init__(self, folder: Path | str, *, check: bool = True) -> None:
        """Opens a dataset and checks that its files are all there and whole.

        Args:
            folder: Where it lies.
            check: Whether to look for data files and films now; if not, an episode whose file
                is missing is found out when it is read.

        Raises:
            DatasetError: If the folder holds no finished dataset of this package, or a file is
                missing or cut short.
        """
        self.folder = Path(folder)
        _refuse_unfinished(self.folder)
        self.files = Version3(self.folder)
        self.facts = Facts.load(self.folder)
        self.interface: Interface = self.facts.interface
        self.profile = self.facts.profile
        self.profile_hash = self.facts.profile_hash
        self.env_ids = self.facts.env_ids
        self.lengths = self.files.lengths
        rows = self.files.rows
        self._tick_table: tuple[int, pa.Table] | None = None
        self._episode_statistics: dict[str, tuple[Statistics, ...]] = {}
        with reading(self.folder / schema.EPISODES):
            self.instructions: tuple[str, ...] = tuple(row["tasks"][0] for row in rows)
            self.tasks: tuple[str, ...] = tuple(row["task_name"] for row in rows)
            self.seeds: tuple[int, ...] = tuple(row["seed"] for row in rows)
            self.sources: tuple[str, ...] = tuple(row["source"] for row in rows)
            self.successes: tuple[bool, ...] = tuple(row["success"] for row in rows)
        if check:
            self.files.check(self._image_keys)

    def __len__(self) -> int:
        """Episodes."""
        return len(self.files)

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
        table = self.frames_of(index)
        images = {
            one.name: self.files.pictures(index, schema.image_key(one.name), table)
            for one in self.interface.cameras
        }
        with reading(self.files.data_path(self.files.rows[index])):
            vectors = {field: numbers(table[name]) for name, field in schema.VECTORS.items()}
            return Episode(
                images=images,
                **vectors,
                reward=numbers(table["next.reward"])[:, 0],
                success=numbers(table["next.success"])[:, 0],
                instruction=self.instructions[index],
                seed=self.seeds[index],
                task=self.tasks[index],
                source=self.sources[index],
            )

    def tick(self, index: int, step: int) -> Tick:
        """Reads one control tick, and decodes no other pictures than its own.

        Args:
            index: Which episode; negative counts from the end.
            step: Which of its ticks; negative counts from the end.

        Raises:
            IndexError: If there is no such episode or tick.
            DatasetError: If it is damaged.
        """
        index = range(len(self))[index]
        step = range(int(self.lengths[index]))[step]
        if self._tick_table is None or self._tick_table[0] != index:
            self._tick_table = (index, self.frames_of(index))  # neighbours are often next
        table = self._tick_table[1]
        pictures = {
            f"image_{one.name}": self.files.pictures(
                index, schema.image_key(one.name), table, range(step, step + 1)
            )[0]
            for one in self.interface.cameras
        }
        with reading(self.files.data_path(self.files.rows[index])):
            row = table.slice(step, 1)
            state = numbers(row["observation.state"])[0]
            return Tick(
                timestamp_s=step / self.files.fps,
                observation={**pictures, "state": state, "instruction": self.instructions[index]},
                action=numbers(row["action"])[0],
                sent_action=numbers(row["sent_action"])[0],
                reward=float(numbers(row["next.reward"])[0, 0]),
                success=bool(numbers(row["next.success"])[0, 0]),
            )

    def frames_of(self, index: int, columns: list[str] | None = None) -> pa.Table:
        """Reads an episode's rows of its data file, which may be that of another dataset.

        Args:
            index: Which one, 0 or more.
            columns: Which columns, those of ``schema.VECTORS`` among them; all when None.

        Raises:
            DatasetError: If it is damaged, or is not what the episodes table describes.
        """
        table = self.files.table(index, columns)
        with reading(self.files.data_path(self.files.rows[index])):
            for name in schema.VECTORS:
                known, found = self.episode_statistics(name)[index], numbers(table[name])
                ends = (found.min(axis=0), known.min), (found.max(axis=0), known.max)
                if not all(np.allclose(one, other, equal_nan=True) for one, other in ends):
                    raise ValueError(f"{name} of episode {index} is not what was recorded")
        return table

    @cached_property
    def statistics(self) -> dict[str, Statistics]:
        """Statistics of every feature over all frames; names are LeRobot's."""
        path = self.folder / schema.STATS
        stored = read_json(path)
        with reading(path):
            return {name: Statistics.from_dict(one) for name, one in stored.items()}

    def episode_statistics(self, feature: str) -> tuple[Statistics, ...]:
        """Statistics of one feature, episode by episode; names are LeRobot's.

        Raises:
            DatasetError: If the episodes table has none of it.
        """
        if feature not in self._episode_statistics:
            prefix = f"stats/{feature}/"
            with reading(self.folder / schema.EPISODES):
                rows = self.files.statistics_rows(prefix)
                self._episode_statistics[feature] = tuple(map(Statistics.from_dict, rows))
        return self._episode_statistics[feature]

    def fingerprint(self) -> str:
        """Hexadecimal digits that change with the content, and not with the place or time.

        The statistics of every episode take part, so changed numbers change it, too.
        """
        digest = hashlib.sha256()
        for path in sorted((self.folder / "meta").rglob("*")):
            if path.is_file():
                digest.update(path.relative_to(self.folder).as_posix().encode())
                digest.update(path.read_bytes())
        data = {self.files.data_path(row) for row in self.files.rows}
        for path in sorted(data | self.files.films(self._image_keys)):
            name = path.relative_to(self.folder).as_posix()
            digest.update(f"{name} {path.stat().st_size}".encode())
        return digest.hexdigest()

    @property
    def _image_keys(self) -> list[str]:
        return [schema.image_key(camera.name) for camera in self.interface.cameras]


def _refuse_unfinished(folder: Path) -> None:
    if not folder.is_dir():
        raise DatasetError(folder, "there is no such folder.")
    if (folder / schema.INFO).exists():
        return
    staged = len(list((folder / schema.STAGING).glob("*.parquet")))
    if staged:
        raise DatasetError(
            folder,
            f"its recording was never finished; {staged} episodes are staged. Go on recording, "
            "or make it a dataset as it is: tinyvla-gym data repair.",
        )
    if (folder / schema.NEXT_META).exists():
        raise DatasetError(
            folder, "new episodes were being added to it. Run: tinyvla-gym data repair."
        )
    raise DatasetError(folder, f"{schema.INFO} is missing, so it is not a LeRobot dataset.")
