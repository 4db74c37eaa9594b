"""Episodes join a finished dataset; at every moment it is whole, with or without them.

New files come under new names, and a folder ``meta.next`` knows of them. Then ``meta`` becomes
``meta.old`` and ``meta.next`` becomes ``meta``. An interruption between the two is mended by
``settle``.
"""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tinyvla_gym.data.atomic import sync, writing
from tinyvla_gym.data.lerobot import schema
from tinyvla_gym.data.lerobot.damage import reading
from tinyvla_gym.data.lerobot.facts import Facts
from tinyvla_gym.data.lerobot.merge import Begun, Progress, join
from tinyvla_gym.data.lerobot.reader import Dataset
from tinyvla_gym.data.lerobot.staging import Shard, shard_number


def join_shards(
    folder: Path, facts: Facts, shards: Sequence[Shard], progress: Progress | None = None
) -> None:
    """Makes staged episodes part of a finished dataset.

    Args:
        folder: The dataset.
        facts: What holds for every episode, old and new.
        shards: The new ones.
        progress: Told (done, total) new episodes.

    Raises:
        OutputError: If the folder cannot be written to, or the disk is full.
        DatasetError: If something is damaged.
    """
    dataset = Dataset(folder)
    remove_orphans(dataset)
    merged = shard_number(shards[-1].path) + 1
    join(folder, replace(facts, merged=merged), _begun(dataset), shards, progress)
    with writing(folder):
        (folder / "meta").rename(folder / schema.OLD_META)
    settle(folder)
    with writing(folder):
        shutil.rmtree(folder / schema.STAGING)


def settle(folder: Path) -> None:
    """Ends an exchange of ``meta`` that was interrupted, one way or the other.

    Raises:
        OutputError: If the folder cannot be written to.
    """
    old, new, meta = (folder / name for name in (schema.OLD_META, schema.NEXT_META, "meta"))
    with writing(folder):
        if old.exists() and not meta.exists():
            new.rename(meta)  # it was complete, or meta would not have been moved
            sync(folder)
        for leftover in (old, new):
            if leftover.exists():
                shutil.rmtree(leftover)


def remove_orphans(dataset: Dataset) -> list[Path]:
    """Removes data files and films that no episode lies in; returns them.

    LeRobot's reader takes every data file it sees for part of the dataset.

    Raises:
        OutputError: If they cannot be removed.
    """
    files = dataset.files
    known = {files.data_path(row) for row in files.rows} | files.films(files.features)
    orphans = [path for path in stored_files(dataset.folder) if path not in known]
    with writing(dataset.folder):
        for path in orphans:
            path.unlink()
    return orphans


def stored_files(folder: Path) -> list[Path]:
    """Every data file and film under a dataset's folder, and what a crash left of one."""
    return sorted(
        path for part in ("data", "videos") for path in (folder / part).rglob("*") if path.is_file()
    )


def _begun(dataset: Dataset) -> Begun:
    files = dataset.files
    places = sorted((dataset.folder / schema.EPISODES).glob("*/*.parquet"))
    with reading(dataset.folder / schema.EPISODES):
        episodes = pa.concat_tables([pq.read_table(place) for place in places])
        sentences = tuple(files.sentences[place] for place in sorted(files.sentences))
        keys = [schema.image_key(camera.name) for camera in dataset.interface.cameras]
        columns = {"data": "data", **{key: f"videos/{key}" for key in keys if files.is_film(key)}}
        last = {
            name: max(
                row[f"{column}/chunk_index"] * schema.CHUNK_FILES + row[f"{column}/file_index"]
                for row in files.rows
            )
            for name, column in columns.items()
        }
    return Begun(
        episodes=episodes.sort_by("episode_index"),
        sentences=sentences,
        pictures={key: dataset.statistics[key] for key in keys},
        data=tuple(dict.fromkeys(files.data_path(row) for row in files.rows)),
        last_files=last,
    )
