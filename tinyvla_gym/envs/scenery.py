"""What a scene looks like beyond its model: light, table, things that lie about, moved cameras."""

# pyright: reportAttributeAccessIssue=false
# (mujoco ships no types)

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Any

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from tinyvla_gym.envs.cameras import Viewpoint, viewpoint

TABLE_BODY = "tablelink"
TABLE_MIDDLE_M = (0.0, 0.6, 0.0)

_SHAPES = {
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "ball": mujoco.mjtGeom.mjGEOM_ELLIPSOID,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
}


@dataclass(frozen=True, kw_only=True)
class LightChange:
    """How every light of a scene differs from the model's.

    Attributes:
        turn_deg: The room's lights turn about the middle of the table, about the vertical [deg].
        tilt_deg: And about the table's long edge, first [deg].
        intensity: All light is this many times as bright.
        colour: And is multiplied by this, red, green, blue.
    """

    turn_deg: float
    tilt_deg: float
    intensity: float
    colour: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class TableCover:
    """What the table is made of.

    Attributes:
        material: One of the model's; ``plain`` is a colour without a texture.
        colour: The texture's tint, or the plain colour; red, green, blue, 0 to 1.
    """

    material: str
    colour: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Distractor:
    """A thing on the table that can be seen, but neither touched nor moved.

    Attributes:
        shape: ``box``, ``ball`` or ``cylinder``.
        half_size_m: Half of its length, width and height [m].
        position_m: Its middle in the world frame [m].
        yaw_deg: How far it is turned about the vertical [deg].
        colour: Red, green, blue, 0 to 1.
    """

    shape: str
    half_size_m: tuple[float, float, float]
    position_m: tuple[float, float, float]
    yaw_deg: float
    colour: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class CameraShift:
    """How a camera stands differently: moved in the world frame [m], turned in its own [deg]."""

    offset_m: tuple[float, float, float]
    turn_deg: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Scenery:
    """One episode's looks. Nothing here touches physics; the default changes nothing at all.

    Attributes:
        light: How the light differs.
        table: What the table is made of instead.
        distractors: Things that lie about.
        cameras: Camera name to how it is shifted.
    """

    light: LightChange | None = None
    table: TableCover | None = None
    distractors: tuple[Distractor, ...] = ()
    cameras: Mapping[str, CameraShift] = field(default_factory=lambda: MappingProxyType({}))

    def seen_from(self, camera: str) -> Viewpoint:
        """Returns where a camera stands in this scenery."""
        place = viewpoint(camera)
        if camera not in self.cameras:
            return place
        shift = self.cameras[camera]
        return replace(place, offset_m=shift.offset_m, turn_deg=shift.turn_deg)

    def facts(self) -> dict[str, Any]:
        """Returns what was drawn as plain numbers and words, for ``info``."""
        return {
            "light": asdict(self.light) if self.light else None,
            "table": asdict(self.table) if self.table else None,
            "distractors": [asdict(one) for one in self.distractors],
            "cameras": {name: asdict(shift) for name, shift in self.cameras.items()},
        }


PLAIN = Scenery()


def cover_table(model: mujoco.MjModel, cover: TableCover) -> None:
    """Gives the table another material and colour, in a model that is used for drawing only."""
    table = np.flatnonzero(model.geom_bodyid == model.body(TABLE_BODY).id)
    if cover.material == "plain":
        model.geom_matid[table] = -1
        model.geom_rgba[table, :3] = cover.colour
        return
    material = model.material(cover.material).id
    model.geom_matid[table] = material
    model.geom_rgba[table, :3] = model.mat_rgba[material, :3] * cover.colour


def change_light(scene: mujoco.MjvScene, change: LightChange) -> None:
    """Turns, dims and colours the lights of a scene that has just been filled."""
    middle_m = np.array(TABLE_MIDDLE_M)
    angles_deg = (change.tilt_deg, change.turn_deg)
    rotation = Rotation.from_euler("xz", angles_deg, degrees=True).as_matrix()
    gain = change.intensity * np.array(change.colour)
    for light in scene.lights[: scene.nlight]:
        light.ambient[:] *= gain
        light.diffuse[:] *= gain
        light.specular[:] *= gain
        if not light.headlight:
            light.dir[:] = rotation @ light.dir
            light.pos[:] = middle_m + rotation @ (light.pos - middle_m)


def add_distractor(scene: mujoco.MjvScene, thing: Distractor) -> None:
    """Puts one thing into a scene that has just been filled."""
    yaw = Rotation.from_euler("z", thing.yaw_deg, degrees=True).as_matrix()
    mujoco.mjv_initGeom(
        scene.geoms[scene.ngeom],
        _SHAPES[thing.shape],
        np.array(thing.half_size_m),
        np.array(thing.position_m),
        yaw.reshape(9),
        np.array([*thing.colour, 1.0], np.float32),
    )
    scene.ngeom += 1
