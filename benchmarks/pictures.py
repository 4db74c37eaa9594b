"""How near the pictures of a render profile come to MetaWorld's own."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.envs.cameras import VIEWPOINTS
from tinyvla_gym.envs.distractors import FURNITURE
from tinyvla_gym.envs.metaworld import MetaWorldEnv
from tinyvla_gym.envs.profiles import PROFILES
from tinyvla_gym.envs.registration import METAWORLD_TASKS
from tinyvla_gym.envs.rendering import shared_renderer

REFERENCE = "parity-1"
CAMERAS = tuple(name for name in VIEWPOINTS if name != "corner2_moved")  # it stands at corner4
SMALLEST_MASK_PX = 20  # of fewer pixels, one more or less says nothing
MAX_DIFFERENCE = 12.0  # grey levels of 255
MIN_IOU = 0.9


@dataclass(frozen=True, kw_only=True)
class Closeness:
    """One picture compared with the reference.

    Attributes:
        task: MetaWorld's name of the task.
        camera: From where.
        difference: Mean absolute difference over pixels and channels, in grey levels of 255.
        object_iou: Intersection by union of the task's things; None if they are hardly in view.
        robot_iou: The same of the robot.
    """

    task: str
    camera: str
    difference: float
    object_iou: float | None
    robot_iou: float | None


def closeness(
    profile: str,
    *,
    tasks: Iterable[str] = METAWORLD_TASKS,
    cameras: Sequence[str] = CAMERAS,
    size_px: int = 84,
    ticks: Sequence[int] = (10, 40),
    seed: int = 0,
) -> Iterator[Closeness]:
    """Compares a profile's pictures with the reference's while the scripted expert plays.

    Args:
        profile: Name of the profile.
        tasks: MetaWorld's names.
        cameras: Of which cameras.
        size_px: Height and width of the pictures [px].
        ticks: When to look [control ticks], ascending.
        seed: The episodes' seed.

    Yields:
        One comparison for each task, look and camera.
    """
    for task in tasks:
        env = MetaWorldEnv(task=task, cameras={}, terminate_on_success=False)
        env.reset(seed=seed)
        for tick in ticks:
            while env.ticks < tick:
                env.advance(env.expert_action())
            for camera in cameras:
                yield compare(env, profile, camera, size_px)


def compare(env: MetaWorldEnv, profile: str, camera: str, size_px: int) -> Closeness:
    """Compares one picture of an env as it stands now; see ``closeness``."""
    model, data, place = env._sim.model, env._sim.data, VIEWPOINTS[camera]
    size = size_px, size_px
    ours, theirs = (
        shared_renderer(env._sim.model_name, model, PROFILES[name]) for name in (profile, REFERENCE)
    )
    pictures = [one.render(data, place, *size) for one in (ours, theirs)]
    bodies = [_roots(model)[one.segment(data, place, *size)] for one in (ours, theirs)]
    objects = [(names != "") & ~np.isin(names, FURNITURE) for names in bodies]
    robots = [names == "base" for names in bodies]
    return Closeness(
        task=env.task,
        camera=camera,
        difference=mean_difference(*pictures),
        object_iou=iou(*objects),
        robot_iou=iou(*robots),
    )


def mean_difference(picture: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Mean absolute difference of two pictures in grey levels of 255."""
    return float(np.abs(picture.astype(np.int16) - other).mean())


def iou(mask: NDArray[np.bool_], other: NDArray[np.bool_]) -> float | None:
    """Intersection of two masks by their union; None if the other has hardly a pixel."""
    if other.sum() < SMALLEST_MASK_PX:
        return None
    return float((mask & other).sum() / (mask | other).sum())


def _roots(model) -> NDArray[np.str_]:
    """Names the body on which each geom hangs in the end; the last entry stands for no geom."""
    names = [
        model.body(model.body_rootid[body]).name or "unnamed" if body else ""
        for body in model.geom_bodyid
    ]
    return np.array([*names, ""])


def summary(found: Iterable[Closeness]) -> dict[str, dict[str, float | None]]:
    """Averages over tasks: for each camera the mean difference and the two mean IoUs."""
    found = list(found)
    return {
        camera: {
            measure: _mean(getattr(one, measure) for one in found if one.camera == camera)
            for measure in ("difference", "object_iou", "robot_iou")
        }
        for camera in dict.fromkeys(one.camera for one in found)
    }


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
