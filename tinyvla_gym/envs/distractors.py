"""Where distractors may lie: on the table, and out of the way of what the task is about."""

# pyright: reportAttributeAccessIssue=false
# (mujoco ships no types)

from collections.abc import Iterable, Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.envs.scenery import TABLE_BODY, Distractor

FURNITURE = (TABLE_BODY, "RetainingWall", "base", "mocap")
"""Bodies, with all that hangs on them, that no task is about; ``base`` is the robot's."""

_LOW_M, _HIGH_M = (-0.5, 0.38), (0.5, 0.92)  # within the walls and the reach of the hand
_HALF_SIZE_M = (0.015, 0.04)
_CLEARANCE_M = 0.02
_TRIES = 200


def taken_places(
    model: mujoco.MjModel, data: mujoco.MjData, points_m: Iterable[Sequence[float]]
) -> NDArray[np.float64]:
    """Finds the discs of the table that must stay free.

    Args:
        model: A MetaWorld task.
        data: How things stand.
        points_m: Other places to keep clear by 8 cm, such as the goal [m], each (x, y, z).

    Returns:
        Each disc's x, y and radius [m], shape (n, 3).
    """
    furniture = [body for body in range(model.nbody) if model.body(body).name in FURNITURE]
    roots = model.body_rootid[model.geom_bodyid]
    things = (roots > 0) & ~np.isin(roots, furniture) & (model.geom_group < 3)
    discs = np.column_stack([data.geom_xpos[things, :2], model.geom_rbound[things]])
    points = [(x, y, 0.08) for x, y, _ in points_m]
    return np.vstack([discs, np.reshape(points, (-1, 3))])


def place_distractors(
    count: int, taken: NDArray[np.float64], rng: np.random.Generator
) -> tuple[Distractor, ...]:
    """Puts things of random shape, size and colour on free places of the table.

    Args:
        count: How many; where the table is too full, the last ones are left out.
        taken: Discs that must stay free: x, y and radius [m], shape (n, 3).
        rng: Draws everything.
    """
    placed: list[Distractor] = []
    for _ in range(count):
        shape = str(rng.choice(["box", "ball", "cylinder"]))
        half_size_m = rng.uniform(*_HALF_SIZE_M, size=3)
        if shape == "cylinder":
            half_size_m[1] = half_size_m[0]
        radius_m = float(np.hypot(*half_size_m[:2]))
        spots_m = rng.uniform(_LOW_M, _HIGH_M, size=(_TRIES, 2))
        yaw_deg, colour = rng.uniform(0, 180), rng.uniform(0.1, 0.9, size=3)
        spot_m = _first_free(spots_m, radius_m, taken)
        if spot_m is None:
            continue
        taken = np.vstack([taken, np.array([*spot_m, radius_m])])
        thing = Distractor(
            shape=shape,
            half_size_m=_floats(half_size_m),
            position_m=_floats([*spot_m, half_size_m[2]]),
            yaw_deg=float(yaw_deg),
            colour=_floats(colour),
        )
        placed.append(thing)
    return tuple(placed)


def _first_free(
    spots_m: NDArray[np.float64], radius_m: float, taken: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    apart_m = np.linalg.norm(spots_m[:, None] - taken[None, :, :2], axis=2)  # (spots, discs)
    free = (apart_m > taken[:, 2] + radius_m + _CLEARANCE_M).all(1)
    return spots_m[free.argmax()] if free.any() else None


def _floats(values: Iterable[float]) -> tuple[float, float, float]:
    first, second, third = (float(value) for value in values)
    return first, second, third
