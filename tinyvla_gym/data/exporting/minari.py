"""A dataset of ours as a Minari dataset, which Minari's own loader opens."""

import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tinyvla_gym.data.atomic import writing
from tinyvla_gym.data.episode import Episode
from tinyvla_gym.data.importing.minari import load_minari
from tinyvla_gym.data.lerobot import Dataset
from tinyvla_gym.data.lerobot.merge import Progress
from tinyvla_gym.errors import ConfigError, OutputError

_ROOT = "MINARI_DATASETS_PATH"

LOSSES = ["what was to be seen after the last tick was never recorded; the last picture repeats"]
"""What is lost, as sentences."""


def export_minari(
    dataset: Dataset, out: Path, *, name: str, progress: Progress | None = None
) -> list[str]:
    """Writes a Minari dataset, pictures as raw arrays and so without loss.

    Args:
        dataset: What to export.
        out: Minari's folder of datasets, its ``MINARI_DATASETS_PATH``.
        name: The new dataset's id there, such as ``tinyvla/drawer-v0``.
        progress: Told (done, total) episodes.

    Returns:
        What is lost, as sentences.

    Raises:
        MissingExtraError: If Minari is not installed.
        ConfigError: If Minari does not take the id.
        OutputError: If there is such a dataset, or it cannot be written.
        DatasetError: If an episode is damaged.
    """
    minari = load_minari("Writing Minari")
    if (out / name).exists():
        raise OutputError(out / name, "it exists. Choose another name.")
    interface = dataset.interface
    with writing(out / name), _root(out.resolve()), warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*(eval_env|env_spec)")
        out.mkdir(parents=True, exist_ok=True)
        try:
            minari.create_dataset_from_buffers(
                name,
                _buffers(dataset, progress),
                observation_space=interface.observation_space(),
                action_space=interface.action_space(),
                algorithm_name=", ".join(sorted(set(dataset.sources))),
                author="tinyvla-gym",
                author_email="unknown",
                code_permalink="unknown",
                description="; ".join(sorted(set(dataset.instructions)))[:1000],
                jpeg_encoding=False,
            )
        except BaseException as problem:
            shutil.rmtree(out / name, ignore_errors=True)  # half a dataset opens like a whole one
            if not isinstance(problem, ValueError):
                raise
            raise ConfigError(f"Minari does not take {name!r}: {problem}") from problem
        dataset.facts.save(out / name)
    return LOSSES


def _buffers(dataset: Dataset, progress: Progress | None) -> Iterator[Any]:
    """Yields one episode at a time, so that memory does not grow with their number."""
    from minari.data_collector import EpisodeBuffer

    for index in range(len(dataset)):
        episode = dataset.episode(index)
        ticks = len(episode)
        solved = bool(episode.success[-1])
        yield EpisodeBuffer(
            id=index,
            seed=episode.seed,
            options={"task": episode.task, "source": episode.source},
            observations=_observations(episode),
            actions=list(episode.action),
            rewards=list(episode.reward),
            terminations=[solved and tick == ticks - 1 for tick in range(ticks)],
            truncations=[not solved and tick == ticks - 1 for tick in range(ticks)],
            infos={
                "success": np.concatenate([[False], episode.success]),
                "sent_action": np.concatenate(
                    [np.zeros_like(episode.sent_action[:1]), episode.sent_action]
                ),
            },
        )
        if progress:
            progress(index + 1, len(dataset))


def _observations(episode: Episode) -> dict[str, Any]:
    """What was seen before every tick, and once more at the end: T + 1 rows."""

    def extended(values: np.ndarray) -> np.ndarray:
        return np.concatenate([values, values[-1:]])

    pictures = {f"image_{name}": extended(images) for name, images in episode.images.items()}
    told = [episode.instruction] * (len(episode) + 1)
    return {**pictures, "state": extended(episode.state), "instruction": told}


@contextmanager
def _root(folder: Path) -> Iterator[None]:
    """Has Minari keep its datasets in a folder, for a while."""
    before = os.environ.get(_ROOT)
    os.environ[_ROOT] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[_ROOT]
        else:
            os.environ[_ROOT] = before
