"""Looks that differ from episode to episode, for training and for tests of generalisation."""

# pyright: reportAttributeAccessIssue=false
# (mujoco ships no types)

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from tinyvla_gym.envs.cameras import VIEWPOINTS
from tinyvla_gym.envs.distractors import place_distractors, taken_places
from tinyvla_gym.envs.scenery import CameraShift, LightChange, Scenery, TableCover
from tinyvla_gym.errors import ConfigError, UnknownNameError

TABLE_MATERIALS = ("table_wood", "basic_floor", "wall_metal")
MAX_DISTRACTORS = 20


@dataclass(frozen=True, kw_only=True)
class Randomization:
    """What is drawn anew for each episode, from its seed. Physics and state never change.

    Attributes:
        light: Turn the room's lights by up to 60 degrees and tilt them by up to 15, make all
            light 0.6 to 1.2 times as bright, and colour each channel by up to 15 percent.
        table: Cover the table with another of the scene's textures, tinted, or a plain colour.
        camera_m: Move each camera by up to this far along each axis of the world [m].
        camera_deg: Turn each camera by up to this much about each of its own axes [deg].
        distractors: Things to put on the table, 0 to 20; they can be seen, not touched.
    """

    light: bool = False
    table: bool = False
    camera_m: float = 0.0
    camera_deg: float = 0.0
    distractors: int = 0

    def __post_init__(self) -> None:
        for name, most in (("camera_m", 1.0), ("camera_deg", 90.0)):
            if not 0 <= getattr(self, name) <= most:
                raise ConfigError(
                    f"{name} must be from 0 to {most:g}, got {getattr(self, name)!r}."
                )
        count = self.distractors
        if not isinstance(count, int) or not 0 <= count <= MAX_DISTRACTORS:
            raise ConfigError(f"distractors must be 0 to {MAX_DISTRACTORS} things, got {count!r}.")


PRESETS = {
    "light": Randomization(light=True),
    "table": Randomization(table=True),
    "camera": Randomization(camera_m=0.02, camera_deg=2.0),
    "distractors": Randomization(distractors=4),
    "all": Randomization(light=True, table=True, camera_m=0.02, camera_deg=2.0, distractors=4),
}


def randomization(wish: Randomization | Mapping[str, Any] | str | None) -> Randomization | None:
    """Understands how a user names what to randomise.

    Args:
        wish: The facts, a mapping of them, the name of a preset, or None for nothing.

    Raises:
        UnknownNameError: If there is no such preset, or no such fact.
        ConfigError: If a fact is out of range.
    """
    if wish is None or isinstance(wish, Randomization):
        return wish
    if isinstance(wish, str):
        if wish not in PRESETS:
            raise UnknownNameError("randomization", wish, PRESETS)
        return PRESETS[wish]
    known = Randomization.__dataclass_fields__
    for name in wish:
        if name not in known:
            raise UnknownNameError("randomization of", name, known)
    return Randomization(**wish)


def draw_scenery(
    wish: Randomization,
    seed: np.random.SeedSequence,
    model: mujoco.MjModel,
    data: mujoco.MjData,
    *,
    cameras: Iterable[str],
    keep_clear_m: Iterable[Sequence[float]],
) -> Scenery:
    """Draws one episode's looks; each part has a seed of its own and ignores the others.

    Args:
        wish: What to draw.
        seed: The seed's share for looks.
        model: The task.
        data: How things stand as the episode begins.
        cameras: Which cameras look; one's shift does not depend on the others'.
        keep_clear_m: Places in the world where no distractor may lie [m], each (x, y, z).
    """
    light, table, shifts, things = (np.random.default_rng(one) for one in seed.spawn(4))
    shifted = {name: _draw_shift(wish, shifts) for name in VIEWPOINTS}
    moved = wish.camera_m > 0 or wish.camera_deg > 0
    taken = taken_places(model, data, keep_clear_m)
    return Scenery(
        light=_draw_light(light) if wish.light else None,
        table=_draw_table(model, table) if wish.table else None,
        distractors=place_distractors(wish.distractors, taken, things),
        cameras={name: shifted[name] for name in cameras} if moved else {},
    )


def _draw_light(rng: np.random.Generator) -> LightChange:
    return LightChange(
        turn_deg=float(rng.uniform(-60, 60)),
        tilt_deg=float(rng.uniform(-15, 15)),
        intensity=float(rng.uniform(0.6, 1.2)),
        colour=_three(rng.uniform(0.85, 1.15, size=3)),
    )


def _draw_table(model: mujoco.MjModel, rng: np.random.Generator) -> TableCover:
    there = {model.material(index).name for index in range(model.nmat)}
    materials = [*(name for name in TABLE_MATERIALS if name in there), "plain"]
    material = materials[rng.integers(len(materials))]
    low, high = (0.1, 0.9) if material == "plain" else (0.5, 1.0)
    return TableCover(material=material, colour=_three(rng.uniform(low, high, size=3)))


def _draw_shift(wish: Randomization, rng: np.random.Generator) -> CameraShift:
    offset_m = rng.uniform(-wish.camera_m, wish.camera_m, size=3)
    turn_deg = rng.uniform(-wish.camera_deg, wish.camera_deg, size=3)
    return CameraShift(offset_m=_three(offset_m), turn_deg=_three(turn_deg))


def _three(values: np.ndarray) -> tuple[float, float, float]:
    first, second, third = values.tolist()
    return first, second, third
