"""Render profiles: named, frozen ways to draw, from as MetaWorld does to as fast as we can."""

import hashlib
import json
from dataclasses import dataclass, fields, replace
from functools import cached_property

from tinyvla_gym.errors import UnknownNameError


@dataclass(frozen=True, kw_only=True)
class RenderProfile:
    """How pictures are drawn. A released profile never changes: policies are trained under it.

    Attributes:
        name: Name and version, ``fast-1``.
        shadows: Cast shadows, the largest cost on a CPU.
        multisamples: Samples per pixel; 0 draws jagged edges.
        reflections: Mirror floors.
        face_share: Part of each large mesh's faces to keep; 1 keeps all.
        face_floor: No mesh is decimated below this many faces.
        weld_frac: Vertices closer than this part of a mesh's size are joined first.
        weld_m: Vertices closer than this are joined first [m].
        face_cap: No mesh that is decimated keeps more faces, where that can be helped.
        untouched_faces: Meshes of at most this many faces are not decimated.
        rounds: How often a mesh is decimated; one round may stop above its target.
        slices: Flat sides around spheres, cylinders and the sky.
        stacks: Flat sides of those from pole to pole.
        quads: Squares along each edge of a box's face; light is computed at their corners.
        boxed_floors: Draw a finite plane as a thin box, which has far fewer corners.
        texture_gain: Textures hold this many times the light, and materials reflect that much
            less of it: bright surfaces can go above white before they are clipped, as they do
            where shadow-casting lights are drawn one after the other.
        shadow_map_px: Edge of the map in which shadows are found; the model's own if 0, 4096.
    """

    name: str
    shadows: bool
    multisamples: int
    reflections: bool
    face_share: float
    face_floor: int
    weld_frac: float
    # What follows came with fast-2; the defaults are how earlier profiles draw.
    weld_m: float = 0.0
    face_cap: int = 1_000_000
    untouched_faces: int = 0
    rounds: int = 1
    slices: int = 28
    stacks: int = 16
    quads: int = 4
    boxed_floors: bool = False
    texture_gain: float = 1.0
    shadow_map_px: int = 0  # came with shade-1

    @cached_property
    def hash(self) -> str:
        """Twelve hexadecimal digits that change with every setting, but not with a new field."""
        settings = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != field.default
        }
        text = json.dumps(settings, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


_FAST_2 = RenderProfile(  # faster, and nearer to parity-1
    name="fast-2",
    shadows=False,
    multisamples=0,
    reflections=False,
    face_share=0.10,
    face_floor=160,
    weld_frac=0.0,
    weld_m=0.003,
    face_cap=400,
    untouched_faces=2000,
    rounds=2,
    slices=12,
    stacks=6,
    quads=2,
    boxed_floors=True,
    texture_gain=1.17,  # 1 + what MetaWorld's one shadow-casting light adds to a table
)

PROFILES = {
    profile.name: profile
    for profile in (
        RenderProfile(  # bit-equal to Gymnasium's off-screen viewer
            name="parity-1",
            shadows=True,
            multisamples=4,
            reflections=True,
            face_share=1.0,
            face_floor=0,
            weld_frac=0.0,
        ),
        RenderProfile(
            name="fast-1",
            shadows=False,
            multisamples=0,
            reflections=False,
            face_share=0.10,
            face_floor=320,
            weld_frac=0.003,
        ),
        _FAST_2,
        replace(  # with parity-1's shadows: to train for parity-1
            _FAST_2, name="shade-1", shadows=True, shadow_map_px=512, texture_gain=1.0
        ),
    )
}


def profile_named(name: str) -> RenderProfile:
    """Looks a profile up.

    Raises:
        UnknownNameError: If there is none of that name.
    """
    if name not in PROFILES:
        raise UnknownNameError("render profile", name, PROFILES)
    return PROFILES[name]
