"""The cache: a dataset decoded once into raw arrays, which training maps into memory.

Processes share it: one builds, the others wait and then map the same memory. A cache that is
stale, cut short, or was changed since it was built is built again.
"""

import fcntl
import json
import os
import shutil
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.data.atomic import save_json, sync, writing
from tinyvla_gym.data.lerobot import Dataset
from tinyvla_gym.data.lerobot.merge import Progress
from tinyvla_gym.data.places import ROOT_VARIABLE, default_cache_root
from tinyvla_gym.errors import OutputError

CACHE_VERSION = 2

_MANIFEST = "manifest.json"
_VECTORS = ("state", "action", "sent_action")
_ABANDONED_S = 24 * 3600.0
_CHECKED_AT_ONCE_BYTES = 2**24


@dataclass(frozen=True, kw_only=True, eq=False)
class Cache:
    """A dataset as arrays over all frames, mapped from the disk and read-only.

    Attributes:
        folder: Where the arrays lie.
        fingerprint: The dataset's.
        images: Camera name to pictures, uint8 RGB, shape (frames, H, W, 3).
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
    cache_root: Path | str | None = None,
    progress: Progress | None = None,
) -> Cache:
    """Opens a dataset's cache, and builds it if there is none that fits.

    Args:
        dataset_folder: A finished dataset.
        cache_root: Where caches are kept; ``$TINYVLA_CACHE``, or else ``~/.cache/tinyvla_gym``.
        progress: Told (done, total) episodes while the cache is built.

    Raises:
        DatasetError: If the dataset cannot be read.
        OutputError: If the cache cannot be written, or does not fit on the disk.
    """
    dataset = Dataset(dataset_folder)
    root = Path(cache_root or default_cache_root())
    fingerprint = dataset.fingerprint()
    folder = root / fingerprint[:16]
    arrays = _arrays(dataset)
    with _alone(folder):
        if not _is_whole(folder, fingerprint, arrays):
            _build(folder, fingerprint, dataset, arrays, progress or (lambda done, total: None))
        return _open(folder, fingerprint, dataset)


@dataclass(frozen=True)
class _Array:
    """One array of the cache: the type and shape that its file must have."""

    dtype: np.dtype
    shape: tuple[int, ...]


def _arrays(dataset: Dataset) -> dict[str, _Array]:
    frames, interface = dataset.frames, dataset.interface
    vector, picture = np.dtype(np.float32), np.dtype(np.uint8)
    return {
        "state": _Array(vector, (frames, len(interface.state))),
        "action": _Array(vector, (frames, len(interface.action))),
        "sent_action": _Array(vector, (frames, len(interface.action))),
        **{
            f"images_{camera.name}": _Array(picture, (frames, camera.height, camera.width, 3))
            for camera in interface.cameras
        },
    }


def _is_whole(folder: Path, fingerprint: str, arrays: dict[str, _Array]) -> bool:
    """Whether a cache is there, is of this dataset, and has lost nothing."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        mapped = {name: _mapped(folder, name) for name in arrays}
        files = {name: _File.of(folder / f"{name}.npy") for name in arrays}
        known = {name: _File(**facts) for name, facts in manifest["files"].items()}
    except (OSError, ValueError, TypeError, KeyError):
        return False
    if (manifest["version"], manifest["fingerprint"]) != (CACHE_VERSION, fingerprint):
        return False
    shapes_fit = all(
        mapped[name].dtype == array.dtype and mapped[name].shape == array.shape
        for name, array in arrays.items()
    )
    return shapes_fit and all(
        name in known and files[name].is_same(known[name], folder / f"{name}.npy")
        for name in arrays
    )


@dataclass(frozen=True, kw_only=True)
class _File:
    """What a file of the cache was when it was built.

    Attributes:
        size_bytes: Its size.
        changed_ns: When it was last written to.
        checksum: CRC-32 of its content; None if not computed.
    """

    size_bytes: int
    changed_ns: int
    checksum: int | None = None

    @classmethod
    def of(cls, path: Path) -> "_File":
        """Looks at a file, and does not read it."""
        found = path.stat()
        return cls(size_bytes=found.st_size, changed_ns=found.st_mtime_ns)

    def is_same(self, known: "_File", path: Path) -> bool:
        """Whether it holds what it held; it is read only if it was written to meanwhile."""
        if self.size_bytes != known.size_bytes:
            return False
        return self.changed_ns == known.changed_ns or _checksum(path) == known.checksum


def _checksum(path: Path) -> int:
    checksum = 0
    with path.open("rb") as file:
        while part := file.read(_CHECKED_AT_ONCE_BYTES):
            checksum = zlib.crc32(part, checksum)
    return checksum


def _manifest(work: Path, fingerprint: str, arrays: dict[str, _Array]) -> dict[str, Any]:
    paths = {name: work / f"{name}.npy" for name in arrays}
    files = {
        name: asdict(replace(_File.of(path), checksum=_checksum(path)))
        for name, path in paths.items()
    }
    return {"version": CACHE_VERSION, "fingerprint": fingerprint, "files": files}


def _build(
    folder: Path,
    fingerprint: str,
    dataset: Dataset,
    arrays: dict[str, _Array],
    progress: Progress,
) -> None:
    with writing(folder), _workshop(folder) as work:
        _check_room(folder, arrays)
        _decode(work, dataset, arrays, progress)
        save_json(work / _MANIFEST, _manifest(work, fingerprint, arrays))
        if folder.exists():  # stale or damaged
            shutil.rmtree(folder)
        os.rename(work, folder)
        sync(folder.parent)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keeps other processes from building the same cache; a lock dies with its process."""
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = (folder.parent / f".{folder.name}.lock").open("w")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _workshop(folder: Path) -> Iterator[Path]:
    """Yields a folder to build in, and clears it away unless it was moved to its place."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for leftover in folder.parent.glob("*.building-*"):
        if time.time() - leftover.stat().st_mtime > _ABANDONED_S:
            shutil.rmtree(leftover, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=f"{folder.name}.building-", dir=folder.parent))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _check_room(folder: Path, arrays: dict[str, _Array]) -> None:
    wanted_bytes = sum(
        array.dtype.itemsize * int(np.prod(array.shape)) for array in arrays.values()
    )
    free_bytes = _free_bytes(folder.parent)
    if wanted_bytes > free_bytes:
        raise OutputError(
            folder,
            f"the cache needs {wanted_bytes / 1e9:.1f} GB and {free_bytes / 1e9:.1f} GB are free. "
            f"Make room, or set {ROOT_VARIABLE} to a folder on a larger disk.",
        )


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def _decode(work: Path, dataset: Dataset, arrays: dict[str, _Array], progress: Progress) -> None:
    opened = {
        name: np.lib.format.open_memmap(
            work / f"{name}.npy", mode="w+", dtype=array.dtype, shape=array.shape
        )
        for name, array in arrays.items()
    }
    start = 0
    for index in range(len(dataset)):
        episode = dataset.episode(index)
        here = slice(start, start + len(episode))
        for name in _VECTORS:
            opened[name][here] = getattr(episode, name)
        for camera, images in episode.images.items():
            opened[f"images_{camera}"][here] = images
        start = here.stop
        progress(index + 1, len(dataset))
    for array in opened.values():
        array.flush()


def _mapped(folder: Path, name: str) -> NDArray:
    return np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)


def _open(folder: Path, fingerprint: str, dataset: Dataset) -> Cache:
    ends = np.cumsum(dataset.lengths)
    return Cache(
        folder=folder,
        fingerprint=fingerprint,
        images={
            one.name: _mapped(folder, f"images_{one.name}") for one in dataset.interface.cameras
        },
        state=_mapped(folder, "state"),
        action=_mapped(folder, "action"),
        sent_action=_mapped(folder, "sent_action"),
        starts=ends - dataset.lengths,
        ends=ends,
        episode_of=np.repeat(np.arange(len(dataset)), dataset.lengths),
        instructions=dataset.instructions,
        tasks=dataset.tasks,
        seeds=dataset.seeds,
    )
