"""The real LeRobot as a reader of data, in LeRobot's own environment."""

from functools import cache
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.lines import serve
from benchmarks.subjects.inputs import packed, versions

KEY = "observation.images.corner4"


@cache
def opened(place: str, horizon: int) -> Any:
    """The dataset that was coded as film, with chunks of actions."""
    reader = import_module("lerobot.datasets.lerobot_dataset").LeRobotDataset
    root = Path(place) / "film"
    fps = reader("x/y", root=root, video_backend="pyav").fps
    times_s = {"action": [row / fps for row in range(horizon)]}
    return reader("x/y", root=root, video_backend="pyav", delta_timestamps=times_s)


def decoded(place: str, indices: list[int], horizon: int) -> dict[str, Any]:
    """Windows, one after the other, as its data loader reads them."""
    dataset = opened(place, horizon)
    began = perf_counter()
    found = [dataset[index] for index in indices]
    seconds = perf_counter() - began
    few = found[:4]
    pictures = np.stack([np.asarray(one[KEY]).transpose(1, 2, 0) for one in few])
    return {
        "pictures": packed((255 * pictures).round().astype(np.uint8)),
        "states": [one["observation.state"].tolist() for one in few],
        "chunks": [one["action"].tolist() for one in few],
        "seconds": seconds,
    }


if __name__ == "__main__":
    serve({"versions": lambda: versions("lerobot", "torch", "av", "numpy"), "decoded": decoded})
