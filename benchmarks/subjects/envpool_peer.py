"""EnvPool's native MetaWorld, one env on one thread, in EnvPool's own environment."""

import ctypes
from contextlib import suppress
from functools import cache
from importlib import import_module
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.lines import serve
from benchmarks.subjects.inputs import flight_actions, packed, random_actions, versions

CAMERA_IDS = {"corner": 1, "corner2": 2, "corner3": 3}  # its scenes have no corner4


@cache
def make(task: str, **options: Any) -> Any:
    """An env, kept from round to round; its episodes follow from the seed that it is made with."""
    envpool = import_module("envpool")  # after the libraries of with_camera
    name = "".join(part.capitalize() for part in task.split("-"))
    return envpool.make(
        f"MetaWorld/{name}-v3",
        env_type="gymnasium",
        num_envs=1,
        num_threads=1,
        seed=0,
        **options,
    )


def with_camera(task: str, camera: str, size: int) -> Any:
    """An env whose observation is a picture."""
    for library in ("libEGL.so.1", "libGL.so.1"):  # it calls them without loading them
        with suppress(OSError):
            ctypes.CDLL(library, ctypes.RTLD_GLOBAL)
    return make(
        task,
        from_pixels=True,
        render_width=size,
        render_height=size,
        render_camera_id=CAMERA_IDS[camera],
    )


def run(env: Any, steps: int, seed: int) -> float:
    """Seconds that some random steps take."""
    env.reset()
    actions = random_actions(steps, seed)[:, None]  # (steps, 1 env, 4)
    began = perf_counter()
    for action in actions:
        env.step(action)
    return perf_counter() - began


def step(tasks: list[str], steps: int, seed: int) -> dict[str, Any]:
    """See ``ours.step``."""
    return {"seconds": sum(run(make(task), steps, seed) for task in tasks)}


def pixels(tasks: list[str], steps: int, seed: int, camera: str, size: int) -> dict[str, Any]:
    """See ``ours.pixels``."""
    envs = (with_camera(task, camera, size) for task in tasks)
    return {"seconds": sum(run(env, steps, seed) for env in envs)}


def look(task: str, steps: int, seed: int, camera: str, size: int) -> dict[str, Any]:
    """The picture after some random steps, turned upright; objects lie elsewhere than ours."""
    env = with_camera(task, camera, size)
    seen, _ = env.reset()
    for action in random_actions(steps, seed):
        seen, *_ = env.step(action[None])
    picture = np.moveaxis(seen[0], 0, -1)  # (3, H, W) -> (H, W, 3)
    return packed(np.ascontiguousarray(picture[::-1, ::-1]))


def fly(task: str) -> list[list[float]]:
    """The hand's path through the air [m]."""
    env = make(task)
    env.reset()
    return [env.step(action[None])[0][0, :3].tolist() for action in flight_actions()]


if __name__ == "__main__":
    serve(
        {
            "versions": lambda: versions("envpool", "gymnasium", "numpy"),
            "step": step,
            "pixels": pixels,
            "look": look,
            "fly": fly,
        }
    )
