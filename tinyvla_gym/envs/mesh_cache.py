"""The mesh cache: decimated meshes kept on the disk, so that a renderer is quickly built."""

# pyright: reportAttributeAccessIssue=false
# (mujoco ships no types)

import hashlib
import io
import logging
import os
import zipfile
import zlib
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

import mujoco
import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.data.atomic import written_whole
from tinyvla_gym.data.places import default_cache_root
from tinyvla_gym.envs.meshes import (
    Decimation,
    Surface,
    decimated,
    large_meshes,
    read_mesh,
    write_mesh,
)

CACHE_VERSION = 1

_LOG = logging.getLogger(__name__)


def decimate(model: mujoco.MjModel, decimation: Decimation) -> None:
    """Replaces the triangles of every large mesh by fewer, in place.

    Args:
        model: A copy that is used for drawing only; its collision shapes become invalid.
        decimation: How few to keep.
    """
    for mesh in large_meshes(model, decimation):
        vertices, faces = read_mesh(model, mesh)
        write_mesh(model, mesh, cached_surface(vertices, faces, decimation))


def cached_surface(
    vertices: NDArray[np.float32], faces: NDArray[np.int32], decimation: Decimation
) -> Surface:
    """Looks a decimated mesh up; makes it, and keeps it, if it is not there or damaged.

    A folder that cannot be written to costs time, not the picture.
    """
    path = default_cache_root() / "meshes" / f"{_key(vertices, faces, decimation)}.npz"
    surface = _load(path)
    if surface is None:
        surface = decimated(vertices, faces, decimation)
        _save(path, surface)
    return surface


def _key(vertices: NDArray[np.float32], faces: NDArray[np.int32], decimation: Decimation) -> str:
    """Changes with whatever the result depends on: what is out of date is never found."""
    recipe = (CACHE_VERSION, decimation, version("fast-simplification"), np.__version__)
    digest = hashlib.sha256(repr(recipe).encode())
    for part in (vertices, faces):
        digest.update(repr((part.shape, part.dtype.str)).encode())
        digest.update(part.tobytes())
    return digest.hexdigest()[:32]


def _load(path: Path) -> Surface | None:
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            surface = Surface(*(stored[name] for name in Surface._fields))
    except FileNotFoundError:
        return None
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error):
        surface = None
    if surface is None or not _fits_together(surface):
        _say_once(f"The mesh cache in {path.parent} is damaged; what is damaged is made again.")
        return None
    return surface


def _fits_together(surface: Surface) -> bool:
    vertices, faces, normals, face_normals = surface
    rows = all(part.ndim == 2 and part.shape[1] == 3 and len(part) for part in surface)
    types = [part.dtype.kind for part in surface] == ["f", "i", "f", "i"]
    if not (rows and types and faces.shape == face_normals.shape):
        return False
    return all(
        indices.min() >= 0 and indices.max() < len(points)
        for points, indices in ((vertices, faces), (normals, face_normals))
    )


def _save(path: Path, surface: Surface) -> None:
    mine = path.with_name(f"{path.stem}.{os.getpid()}.npz")  # others may make the same mesh
    try:
        with written_whole(mine) as partial, partial.open("wb") as file:
            np.savez(file, **surface._asdict())
        os.replace(mine, path)
    except OSError:  # OutputError is one
        _say_once(f"{path.parent} cannot be written to: meshes are decimated again next time.")
    finally:
        with suppress(OSError):
            mine.unlink(missing_ok=True)


@cache
def _say_once(message: str) -> None:
    _LOG.warning(message)
