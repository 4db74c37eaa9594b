"""Ours as a reader of data: windows out of the cache, and out of HDF5 as TinyVLA's code does."""

from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any

import h5py
import numpy as np

from benchmarks.lines import serve
from benchmarks.subjects.inputs import packed, versions
from tinyvla_gym.data.cache import Cache, open_cache
from tinyvla_gym.data.exporting.tinyvla_hdf5 import export_hdf5
from tinyvla_gym.data.lerobot import Coding, Dataset
from tinyvla_gym.data.lerobot.edit import reencode
from tinyvla_gym.data.windows import Windows
from tinyvla_gym.demonstrations import Plan, collect
from tinyvla_gym.envs.registration import metaworld_id

CAMERA = "corner4"
LEROBOTS = Coding(lossless_px=0, codec="av1", crf=30, key_every=2)
"""How LeRobot codes films unless it is told otherwise."""


def prepare(place: str, tasks: list[str], size: int) -> dict[str, Any]:
    """Records an expert's episodes, and writes them as film and as HDF5, too."""
    folder, plan = Path(place), Plan(episodes=2, noisy_frac=0.0, progress_frac=0.0)
    options = {"cameras": {CAMERA: size}}
    collect([metaworld_id(task) for task in tasks], folder / "png", plan, env_options=options)
    dataset = Dataset(folder / "png")
    reencode(dataset.folder, LEROBOTS, folder / "film")
    export_hdf5(dataset, folder / "hdf5")
    return {"frames": dataset.frames}


@cache
def opened(place: str, horizon: int) -> tuple[Cache, Windows]:
    """The cache, built once."""
    frames = open_cache(Path(place) / "png", cache_root=Path(place) / "cache")
    return frames, Windows(frames.action, frames.starts, frames.ends, horizon=horizon)


def cached(place: str, indices: list[int], horizon: int) -> dict[str, Any]:
    """One batch of windows out of the cache."""
    frames, windows = opened(place, horizon)
    began = perf_counter()
    batch = windows.take(indices)
    pictures, states = frames.images[CAMERA][batch.frame], frames.state[batch.frame]
    seconds = perf_counter() - began
    return {**told(pictures, states, batch.chunk), "seconds": seconds}


def hdf5(place: str, indices: list[int], horizon: int) -> dict[str, Any]:
    """The same windows, each out of a file that is opened for it and closed again."""
    frames, _ = opened(place, horizon)
    wanted = [(int(frames.episode_of[one]), one) for one in indices]
    places = [(number, int(one - frames.starts[number])) for number, one in wanted]
    began = perf_counter()
    found = [_window(Path(place) / f"hdf5/episode_{one}.hdf5", t, horizon) for one, t in places]
    seconds = perf_counter() - began
    return {**told(*map(np.stack, zip(*found, strict=True))), "seconds": seconds}


def _window(path: Path, tick: int, horizon: int) -> tuple[Any, Any, Any]:
    with h5py.File(path, "r") as opened_file:
        file: Any = opened_file
        picture = file[f"/observations/images/{CAMERA}"][tick]
        state = file["/observations/qpos"][tick]
        actions = file["/action"][tick:]  # to the end, as the released loader does
    rows = np.minimum(np.arange(horizon), len(actions) - 1)
    return picture, state, actions[rows]


def told(pictures: Any, states: Any, chunks: Any) -> dict[str, Any]:
    """A few of the windows, to be compared."""
    few = 4
    return {
        "pictures": packed(np.ascontiguousarray(pictures[:few])),
        "states": np.asarray(states[:few], float).tolist(),
        "chunks": np.asarray(chunks[:few], float).tolist(),
    }


if __name__ == "__main__":
    serve(
        {
            "versions": lambda: versions("tinyvla-gym", "numpy", "h5py"),
            "prepare": prepare,
            "cached": cached,
            "hdf5": hdf5,
        }
    )
