"""Datasets out of datasets: merged, split, thinned out, coded anew. The originals stay."""

import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path

import numpy as np

from tinyvla_gym.data.atomic import writing
from tinyvla_gym.data.lerobot.coding import Coding
from tinyvla_gym.data.lerobot.facts import Facts
from tinyvla_gym.data.lerobot.merge import Progress, merge
from tinyvla_gym.data.lerobot.reader import Dataset
from tinyvla_gym.data.lerobot.stored import StoredEpisode
from tinyvla_gym.data.lerobot.writer import DatasetWriter
from tinyvla_gym.errors import ConfigError, DatasetError, OutputError


def merge_datasets(
    folders: Sequence[Path | str], out: Path | str, *, progress: Progress | None = None
) -> Dataset:
    """Puts the episodes of several datasets behind one another; nothing is coded anew.

    Args:
        folders: At least two; interface, render profile and coding must agree.
        out: The new dataset; must not exist yet.
        progress: Told (done, total) episodes.

    Raises:
        DatasetError: If one cannot be read, or does not fit the first.
        OutputError: If ``out`` is in use or cannot be written to.
    """
    datasets = [Dataset(folder) for folder in folders]
    if len(datasets) < 2:
        raise ConfigError(f"Merging needs at least 2 datasets, got {len(datasets)}.")
    facts = datasets[0].facts
    for dataset in datasets[1:]:
        differences = facts.differences(dataset.facts)
        if differences:
            listed = "\n".join(f"  - {difference}" for difference in differences)
            raise DatasetError(dataset.folder, f"it does not fit {datasets[0].folder}:\n{listed}")
        facts = facts.joined(dataset.env_ids)
    chosen = [(dataset, index) for dataset in datasets for index in range(len(dataset))]
    return _copy(chosen, facts, Path(out), progress)


def keep_episodes(
    folder: Path | str,
    episodes: Sequence[int],
    out: Path | str,
    *,
    progress: Progress | None = None,
) -> Dataset:
    """Copies some episodes, in the given order, into a dataset of their own.

    Args:
        folder: The dataset.
        episodes: Which ones.
        out: The new dataset; must not exist yet.
        progress: Told (done, total) episodes.

    Raises:
        ConfigError: If none is kept, or there is no such episode.
        DatasetError: If the dataset cannot be read.
        OutputError: If ``out`` is in use or cannot be written to.
    """
    dataset = Dataset(folder)
    strangers = sorted(set(episodes) - set(range(len(dataset))))
    if strangers:
        raise ConfigError(
            f"{folder} has the episodes 0 to {len(dataset) - 1}, and no {strangers[0]}."
        )
    if not episodes:
        raise ConfigError("No episode would be left.")
    return _copy([(dataset, index) for index in episodes], dataset.facts, Path(out), progress)


def keep_readable(dataset: Dataset, episodes: Sequence[int], out: Path) -> Dataset:
    """Copies some episodes of a dataset of which others are damaged; see ``keep_episodes``."""
    if not episodes:
        raise DatasetError(dataset.folder, "not one of its episodes can be read.")
    return _copy([(dataset, index) for index in episodes], dataset.facts, out, None)


def delete_episodes(
    folder: Path | str,
    episodes: Sequence[int],
    out: Path | str,
    *,
    progress: Progress | None = None,
) -> Dataset:
    """Copies all episodes but some; arguments and errors as in ``keep_episodes``."""
    total = len(Dataset(folder))
    strangers = sorted(set(episodes) - set(range(total)))
    if strangers:
        raise ConfigError(f"{folder} has the episodes 0 to {total - 1}, and no {strangers[0]}.")
    kept = [index for index in range(total) if index not in set(episodes)]
    return keep_episodes(folder, kept, out, progress=progress)


def split_dataset(
    folder: Path | str,
    parts: Mapping[str, float],
    out: Path | str,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Dataset]:
    """Deals the episodes out to several datasets, each task in the same proportions.

    Args:
        folder: The dataset.
        parts: Name of each new dataset, and its share of the episodes; shares add up to 1.
        out: Folder for the new datasets, which are called by their names.
        seed: Decides which episode goes where.
        progress: Told (done, total) episodes of all new datasets together.

    Raises:
        ConfigError: If the shares do not add up to 1, or leave a dataset empty.
        DatasetError: If the dataset cannot be read.
        OutputError: If a new dataset is in use or cannot be written to.
    """
    if not np.isclose(sum(parts.values()), 1.0) or min(parts.values()) <= 0:
        raise ConfigError(f"The shares must be positive and add up to 1, got {dict(parts)}.")
    dealt = _deal(Dataset(folder), parts, np.random.default_rng(seed))
    empty = [name for name, episodes in dealt.items() if not episodes]
    if empty:
        raise ConfigError(f"{', '.join(empty)} would be left without an episode.")
    show = progress or (lambda done, total: None)
    total = sum(map(len, dealt.values()))
    before = dict(zip(dealt, accumulate(map(len, dealt.values()), initial=0), strict=False))

    def told(name: str) -> Progress:
        return lambda done, _: show(before[name] + done, total)

    return {
        name: keep_episodes(folder, sorted(episodes), Path(out) / name, progress=told(name))
        for name, episodes in dealt.items()
    }


def reencode(
    folder: Path | str, coding: Coding, out: Path | str, *, progress: Progress | None = None
) -> Dataset:
    """Copies a dataset with its pictures coded otherwise: another codec or quality, or as PNG.

    What film has lost does not come back.

    Args:
        folder: The dataset.
        coding: How the new one keeps its pictures.
        out: The new dataset; new or empty.
        progress: Told (done, total) episodes.

    Raises:
        DatasetError: If the dataset cannot be read.
        OutputError: If ``out`` is in use or cannot be written to.
    """
    dataset = Dataset(folder)
    facts = dataset.facts
    with DatasetWriter(
        out,
        dataset.interface,
        profile=dataset.profile,
        profile_hash=dataset.profile_hash,
        robot_type=facts.robot_type,
        env_ids=dataset.env_ids,
        coding=coding,
    ) as writer:
        for index in range(len(dataset)):
            writer.add(dataset.episode(index))
            if progress:
                progress(index + 1, len(dataset))
    return Dataset(out)


def _deal(
    dataset: Dataset, parts: Mapping[str, float], rng: np.random.Generator
) -> dict[str, list[int]]:
    """Deals the episodes out task by task; without names, a sentence is a task."""
    by_task: dict[str, list[int]] = defaultdict(list)
    for index, task in enumerate(dataset.tasks):
        by_task[task or dataset.instructions[index]].append(index)
    dealt: dict[str, list[int]] = {name: [] for name in parts}
    shuffled = [index for episodes in by_task.values() for index in rng.permutation(episodes)]
    for given, index in enumerate(shuffled, start=1):
        lacking = {name: share * given - len(dealt[name]) for name, share in parts.items()}
        dealt[max(lacking, key=lambda name: lacking[name])].append(int(index))
    return dealt


def _copy(
    chosen: Sequence[tuple[Dataset, int]], facts: Facts, out: Path, progress: Progress | None
) -> Dataset:
    with _built_whole(out) as work:
        facts.save(work / "meta")
        merge(work, facts, [StoredEpisode(*one) for one in chosen], progress)
    return Dataset(out)


@contextmanager
def _built_whole(out: Path) -> Iterator[Path]:
    """Yields a folder to build in, which becomes ``out`` once the block has ended well."""
    work = out.with_name(f".{out.name}.partial")
    with writing(out):
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise OutputError(out, "it exists and is not empty. Choose another name.")
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        try:
            yield work
            if out.exists():
                out.rmdir()
            work.rename(out)
        finally:
            shutil.rmtree(work, ignore_errors=True)
