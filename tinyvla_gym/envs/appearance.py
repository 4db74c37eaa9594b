"""What a profile changes about a model, in a copy, before it is drawn."""

# pyright: reportAttributeAccessIssue=false
# (mujoco ships no types)

import copy

import mujoco
import numpy as np

from tinyvla_gym.envs.mesh_cache import decimate
from tinyvla_gym.envs.meshes import Decimation
from tinyvla_gym.envs.profiles import RenderProfile

_THIN_M = 1e-4


def dressed(model: mujoco.MjModel, profile: RenderProfile) -> mujoco.MjModel:
    """Copies a model and makes it look as a profile says.

    Args:
        model: The model whose states will be drawn; it stays as it is.
        profile: How to draw.

    Returns:
        A model for drawing only: its collision shapes may be invalid.
    """
    model = copy.copy(model)
    quality = model.vis.quality
    quality.offsamples = profile.multisamples
    quality.numslices, quality.numstacks = profile.slices, profile.stacks
    quality.numquads = profile.quads
    if not profile.shadows:
        quality.shadowsize = 0
    elif profile.shadow_map_px:
        quality.shadowsize = profile.shadow_map_px
    if profile.face_share < 1:
        decimate(model, _decimation(profile))
    if profile.boxed_floors:
        _box_floors(model)
    if profile.texture_gain != 1:
        _brighten_textures(model, profile.texture_gain)
    return model


def _decimation(profile: RenderProfile) -> Decimation:
    return Decimation(
        share=profile.face_share,
        smallest=profile.face_floor,
        largest=profile.face_cap,
        untouched=profile.untouched_faces,
        weld_frac=profile.weld_frac,
        weld_m=profile.weld_m,
        rounds=profile.rounds,
    )


def _box_floors(model: mujoco.MjModel) -> None:
    planes = model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE
    finite = planes & (model.geom_size[:, :2] > 0).all(1)
    model.geom_type[finite] = mujoco.mjtGeom.mjGEOM_BOX
    model.geom_size[finite, 2] = _THIN_M


def _brighten_textures(model: mujoco.MjModel, gain: float) -> None:
    brighter = np.minimum(np.arange(256) * gain, 255).astype(np.uint8)
    textured = (model.mat_texid >= 0).any(1)  # (materials,)
    model.mat_rgba[textured, :3] /= gain
    for texture in np.unique(model.mat_texid[textured]):
        if texture < 0:
            continue
        first = model.tex_adr[texture]
        size = model.tex_width[texture] * model.tex_height[texture] * model.tex_nchannel[texture]
        texels = slice(first, first + size)
        model.tex_data[texels] = brighter[model.tex_data[texels]]
