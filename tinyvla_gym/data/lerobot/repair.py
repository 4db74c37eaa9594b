"""Recovery: an interrupted recording becomes a dataset, and damage is found and left out."""

import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

from tinyvla_gym.data.atomic import writing
from tinyvla_gym.data.lerobot import schema
from tinyvla_gym.data.lerobot.claim import claimed
from tinyvla_gym.data.lerobot.edit import keep_readable
from tinyvla_gym.data.lerobot.facts import Facts
from tinyvla_gym.data.lerobot.joining import join_shards, remove_orphans, settle
from tinyvla_gym.data.lerobot.merge import Progress, merge
from tinyvla_gym.data.lerobot.mp4 import check_mp4
from tinyvla_gym.data.lerobot.reader import Dataset
from tinyvla_gym.data.lerobot.staging import Shard, read_shard, staged, sweep
from tinyvla_gym.errors import DatasetError

DAMAGED = Path("damaged")
"""Staged episodes that cannot be read are kept here, out of the way."""


@dataclass(kw_only=True)
class Repair:
    """What was found and done.

    Attributes:
        episodes: Episodes in the dataset now.
        merged: Staged episodes that became part of it.
        set_aside: Staged episodes that could not be read, where they lie now.
        orphans: Files that no episode needed, removed.
        unreadable: Finished episodes that cannot be read, and why.
    """

    episodes: int = 0
    merged: int = 0
    set_aside: list[Path] = field(default_factory=list)
    orphans: list[Path] = field(default_factory=list)
    unreadable: dict[int, str] = field(default_factory=dict)


def repair(
    folder: Path | str, *, salvage: Path | str | None = None, progress: Progress | None = None
) -> Repair:
    """Ends what was interrupted, and reads every episode once.

    Args:
        folder: A dataset, or a recording that was never finished.
        salvage: Where to write a new dataset of the readable episodes, if some are not.
        progress: Told (done, total) episodes read.

    Raises:
        DatasetError: If there is nothing to recover.
        OutputError: If the folder cannot be written to, the disk is full, or another process is
            recording into it.
    """
    folder = Path(folder)
    done = Repair()
    if (folder / schema.STAGING).exists():
        with claimed(folder):
            _tidy(folder)
            _finish(folder, done)
    else:
        _tidy(folder)
    dataset = Dataset(folder, check=False)
    done.orphans = remove_orphans(dataset)
    done.episodes = len(dataset)
    for index in range(len(dataset)):
        try:
            dataset.episode(index)
        except DatasetError as problem:
            done.unreadable[index] = str(problem)
        if progress:
            progress(index + 1, len(dataset))
    if done.unreadable and salvage:
        kept = [index for index in range(len(dataset)) if index not in done.unreadable]
        keep_readable(dataset, kept, Path(salvage))
    return done


def _tidy(folder: Path) -> None:
    """Ends an interrupted exchange of ``meta``, and removes files that were never finished."""
    settle(folder)
    for leftover in folder.rglob(".*.partial"):
        with writing(leftover):
            leftover.unlink()


def _finish(folder: Path, done: Repair) -> None:
    """Merges what is staged, whether the recording began a dataset or was to join one."""
    finished = (folder / schema.INFO).exists()
    facts = Facts.load(folder)
    sweep(folder)
    paths = staged(folder, facts.merged if finished else 0)
    shards = [shard for shard in map(_whole_or_none, paths) if shard]
    for path in set(paths) - {shard.path for shard in shards}:
        done.set_aside += _set_aside(folder, path)
    if shards and finished:
        join_shards(folder, facts, shards)
    elif shards:
        facts = replace(facts, merged=int(shards[-1].path.stem) + 1)
        facts.save(folder / "meta")
        merge(folder, facts, shards)
    elif not finished:
        raise DatasetError(folder, "not one episode was recorded in full.")
    with writing(folder):
        shutil.rmtree(folder / schema.STAGING, ignore_errors=True)
    done.merged = len(shards)


def _whole_or_none(path: Path) -> Shard | None:
    try:
        shard = read_shard(path)
        shard.frames()
        for film in shard.films:
            check_mp4(film)
    except DatasetError:
        return None
    return shard


def _set_aside(folder: Path, path: Path) -> list[Path]:
    with writing(folder / DAMAGED):
        (folder / DAMAGED).mkdir(exist_ok=True)
        return [
            one.rename(folder / DAMAGED / one.name) for one in path.parent.glob(f"{path.stem}.*")
        ]
