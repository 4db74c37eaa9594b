"""Looks at a dataset: what it holds, and what about it may be wrong."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.data.episode import Episode
from tinyvla_gym.data.lerobot import Dataset, schema
from tinyvla_gym.data.lerobot.merge import Progress
from tinyvla_gym.data.statistics import Statistics

_CONSTANT_RANGE = 1e-6
_OUTLIER_WIDTHS = 5.0  # times the distance between the 1 % and the 99 % quantile
_FROZEN_FRAC = 0.5  # of the ticks in which the state moves
_MOVED = 1e-4
_STILL_LEVELS = 12  # of 255: what film alone changes in a still picture
_NAMED = 5  # episodes that a finding lists


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something about a dataset that may be wrong.

    Attributes:
        kind: constant, outlier, sentence, twin, or frozen.
        says: A sentence with the facts.
        episodes: The episodes concerned, if it is about some of them.
    """

    kind: str
    says: str
    episodes: tuple[int, ...] = ()


def summary(dataset: Dataset) -> dict[str, Any]:
    """What a dataset holds, as plain numbers and strings."""
    interface = dataset.interface
    return {
        "folder": str(dataset.folder),
        "episodes": len(dataset),
        "solved": sum(dataset.successes),
        "frames": dataset.frames,
        "duration_s": dataset.frames / dataset.files.fps,
        "control_hz": interface.control_hz,
        "size_bytes": sum(p.stat().st_size for p in dataset.folder.rglob("*") if p.is_file()),
        "cameras": {
            one.name: {
                "height": one.height,
                "width": one.width,
                "kept_as": dataset.files.codec(schema.image_key(one.name)) or "png",
            }
            for one in interface.cameras
        },
        "state": list(interface.state),
        "action": list(interface.action),
        "action_mode": interface.action_mode,
        "profile": dataset.profile,
        "sources": dict(Counter(dataset.sources)),
        "env_ids": list(dataset.env_ids),
        "tasks": _tasks(dataset),
        "fingerprint": dataset.fingerprint(),
    }


def findings(dataset: Dataset, progress: Progress | None = None) -> list[Finding]:
    """Everything about a dataset that may be wrong.

    Args:
        dataset: The dataset; every picture of it is read.
        progress: Told (done, total) episodes.

    Raises:
        DatasetError: If an episode is damaged.
    """
    return [
        *_odd_numbers(dataset),
        *_shared_sentences(dataset),
        *_twins(dataset),
        *_frozen(dataset, progress),
    ]


def entry_statistics(dataset: Dataset) -> Iterator[tuple[str, str, Statistics, int]]:
    """Yields feature, entry name, the feature's statistics and the entry's place in them."""
    for feature, names in _vectors(dataset).items():
        for place, name in enumerate(names):
            yield feature, name, dataset.statistics[feature], place


def _vectors(dataset: Dataset) -> dict[str, tuple[str, ...]]:
    interface = dataset.interface
    return {
        "observation.state": interface.state,
        "action": interface.action,
        "sent_action": interface.action,
    }


def _tasks(dataset: Dataset) -> dict[str, dict[str, Any]]:
    chosen: dict[str, list[int]] = defaultdict(list)
    for index, task in enumerate(dataset.tasks):
        chosen[task or dataset.instructions[index]].append(index)
    return {
        task: {
            "episodes": len(episodes),
            "solved": sum(dataset.successes[index] for index in episodes),
            "mean_frames": float(dataset.lengths[episodes].mean()),
            "sentences": len({dataset.instructions[index] for index in episodes}),
        }
        for task, episodes in sorted(chosen.items())
    }


def _odd_numbers(dataset: Dataset) -> Iterator[Finding]:
    for feature, name, numbers, place in entry_statistics(dataset):
        low, high = numbers.min[place], numbers.max[place]
        q01, q99 = numbers.q01[place], numbers.q99[place]
        if high - low <= _CONSTANT_RANGE:
            says = f"{feature} entry {name} is {low:g} in every frame"
            yield Finding(kind="constant", says=says)
            continue
        reach = _OUTLIER_WIDTHS * (q99 - q01)
        if low < q01 - reach:
            yield _outlier(dataset, feature, place, name, "min")
        if high > q99 + reach:
            yield _outlier(dataset, feature, place, name, "max")


def _outlier(dataset: Dataset, feature: str, place: int, name: str, extreme: str) -> Finding:
    numbers = dataset.statistics[feature]
    value = getattr(numbers, extreme)[place]
    each = [getattr(one, extreme)[place] for one in dataset.episode_statistics(feature)]
    where = np.flatnonzero(np.array(each) == value)
    return Finding(
        kind="outlier",
        says=f"{feature} entry {name} reaches {value:g}, and 98 % of the frames lie within "
        f"{numbers.q01[place]:g} to {numbers.q99[place]:g}{_listed(where)}",
        episodes=tuple(where.tolist()),
    )


def _shared_sentences(dataset: Dataset) -> Iterator[Finding]:
    tasks: dict[str, set[str]] = defaultdict(set)
    for task, sentence in zip(dataset.tasks, dataset.instructions, strict=True):
        tasks[sentence].add(task)
    for sentence, sharing in tasks.items():
        if len(sharing) > 1:
            names = ", ".join(sorted(sharing))
            says = f'"{sentence}" is said in {len(sharing)} tasks: {names}'
            yield Finding(kind="sentence", says=says)


def _twins(dataset: Dataset) -> Iterator[Finding]:
    places: dict[tuple[str, int], list[int]] = defaultdict(list)
    for index, key in enumerate(zip(dataset.tasks, dataset.seeds, strict=True)):
        places[key].append(index)
    twins = [index for episodes in places.values() if len(episodes) > 1 for index in episodes]
    if twins:
        says = f"{len(twins)} episodes share task and seed with another{_listed(twins)}"
        yield Finding(kind="twin", says=says, episodes=tuple(twins))


def _frozen(dataset: Dataset, progress: Progress | None) -> Iterator[Finding]:
    frozen: dict[str, list[int]] = defaultdict(list)
    for index in range(len(dataset)):
        episode = dataset.episode(index)
        for camera in episode.images:
            film = dataset.files.is_film(schema.image_key(camera))
            if _stands_still(episode, camera, _STILL_LEVELS if film else 0):
                frozen[camera].append(index)
        if progress:
            progress(index + 1, len(dataset))
    for camera, episodes in frozen.items():
        says = f"camera {camera} does not change while the state does{_listed(episodes)}"
        yield Finding(kind="frozen", says=says, episodes=tuple(episodes))


def _stands_still(episode: Episode, camera: str, tolerance: int) -> bool:
    moved = np.abs(np.diff(episode.state, axis=0)).max(axis=1, initial=0.0) > _MOVED  # (T - 1,)
    if not moved.any():
        return False
    pictures = episode.images[camera].astype(np.int16)
    change = np.abs(np.diff(pictures, axis=0)).max(axis=(1, 2, 3))
    return float((change[moved] <= tolerance).mean()) > _FROZEN_FRAC


def _listed(episodes: list[int] | NDArray) -> str:
    """Names some episodes at the end of a sentence."""
    if len(episodes) == 0:
        return ""
    names = ", ".join(str(one) for one in episodes[:_NAMED])
    return f" (episode {names}{', ...' if len(episodes) > _NAMED else ''})"
