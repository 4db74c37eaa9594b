"""Where MetaWorld's tasks put their objects and goals, and its benchmarks' draws of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.errors import ConfigError, UnknownNameError

GOALS_PER_TASK = 50


@dataclass(frozen=True)
class GoalSpace:
    """What a task draws at reset: x, y, z of an object [m], for many tasks then of its goal [m].

    Attributes:
        low: Lowest values, 3 or 6.
        high: Highest values.
        apart_m: How far object and goal must be apart on the table; nearer draws are repeated.
        target_m: The goal's x and y if it is not part of what is drawn.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    apart_m: float = 0.0
    target_m: tuple[float, float] | None = None

    def accepts(self, goal: NDArray[np.float64]) -> bool:
        """Whether the object in a draw is far enough from its goal."""
        target_m = goal[3:5] if self.target_m is None else self.target_m
        return not self.apart_m or math.dist(goal[:2], target_m) >= self.apart_m

    def draw(self, random: np.random.RandomState) -> NDArray[np.float64]:
        """Draws until a draw is accepted, as MetaWorld does."""
        while True:
            goal = random.uniform(self.low, self.high, size=len(self.low))
            if self.accepts(goal):
                return goal

    def check(self, goal: object) -> NDArray[np.float64]:
        """Returns a goal that someone chose, as float64.

        Raises:
            ConfigError: If it has another shape, lies elsewhere, or the object is at the goal.
        """
        low, high = np.array(self.low), np.array(self.high)
        try:
            chosen = np.array(goal, np.float64)
        except (TypeError, ValueError):
            chosen = np.empty(0)
        if chosen.shape != low.shape or not ((low <= chosen) & (chosen <= high)).all():
            raise ConfigError(
                f"goal must be {len(low)} numbers from {self.low} to {self.high}, got {goal!r}."
            )
        if not self.accepts(chosen):
            raise ConfigError(
                f"goal must lie at least {self.apart_m} m from the object, got {goal!r}."
            )
        return chosen


GOAL_SPACES = {  # in the order of MT50
    "assembly": GoalSpace(
        (0.0, 0.6, 0.02, -0.1, 0.75, 0.1), (0.0, 0.6, 0.02, 0.1, 0.85, 0.1), apart_m=0.1
    ),
    "basketball": GoalSpace(
        (-0.1, 0.6, 0.0299, -0.1, 0.85, 0.0), (0.1, 0.7, 0.0301, 0.1, 0.9000001, 0.0), apart_m=0.15
    ),
    "bin-picking": GoalSpace(
        (-0.21, 0.65, 0.02, 0.1199, 0.699, -0.001), (-0.03, 0.75, 0.02, 0.1201, 0.701, 0.001)
    ),
    "box-close": GoalSpace(
        (-0.05, 0.5, 0.02, -0.1, 0.7, 0.133), (0.05, 0.55, 0.02, 0.1, 0.8, 0.133), apart_m=0.25
    ),
    "button-press-topdown": GoalSpace((-0.1, 0.8, 0.115), (0.1, 0.9, 0.115)),
    "button-press-topdown-wall": GoalSpace((-0.1, 0.8, 0.115), (0.1, 0.9, 0.115)),
    "button-press": GoalSpace((-0.1, 0.85, 0.115), (0.1, 0.9, 0.115)),
    "button-press-wall": GoalSpace((-0.05, 0.85, 0.1149), (0.05, 0.9, 0.1151)),
    "coffee-button": GoalSpace((-0.1, 0.8, -0.001), (0.1, 0.9, 0.001)),
    "coffee-pull": GoalSpace(
        (-0.05, 0.7, -0.001, -0.1, 0.55, -0.001),
        (0.05, 0.75, 0.001, 0.1, 0.65, 0.001),
        apart_m=0.15,
    ),
    "coffee-push": GoalSpace(
        (-0.1, 0.55, -0.001, -0.05, 0.7, -0.001),
        (0.1, 0.65, 0.001, 0.05, 0.75, 0.001),
        apart_m=0.15,
    ),
    "dial-turn": GoalSpace((-0.1, 0.7, 0.0), (0.1, 0.8, 0.0)),
    "disassemble": GoalSpace(
        (0.0, 0.6, 0.025, -0.1, 0.6, 0.1699), (0.1, 0.75, 0.02501, 0.1, 0.75, 0.1701), apart_m=0.1
    ),
    "door-close": GoalSpace((0.0, 0.85, 0.15), (0.1, 0.95, 0.15)),
    "door-lock": GoalSpace((-0.1, 0.8, 0.15), (0.1, 0.85, 0.15)),
    "door-open": GoalSpace((0.0, 0.85, 0.15), (0.1, 0.95, 0.15)),
    "door-unlock": GoalSpace((-0.1, 0.8, 0.15), (0.1, 0.85, 0.15)),
    "hand-insert": GoalSpace(
        (-0.1, 0.6, 0.05, -0.04, 0.8, -0.0201), (0.1, 0.7, 0.05, 0.04, 0.88, -0.0199), apart_m=0.15
    ),
    "drawer-close": GoalSpace((-0.1, 0.9, 0.0), (0.1, 0.9, 0.0)),
    "drawer-open": GoalSpace((-0.1, 0.9, 0.0), (0.1, 0.9, 0.0)),
    "faucet-open": GoalSpace((-0.05, 0.8, 0.0), (0.05, 0.85, 0.0)),
    "faucet-close": GoalSpace((-0.1, 0.8, 0.0), (0.1, 0.85, 0.0)),
    "hammer": GoalSpace((-0.1, 0.4, 0.0), (0.1, 0.5, 0.0)),
    "handle-press-side": GoalSpace((-0.35, 0.65, -0.001), (-0.25, 0.75, 0.001)),
    "handle-press": GoalSpace((-0.1, 0.8, -0.001), (0.1, 0.9, 0.001)),
    "handle-pull-side": GoalSpace((-0.35, 0.65, 0.0), (-0.25, 0.75, 0.0)),
    "handle-pull": GoalSpace((-0.1, 0.8, -0.001), (0.1, 0.9, 0.001)),
    "lever-pull": GoalSpace((-0.1, 0.7, 0.0), (0.1, 0.8, 0.0)),
    "pick-place-wall": GoalSpace(
        (-0.05, 0.6, 0.015, -0.05, 0.85, 0.05), (0.05, 0.65, 0.015, 0.05, 0.9, 0.3), apart_m=0.15
    ),
    "pick-out-of-hole": GoalSpace(
        (0.0, 0.75, 0.02, -0.1, 0.5, 0.15), (0.0, 0.75, 0.02, 0.1, 0.6, 0.3), apart_m=0.15
    ),
    "pick-place": GoalSpace(
        (-0.1, 0.6, 0.02, -0.1, 0.8, 0.05), (0.1, 0.7, 0.02, 0.1, 0.9, 0.3), apart_m=0.15
    ),
    "plate-slide": GoalSpace((0.0, 0.6, 0.0, -0.1, 0.85, 0.0), (0.0, 0.6, 0.0, 0.1, 0.9, 0.0)),
    "plate-slide-side": GoalSpace(
        (0.0, 0.6, 0.0, -0.3, 0.54, 0.0), (0.0, 0.6, 0.0, -0.25, 0.66, 0.0)
    ),
    "plate-slide-back": GoalSpace(
        (0.0, 0.85, 0.0, -0.1, 0.6, 0.015), (0.0, 0.85, 0.0, 0.1, 0.6, 0.015)
    ),
    "plate-slide-back-side": GoalSpace(
        (-0.25, 0.6, 0.0, -0.05, 0.6, 0.015), (-0.25, 0.6, 0.0, 0.15, 0.6, 0.015)
    ),
    "peg-insert-side": GoalSpace(
        (0.0, 0.5, 0.02, -0.35, 0.4, -0.001), (0.2, 0.7, 0.02, -0.25, 0.7, 0.001), apart_m=0.1
    ),
    "peg-unplug-side": GoalSpace((-0.25, 0.6, -0.001), (-0.15, 0.8, 0.001)),
    "soccer": GoalSpace(
        (-0.1, 0.6, 0.03, -0.1, 0.8, 0.0), (0.1, 0.7, 0.03, 0.1, 0.9, 0.0), apart_m=0.15
    ),
    "stick-push": GoalSpace(
        (-0.08, 0.58, 0.0, 0.399, 0.55, 0.1319),
        (-0.03, 0.62, 0.001, 0.401, 0.6, 0.1321),
        apart_m=0.1,
    ),
    "stick-pull": GoalSpace(
        (-0.1, 0.55, 0.0, 0.35, 0.45, 0.0199), (0.0, 0.65, 0.001, 0.45, 0.55, 0.0201), apart_m=0.1
    ),
    "push": GoalSpace(
        (-0.1, 0.6, 0.02, -0.1, 0.8, 0.01), (0.1, 0.7, 0.02, 0.1, 0.9, 0.02), apart_m=0.15
    ),
    "push-wall": GoalSpace(
        (-0.05, 0.6, 0.015, -0.05, 0.85, 0.01), (0.05, 0.65, 0.015, 0.05, 0.9, 0.02), apart_m=0.15
    ),
    "push-back": GoalSpace(
        (-0.1, 0.8, 0.02, -0.1, 0.6, 0.0199), (0.1, 0.85, 0.02, 0.1, 0.7, 0.0201), apart_m=0.15
    ),
    "reach": GoalSpace(
        (-0.1, 0.6, 0.02, -0.1, 0.8, 0.05), (0.1, 0.7, 0.02, 0.1, 0.9, 0.3), apart_m=0.15
    ),
    "reach-wall": GoalSpace(
        (-0.05, 0.6, 0.015, -0.05, 0.85, 0.05), (0.05, 0.65, 0.015, 0.05, 0.9, 0.3), apart_m=0.15
    ),
    "shelf-place": GoalSpace(
        (-0.1, 0.5, 0.019, -0.1, 0.8, 0.299), (0.1, 0.6, 0.021, 0.1, 0.9, 0.301), apart_m=0.1
    ),
    "sweep-into": GoalSpace(
        (-0.1, 0.6, 0.02, -0.001, 0.8399, 0.0199),
        (0.1, 0.7, 0.02, 0.001, 0.8401, 0.0201),
        apart_m=0.15,
        target_m=(0.0, 0.84),
    ),
    "sweep": GoalSpace((-0.1, 0.6, 0.02), (0.1, 0.7, 0.02)),
    "window-open": GoalSpace((-0.1, 0.7, 0.16), (0.1, 0.9, 0.16)),
    "window-close": GoalSpace((0.0, 0.75, 0.2), (0.0, 0.9, 0.2)),
}


def benchmark_goals(
    seed: int, tasks: Sequence[str] = tuple(GOAL_SPACES)
) -> dict[str, NDArray[np.float64]]:
    """Draws the goals of ``metaworld.MT50(seed=seed).train_tasks`` without simulating.

    One stream of random numbers runs through all tasks, so ``MT10(seed=seed)`` has the goals of
    its ten tasks in its order, and ``MT1(f"{task}-v3", seed=seed)`` those of one task alone.

    Args:
        seed: The benchmark's seed, from 0 to 4,294,967,295.
        tasks: MetaWorld's names without suffix, in the order of the benchmark.

    Returns:
        For each task its goals in order, each what ``reset(options={"goal": ...})`` takes,
        float64, shape (50, 3) or (50, 6).

    Raises:
        UnknownNameError: If a task does not exist.
        ConfigError: If the seed is out of range.
    """
    if not 0 <= seed < 2**32:
        raise ConfigError(f"A benchmark's seed is from 0 to 4294967295, got {seed}.")
    unknown = [task for task in tasks if task not in GOAL_SPACES]
    if unknown:
        raise UnknownNameError("MetaWorld task", unknown[0], GOAL_SPACES)
    random = np.random.RandomState(seed)
    return {task: np.array([_drawn(task, random) for _ in range(GOALS_PER_TASK)]) for task in tasks}


def _drawn(task: str, random: np.random.RandomState) -> NDArray[np.float64]:
    space = GOAL_SPACES[task]
    space.draw(random)  # MetaWorld resets twice and keeps the second draw
    return space.draw(random)
