"""Arrays that are computed once, kept on the disk, and mapped into memory by all who need them.

Processes share them: one computes, the others wait and then map the same memory. A folder that is
stale, cut short, or was changed since it was filled is filled again.
"""

import fcntl
import json
import mmap
import os
import shutil
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.data.atomic import save_json, sync, writing
from tinyvla_gym.data.places import ROOT_VARIABLE
from tinyvla_gym.errors import OutputError

VERSION = 2

_MANIFEST = "manifest.json"
_ABANDONED_S = 24 * 3600.0
_CHECKED_AT_ONCE_BYTES = 2**24


@dataclass(frozen=True)
class Layout:
    """The type and shape that one array's file must have."""

    dtype: np.dtype
    shape: tuple[int, ...]


def open_arrays(
    folder: Path,
    fingerprint: str,
    layouts: Mapping[str, Layout],
    fill: Callable[[dict[str, NDArray]], None],
) -> dict[str, NDArray]:
    """Maps a folder's arrays, read-only, and fills the folder if it holds none that fit.

    Args:
        folder: Where they lie; its root holds a lock beside it.
        fingerprint: Of all that the arrays depend on.
        layouts: What each array is.
        fill: Writes into fresh arrays by name.

    Raises:
        OutputError: If the folder cannot be written, or the arrays do not fit on the disk.
    """
    with _alone(folder):
        if not _is_whole(folder, fingerprint, layouts):
            _build(folder, fingerprint, layouts, fill)
        return {name: _mapped(folder, name) for name in layouts}


def let_go(array: NDArray) -> None:
    """Unmaps what was read of, or written to, a mapped array.

    The file and the array stay as they are, and what is read again is mapped again. A process so
    holds what it works on, not all that it has ever touched; the system keeps the rest while it
    has the room.
    """
    if isinstance(array.base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        array.base.madvise(mmap.MADV_DONTNEED)


def taken(array: NDArray, rows: NDArray | slice) -> NDArray:
    """Copies rows of an array, which is let go of if it is a mapped one."""
    copy = np.array(array[rows])
    let_go(array)
    return copy


def _is_whole(folder: Path, fingerprint: str, layouts: Mapping[str, Layout]) -> bool:
    """Whether arrays are there, are of this fingerprint, and have lost nothing."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        mapped = {name: _mapped(folder, name) for name in layouts}
        files = {name: _File.of(folder / f"{name}.npy") for name in layouts}
        known = {name: _File(**facts) for name, facts in manifest["files"].items()}
        if (manifest["version"], manifest["fingerprint"]) != (VERSION, fingerprint):
            return False
    except (AttributeError, OSError, ValueError, TypeError, KeyError):
        return False
    shapes_fit = all(
        mapped[name].dtype == layout.dtype and mapped[name].shape == layout.shape
        for name, layout in layouts.items()
    )
    return shapes_fit and all(
        name in known and files[name].is_same(known[name], folder / f"{name}.npy")
        for name in layouts
    )


@dataclass(frozen=True, kw_only=True)
class _File:
    """What an array's file was when it was filled.

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


def _manifest(work: Path, fingerprint: str, layouts: Mapping[str, Layout]) -> dict[str, Any]:
    paths = {name: work / f"{name}.npy" for name in layouts}
    files = {
        name: asdict(replace(_File.of(path), checksum=_checksum(path)))
        for name, path in paths.items()
    }
    return {"version": VERSION, "fingerprint": fingerprint, "files": files}


def _build(
    folder: Path,
    fingerprint: str,
    layouts: Mapping[str, Layout],
    fill: Callable[[dict[str, NDArray]], None],
) -> None:
    with writing(folder), _workshop(folder) as work:
        _check_room(folder, layouts)
        arrays = {
            name: np.lib.format.open_memmap(
                work / f"{name}.npy", mode="w+", dtype=layout.dtype, shape=layout.shape
            )
            for name, layout in layouts.items()
        }
        fill(dict(arrays))
        for array in arrays.values():
            array.flush()
        save_json(work / _MANIFEST, _manifest(work, fingerprint, layouts))
        if folder.exists():  # stale or damaged
            shutil.rmtree(folder)
        os.rename(work, folder)
        sync(folder.parent)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keeps other processes from filling the same folder; a lock dies with its process."""
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


def _check_room(folder: Path, layouts: Mapping[str, Layout]) -> None:
    wanted_bytes = sum(
        layout.dtype.itemsize * int(np.prod(layout.shape)) for layout in layouts.values()
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


def _mapped(folder: Path, name: str) -> NDArray:
    return np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
