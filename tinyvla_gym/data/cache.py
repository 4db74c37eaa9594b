"""The cache: a dataset decoded once into raw arrays, which training maps into memory."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.data.arrays import Layout, let_go, open_arrays
from tinyvla_gym.data.lerobot import Dataset
from tinyvla_gym.data.lerobot.merge import Progress
from tinyvla_gym.data.places import default_cache_root
from tinyvla_gym.look import Look

_VECTORS = ("state", "action", "sent_action")


@dataclass(frozen=True, kw_only=True, eq=False)
class Cache:
    """A dataset as arrays over all frames, mapped from the disk and read-only.

    Attributes:
        folder: Where the arrays lie.
        fingerprint: The dataset's, and how its pictures were reduced, if they were.
        images: Camera name to pictures, uint8 RGB, shape (frames, H, W, 3), or reduced.
        state: Float32, shape (frames, S).
        action: What training should imitate, float32, shape (frames, A).
        sent_action: What reached the robot, float32, shape (frames, A).
        starts: First frame of each episode, int64, shape (E,).
        ends: One past the last frame of each episode, int64, shape (E,).
        episode_of: Each frame's episode, int64, shape (frames,).
        instructions: Each episode's sentence.
        tasks: Each episode's task; empty if it has none.
        seeds: Each episode's seed.
    """

    folder: Path
    fingerprint: str
    images: dict[str, NDArray[np.uint8]]
    state: NDArray[np.float32]
    action: NDArray[np.float32]
    sent_action: NDArray[np.float32]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    episode_of: NDArray[np.int64]
    instructions: tuple[str, ...]
    tasks: tuple[str, ...]
    seeds: tuple[int, ...]


def open_cache(
    dataset_folder: Path | str,
    *,
    look: Look | None = None,
    cache_root: Path | str | None = None,
    progress: Progress | None = None,
) -> Cache:
    """Opens a dataset's cache, and builds it if there is none that fits.

    Args:
        dataset_folder: A finished dataset.
        look: Keeps what a model makes of large pictures, instead of them.
        cache_root: Where caches are kept; ``$TINYVLA_CACHE``, or else ``~/.cache/tinyvla_gym``.
        progress: Told (done, total) episodes while the cache is built.

    Raises:
        DatasetError: If the dataset cannot be read.
        ConfigError: If its pictures cannot be reduced so.
        OutputError: If the cache cannot be written, or does not fit on the disk.
    """
    dataset = Dataset(dataset_folder)
    root = Path(cache_root or default_cache_root())
    fingerprint, suffix = dataset.fingerprint(), _suffix(dataset, look)
    folder = root / (fingerprint[:16] + suffix)

    def fill(arrays: dict[str, NDArray]) -> None:
        _decode(arrays, dataset, look, progress or (lambda done, total: None))

    arrays = open_arrays(folder, fingerprint + suffix, _layouts(dataset, look), fill)
    return _joined(folder, fingerprint + suffix, dataset, arrays)


def _suffix(dataset: Dataset, look: Look | None) -> str:
    """What a cache of reduced pictures is called beyond its dataset; nothing if all stay whole."""
    sizes = [(camera.height, camera.width) for camera in dataset.interface.cameras]
    if look is None or all(look.size(*size) == size for size in sizes):
        return ""
    middle = "" if look.middle_px is None else f"-of-{look.middle_px}"
    return f"-{look.px}{middle}-px"


def _layouts(dataset: Dataset, look: Look | None) -> dict[str, Layout]:
    frames, interface = dataset.frames, dataset.interface
    sizes = {camera.name: (camera.height, camera.width) for camera in interface.cameras}
    if look is not None:
        sizes = {name: look.size(*size) for name, size in sizes.items()}
    vector, picture = np.dtype(np.float32), np.dtype(np.uint8)
    return {
        "state": Layout(vector, (frames, len(interface.state))),
        "action": Layout(vector, (frames, len(interface.action))),
        "sent_action": Layout(vector, (frames, len(interface.action))),
        **{f"images_{name}": Layout(picture, (frames, *size, 3)) for name, size in sizes.items()},
    }


def _decode(
    arrays: dict[str, NDArray], dataset: Dataset, look: Look | None, progress: Progress
) -> None:
    start = 0
    for index in range(len(dataset)):
        episode = dataset.episode(index)
        here = slice(start, start + len(episode))
        for name in _VECTORS:
            arrays[name][here] = getattr(episode, name)
        for camera, images in episode.images.items():
            pictures = arrays[f"images_{camera}"]
            pictures[here] = look.reduce(images) if look else images
            let_go(pictures)
        start = here.stop
        progress(index + 1, len(dataset))


def _joined(folder: Path, fingerprint: str, dataset: Dataset, arrays: dict[str, NDArray]) -> Cache:
    ends = np.cumsum(dataset.lengths)
    return Cache(
        folder=folder,
        fingerprint=fingerprint,
        images={one.name: arrays[f"images_{one.name}"] for one in dataset.interface.cameras},
        state=arrays["state"],
        action=arrays["action"],
        sent_action=arrays["sent_action"],
        starts=ends - dataset.lengths,
        ends=ends,
        episode_of=np.repeat(np.arange(len(dataset)), dataset.lengths),
        instructions=dataset.instructions,
        tasks=dataset.tasks,
        seeds=dataset.seeds,
    )
